import type { Scenario } from "../scenario.ts";
import { scenariosOf } from "../way.ts";
import { attachmentScenarios } from "./attachments.ts";
import { channelWays } from "./channel.ts";
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
  ...attachmentScenarios,
  ...cutScenarios,
  ...ownRestartScenarios,
  ...scenariosOf(channelWays),
  ...pairingScenarios,
  // Last: a Gateway that was killed may take minutes to end when it is asked to.
  ...gatewayRestartScenarios,
];

const SMOKE: ReadonlySet<string> = new Set([
  "cron, main session",
  "missed: cron, main session",
  "cron, isolated",
  "chat.send, by another client",
  "missed: chat.send, by another client",
  "chat.inject",
  "abort",
]);

/** Of each kind of run one: what CI plays with releases other than the newest. */
export const smoke: readonly Scenario[] = scenarios.filter(({ name }) => SMOKE.has(name));

/**
 * The scenarios that a flag asks for: a list, separated by semicolons, of parts of names. Undefined: all.
 *
 * @throws {Error} where no scenario has such a name.
 */
export function chosenScenarios(list: string | undefined): readonly Scenario[] {
  if (list === undefined) return scenarios;
  const chosen = new Set(list.split(";").flatMap((item) => named(item.trim())));
  return scenarios.filter((scenario) => chosen.has(scenario));
}

function named(part: string): readonly Scenario[] {
  const found = scenarios.filter(({ name }) => name.includes(part));
  if (found.length > 0) return found;
  throw new Error(
    `there is no scenario called ${part}; there are:\n  ${scenarios.map(({ name }) => name).join("\n  ")}`,
  );
}
