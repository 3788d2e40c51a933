export {
  createInspector,
  type Inspector,
  type InspectorOptions,
  type MountableInspector,
} from "./inspector.ts";
export { createStatelyInspector, type StatelyInspector } from "./stately.ts";
