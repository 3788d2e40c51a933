import type { Origin } from "../../src/index.ts";
import { askAgent, handedOver, newSession, unique } from "./acts.ts";
import { checkOnce, checkSession } from "./check.ts";
import type { Installation } from "./install.ts";
import type { Expectation, Scenario } from "./scenario.ts";
import { type OpenStage, openStage } from "./stage.ts";
import type { TestedInbox } from "./tested-inbox.ts";
import { within } from "./within.ts";

/** How a scenario went with one release. */
export interface Result {
  readonly name: string;
  /** `"gap"`: it failed, and the release cannot do it. `"closed"`: it has a gap there, and yet it passed. */
  readonly status: "ok" | "failed" | "gap" | "closed";
  /** Why it failed, what the gap is, or what is otherwise with this release. */
  readonly reason?: string;
  /** Where its message said that it came from. */
  readonly origin?: Origin;
  readonly seconds: number;
}

const STARTS = "the Gateway starts";
const NOTHING_MORE = "nothing twice, nothing more";
const TO_THE_END = "nothing twice, nothing more, after the restarts";

/** What {@link playRelease} has results of, in an order for people. */
export function resultNames(chosen: readonly Scenario[]): readonly string[] {
  return [STARTS, ...chosen.map(({ name }) => name), NOTHING_MORE, TO_THE_END];
}

// A Gateway on a busy machine takes minutes for six at once.
const CROWD_SIZE = 3;
/** What a release cannot do is not waited for as long as what it can. */
const GAP_TIMEOUT_MS = 8_000;
/** New Gateways in place of broken ones, at most, for one release. */
const MAX_REPLACED = 4;

/** Plays scenarios with one release of the Gateway. `print` is told of each result as it comes. */
export async function playRelease(
  installation: Installation,
  chosen: readonly Scenario[],
  print: (line: string) => void,
): Promise<readonly Result[]> {
  const player = new Player(installation, print);
  const at = (place: Scenario["place"]): readonly Scenario[] => chosen.filter((scenario) => scenario.place === place);
  try {
    await player.open();
    await player.inTurn(at("quiet"), 1);
    await player.inTurn(at("crowd"), CROWD_SIZE);
    await player.leave();
    await player.inTurn(at("gateway"), 1);
    await player.checkAll();
  } finally {
    await player.close();
  }
  return player.results;
}

class Player {
  readonly results: Result[] = [];
  readonly #installation: Installation;
  readonly #print: (line: string) => void;
  #stage: Promise<OpenStage>;
  readonly #replaced = new Set<OpenStage>();
  #expectations: Expectation[] = [];
  readonly #cleanUps: (() => Promise<unknown>)[] = [];

  constructor(installation: Installation, print: (line: string) => void) {
    this.#installation = installation;
    this.#print = print;
    this.#stage = openStage(installation);
    // Whoever plays first awaits it and is told.
    this.#stage.catch(() => undefined);
  }

