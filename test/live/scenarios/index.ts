import type { Scenario } from "../scenario.ts";
import { clientScenarios } from "./client.ts";
import { cronScenarios } from "./cron.ts";
import { cutScenarios } from "./cut.ts";
import { gatewayRestartScenarios } from "./gateway-restart.ts";
import { heartbeatScenarios } from "./heartbeat.ts";
import { ownRestartScenarios } from "./own-restart.ts";
import { pairingScenarios } from "./pairing.ts";

/** All scenarios, in the order they are begun. */
export const scenarios: readonly Scenario[] = [
  ...cronScenarios,
  ...heartbeatScenarios,
  ...clientScenarios,
  ...cutScenarios,
  ...ownRestartScenarios,
  ...gatewayRestartScenarios,
  ...pairingScenarios,
];
