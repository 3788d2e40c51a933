// Plays every scenario against a real Gateway and checks what the inbox handed over:
//
//   npm run test:live [-- --only NAME]
//
// Exit code 0: all passed, or the Gateway could not be installed here. 1: anything else.
import { parseArgs } from "node:util";
import { askAgent, handedOver, newSession, unique } from "./acts.ts";
import { checkOnce, checkSession } from "./check.ts";
import { createGateway } from "./gateway.ts";
import { InstallError, installGateway } from "./install.ts";
import { connectOperator } from "./operator.ts";
import type { Expectation, Scenario, Stage } from "./scenario.ts";
import { scenarios } from "./scenarios/index.ts";
import { startStubModel } from "./stub-model.ts";
import { openInbox } from "./tested-inbox.ts";

const CROWD_SIZE = 6;

const { values } = parseArgs({ options: { only: { type: "string" } } });
const cleanUps: (() => Promise<unknown>)[] = [];
const results: { passed: number; failed: number } = { passed: 0, failed: 0 };

process.once("SIGINT", () => void cleanUp().then(() => process.exit(130)));

try {
  await main();
} catch (error) {
  if (error instanceof InstallError) {
    print(`THE OPENCLAW GATEWAY COULD NOT BE INSTALLED: THE LIVE TESTS WERE NOT RUN.\n${error.message}`);
  } else {
    results.failed += 1;
    print(`FAIL ${text(error)}`);
  }
} finally {
  await cleanUp();
}
print(`${results.passed} passed, ${results.failed} failed`);
process.exitCode = results.failed === 0 ? 0 : 1;

async function main(): Promise<void> {
  const chosen = scenarios.filter(({ name }) => values.only === undefined || name.includes(values.only));
  if (chosen.length === 0)
    throw new Error(
      `there is no scenario called ${values.only}; there are:\n  ${scenarios.map(({ name }) => name).join("\n  ")}`,
    );
  const stage = await setUp();
  const expectations: Expectation[] = [];
  const play = (scenario: Scenario): Promise<void> =>
    timed(scenario.name, () => playOne(scenario, stage, expectations));
  const at = (place: Scenario["place"]): readonly Scenario[] => chosen.filter((scenario) => scenario.place === place);
  await inTurn(at("quiet"), play, 1);
  await inTurn(at("crowd"), play, CROWD_SIZE);
  await inTurn(at("gateway"), play, 1);
  await timed("nothing twice, nothing more, to the end", () => checkAll(stage, expectations));
}

async function setUp(): Promise<Stage> {
  const installation = await installGateway(print);
  const model = await startStubModel();
  cleanUps.push(() => model.stop());
  const gateway = await createGateway(installation, model.url);
  cleanUps.push(() => {
    if (results.failed > 0) print(`the Gateway's log: ${gateway.logFile}`);
    return gateway.dispose(results.failed > 0);
  });
  await timed("Gateway starts", () => gateway.start());
  const url = `ws://127.0.0.1:${gateway.port}`;
  const operator = connectOperator(url, gateway.token);
  cleanUps.push(() => operator.close());
  const inbox = await openInbox(url, gateway.token);
  cleanUps.push(() => inbox.stop());
  return { operator, gateway, inbox, defer: (cleanUp) => cleanUps.push(cleanUp) };
}

async function playOne(scenario: Scenario, stage: Stage, expectations: Expectation[]): Promise<void> {
  const added = await scenario.play(stage);
  expectations.push(...added);
  for (const { inbox, sessionKey } of added)
    await checkSession(stage.operator, together(expectations, inbox, sessionKey));
}

// Once more when everything is over: what comes too late, or again after a reconnect, must not have come
// at all. One more run, and every inbox has it: what was sent before it has come by then.
async function checkAll(stage: Stage, expectations: readonly Expectation[]): Promise<void> {
  const inboxes = new Set([stage.inbox, ...expectations.map(({ inbox }) => inbox)]);
  const [lastSession, lastWord] = [newSession(), unique("The last word.")];
  await askAgent(stage.operator, lastSession, `SAY:${lastWord}`);
  await Promise.all([...inboxes].map((inbox) => handedOver(inbox, lastSession, lastWord)));
  for (const { inbox, sessionKey } of expectations)
    await checkSession(stage.operator, together(expectations, inbox, sessionKey));
  for (const inbox of inboxes) checkOnce(inbox);
}

function together(
  expectations: readonly Expectation[],
  inbox: Expectation["inbox"],
  sessionKey: string,
): readonly Expectation[] {
  return expectations.filter((expectation) => expectation.inbox === inbox && expectation.sessionKey === sessionKey);
}

async function inTurn(
  list: readonly Scenario[],
  play: (scenario: Scenario) => Promise<void>,
  atOnce: number,
): Promise<void> {
  const waiting = [...list];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await play(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function timed(name: string, work: () => Promise<void>): Promise<void> {
  const startedAt = Date.now();
  const seconds = (): string => `${((Date.now() - startedAt) / 1000).toFixed(1)} s`;
  try {
    await work();
    results.passed += 1;
    print(`ok   ${name} (${seconds()})`);
  } catch (error) {
    results.failed += 1;
    print(`FAIL ${name} (${seconds()})\n  ${text(error)}`);
  }
}

async function cleanUp(): Promise<void> {
  for (const next of cleanUps.splice(0).reverse())
    await next().catch((error: unknown) => print(`clean-up: ${text(error)}`));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
