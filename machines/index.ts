export {
  type DeliveryContext,
  type DeliveryEmitted,
  type DeliveryEvent,
  type DeliveryInput,
  type DeliveryOutput,
  deliveryMachine,
} from "./delivery.ts";
export { type LinkContext, type LinkEvent, linkMachine } from "./link.ts";
export { type RunContext, type RunEvent, type RunInput, type RunOutput, runMachine } from "./run.ts";