  open(): Promise<void> {
    return this.#timed(STARTS, async () => {
      await this.#stage;
      return undefined;
    });
  }

  async inTurn(list: readonly Scenario[], atOnce: number): Promise<void> {
    const waiting = [...list];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next; next = waiting.shift()) await this.#play(next);
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
  }

  /**
   * Checks what the scenarios' own inboxes have, and ends them: an old Gateway that starts with a dozen inboxes at its
   * door answers none for minutes.
   */
  async leave(): Promise<void> {
    const { inbox } = await this.#stage;
    await this.#checkAll(NOTHING_MORE, (each) => each !== inbox);
    await this.#cleanUp();
    this.#expectations = this.#expectations.filter((expectation) => expectation.inbox === inbox);
  }

  /** Checks what all that are left have. */
  checkAll(): Promise<void> {
    return this.#checkAll(TO_THE_END, () => true);
  }

  /**
   * Once more when everything is over: what comes too late, or again after a reconnect, must not have come
   * at all. One more run, and every inbox has it: what was sent before it has come by then.
   */
  #checkAll(name: string, isChecked: (inbox: TestedInbox) => boolean): Promise<void> {
    return this.#timed(name, async () => {
      const { operator, inbox, gateway } = await this.#stage;
      const expectations = this.#expectations.filter((expectation) => isChecked(expectation.inbox));
      const inboxes = new Set([inbox, ...expectations.map((expectation) => expectation.inbox)]);
      const [lastSession, lastWord] = [newSession(), unique("The last word.")];
      await askAgent(operator, lastSession, `SAY:${lastWord}`);
      await Promise.all([...inboxes].map((each) => handedOver(each, lastSession, lastWord)));
      for (const key of new Set(expectations.map(({ sessionKey }) => sessionKey)))
        await checkSession(operator, gateway.version, this.#of(key));
      for (const each of inboxes) checkOnce(each);
      return undefined;
    });
  }

  async close(): Promise<void> {
    await this.#cleanUp();
    const stage = await this.#stage.catch(() => undefined);
    await stage?.close(this.results.some(({ status }) => status === "failed"));
  }

  #play(scenario: Scenario): Promise<void> {
    const { version } = this.#installation;
    const work = async (): Promise<Origin | undefined> => {
      for (;;) {
        const stage = await this.#stage;
        try {
          const origin = await this.#playOn(stage, scenario);
          // A scenario beside this one may have found it broken meanwhile.
          if (!this.#replaced.has(stage)) return origin;
        } catch (error) {
          // Only what the Gateway itself called broken is repeated; everything else is a failure.
          const broken = stage.operator.broken();
          if (broken === undefined || !this.#renew(stage, broken)) throw error;
        }
      }
    };
    return this.#timed(scenario.name, work, scenario.gap?.(version), scenario.remark?.(version));
  }

  async #playOn(stage: OpenStage, scenario: Scenario): Promise<Origin | undefined> {
    const added = await scenario.play({ ...stage, defer: (cleanUp) => this.#cleanUps.push(cleanUp) });
    if (this.#replaced.has(stage)) return undefined;
    this.#expectations.push(...added);
    for (const { sessionKey } of added) await checkSession(stage.operator, stage.gateway.version, this.#of(sessionKey));
    return added[0]?.origin;
  }

  /** Puts a new Gateway with a fresh home in place of a broken one, once for all that play on it. False when that was done too often. */
  #renew(stage: OpenStage, broken: string): boolean {
    if (this.#replaced.has(stage)) return true;
    if (this.#replaced.size >= MAX_REPLACED) return false;
    this.#replaced.add(stage);
    this.#print(`THE GATEWAY ${this.#installation.version} BROKE BY ITSELF: "${broken}". A NEW ONE IS STARTED.`);
    for (const inbox of new Set([stage.inbox, ...this.#expectations.map((expectation) => expectation.inbox)]))
      checkOnce(inbox);
    this.#expectations = [];
    this.#stage = this.#cleanUp()
      .then(() => stage.close(true))
      .then(() => openStage(this.#installation));
    this.#stage.catch(() => undefined);
    return true;
  }

  async #cleanUp(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse())
      await cleanUp().catch((error: unknown) => this.#print(`clean-up: ${String(error)}`));
  }

  #of(sessionKey: string): readonly Expectation[] {
    return this.#expectations.filter((expectation) => expectation.sessionKey === sessionKey);
  }

  async #timed(name: string, work: () => Promise<Origin | undefined>, gap?: string, remark?: string): Promise<void> {
    const startedAt = Date.now();
    const end = (status: Result["status"], reason?: string, origin?: Origin): void => {
      const seconds = (Date.now() - startedAt) / 1000;
      const known = { ...(reason !== undefined && { reason }), ...(origin !== undefined && { origin }) };
      this.results.push({ name, status, seconds, ...known });
      this.#print(
        `${WORDS[status]} ${name} (${seconds.toFixed(1)} s)${reason === undefined ? "" : `\n     ${reason}`}`,
      );
    };
    try {
      const played = gap === undefined ? work() : within(GAP_TIMEOUT_MS, "what cannot come", work());
      const origin = await played;
      if (gap === undefined) end("ok", remark, origin);
      else end("closed", `it has no gap any more: ${gap}`);
    } catch (error) {
      if (gap === undefined) end("failed", error instanceof Error ? error.message : String(error));
      else end("gap", gap);
    }
  }
}

const WORDS = { ok: "ok  ", failed: "FAIL", gap: "gap ", closed: "FAIL" } as const;
