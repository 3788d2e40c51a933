import type { Scenario } from "../scenario.ts";
import { scenariosOf } from "../way.ts";
import { cutScenarios } from "./cut.ts";
import { gatewayRestartScenarios } from "./gateway-restart.ts";
import { ownRestartScenarios } from "./own-restart.ts";
import { pairingScenarios } from "./pairing.ts";
import { silenceScenarios } from "./silence.ts";
import { ways } from "./ways.ts";

/** All scenarios, in the order they are begun. */
export const scenarios: readonly Scenario[] = [
  // First: from the sixth wake within a minute on the Gateway holds them back, and silence is waited for.
  ...silenceScenarios,
  ...scenariosOf(ways),
  ...cutScenarios,
  ...ownRestartScenarios,
  ...gatewayRestartScenarios,
  ...pairingScenarios,
];
