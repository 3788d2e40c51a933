export {
  createInspector,
  type Inspector,
  type InspectorOptions,
  type InspectorStats,
  type MountableInspector,
  type MountOptions,
} from "./inspector.ts";
export { createStatelyInspector, type StatelyInspector, type StatelyOptions } from "./stately.ts";
