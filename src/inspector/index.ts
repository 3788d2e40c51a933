export { createInspector, type Inspector, type InspectorOptions } from "./inspector.ts";
export { createStatelyInspector, type StatelyInspector, type StatelyOptions } from "./stately.ts";
