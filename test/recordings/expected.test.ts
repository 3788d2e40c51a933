import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recordingNames } from "../../src/testing/recordings.ts";
import { expectations } from "./expected.ts";
import { generationNames } from "./expected-generations.ts";
import { numberedWords } from "./expected-runs.ts";
import { isChat, loadFrames, runOf } from "./variations.ts";

interface DriverStep {
  readonly do: string;
  readonly params?: {
    readonly message?: string;
    readonly label?: string;
    /** A heartbeat's instructions. */
    readonly content?: string;
    readonly text?: string;
    readonly payload?: { readonly message?: string; readonly text?: string };
  };
}

const allNames = [...recordingNames(), ...generationNames()].sort();

/** The scenario that a recording shows: its name without the connection it was taken on. */
const scenarioOf = (recording: string): string => recording.replace(/\.(subscribed|roster)$/, "");

/** What the Gateway was made to say in a scenario, where the driver file alone tells. */
function scriptOf(scenario: string): readonly string[] {
  const isOld = generationNames().some((name) => scenarioOf(name) === scenario);
  const file = new URL(`${isOld ? "generations/" : ""}${scenario}.driver.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as readonly DriverStep[]).flatMap(({ do: method, params = {} }) => {
    if (method === "chat.inject")
      return [`${params.label === undefined ? "" : `[${params.label}]\n\n`}${params.message}`];
    const prompt =
      params.message ?? params.content ?? params.text ?? params.payload?.message ?? params.payload?.text ?? "";
    // Before 2026.9.5 nothing stands between the texts around a tool call.
    return saidTo(prompt, isOld ? "" : "\n\n");
  });
}

function saidTo(prompt: string, separator: string): readonly string[] {
  const tool = /^TOOL:(.*?)\|\|.*\|\|(.*)$/.exec(prompt);
  if (tool !== null) return [`${tool[1]}${separator}${tool[2]}`];
  const numbered = /^LONG:(\d+)/.exec(prompt);
  if (numbered !== null) return [numberedWords(Number(numbered[1]))];
  const said = /^(?:- )?SAY:(.*?)(?:;;|$)/.exec(prompt);
  return said === null ? [] : [said[1] as string];
}

describe("the expectations", () => {
  it("name every recording once", () => {
    expect(expectations.map(({ recording }) => recording).sort()).toEqual(allNames);
  });

  it("name each run of their recording once", () => {
    for (const { recording, outcomes } of expectations) {
      const runIds = outcomes.map(({ runId }) => runId);
      const heard = new Set(
        loadFrames(recording)
          .filter((frame) => isChat(frame))
          .map(runOf),
      );
      expect(new Set(runIds), recording).toEqual(heard);
      expect(runIds.length, recording).toBe(heard.size);
    }
  });

  it("know the script of most scenarios", () => {
    const scenarios = [...new Set(allNames.map(scenarioOf))];
    expect(scenarios.filter((scenario) => scriptOf(scenario).length === 0)).toEqual([
      "2026.7.1-abort",
      "2026.7.1-no-reply",
      "2026.7.1-slash-command",
      "2026.9.1-abort",
      "2026.9.1-no-reply",
      "2026.9.6-slash-command",
      "d2-heartbeat-silent",
      "g1-error-500",
      "g4-cut-mid-stream",
      "g6-error-chat-send",
      "h1-abort-agent-run",
      "h3-abort-cron-run",
      "i-no-reply",
      "m1-reconnect-while-running",
      "n1-sigterm-mid-run",
    ]);
  });

  it.each([...new Set(allNames.map(scenarioOf))])("have every text of the model's script: %s", (scenario) => {
    const texts = new Set(
      expectations
        .filter(({ recording }) => scenarioOf(recording) === scenario)
        .flatMap(({ outcomes, withRows = [], withHistory = [] }) => [...outcomes, ...withRows, ...withHistory])
        .flatMap((outcome) => (outcome.status === "dispatched" ? [outcome.text] : [])),
    );
    for (const said of scriptOf(scenario)) expect(texts, said.slice(0, 80)).toContain(said);
  });

  it("count words as the model does", () => {
    expect(numberedWords(22)).toBe("w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16 w17 w18 w19 w20\n w21 w22");
    expect(numberedWords(2500).length).toBe(14_016);
  });
});
