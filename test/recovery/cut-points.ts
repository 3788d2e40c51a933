/** Runs with tool calls, played on a fake Gateway while the link of an inbox is cut at chosen points. */
import { WebSocket } from "ws";
import { createInbox } from "../../src/inbox.ts";
import type { Inbox } from "../../src/inbox-api.ts";
import type { Source, SourceListener } from "../../src/source/source.ts";
import { createSocketRequests } from "../../src/source/websocket/requests.ts";
import { createFakeGateway, createTestClock, type FakeGatewayOptions } from "../../src/testing/index.ts";
import { turn, until } from "../helpers/turns.ts";
import { connectParams } from "../testing/helpers.ts";
import { lastingLedger, NOON, topic } from "./hearing.ts";

/** A loss of the link. */
export interface Cut {
  /** The number of the frame, answer or request that is lost, counted over all connections. */
  readonly at: number;
  /** How many acts the Gateway has done when the link comes back. */
  readonly back?: number;
  /** The same, counted from the cut. */
  readonly away?: number;
}

/** What the Gateway does, and when the link is cut. */
export interface Plan {
  readonly generation: NonNullable<FakeGatewayOptions["generation"]>;
  /**
   * `agent` is heard by every client, `wake` by subscribers only and without deltas. `cron-current` is a job in a session
   * of its own, with a copy in the conversation; such a job is not there before 2026.8.
   */
  readonly origin: "agent" | "wake" | "cron-current";
  /** The texts of the run, with a tool call after each but the last. */
  readonly texts: readonly string[];
  /** How many runs say this, one after the other. */
  readonly runs: number;
  /** How long each tool takes, in ms. */
  readonly toolMs: number;
  /** The notes that are injected during each tool call. */
  readonly during: number;
  /** The notes that are injected after the run. */
  readonly after: number;
  readonly cuts: readonly Cut[];
  /** The inbox ends with the link, and another one with its ledger comes back. */
  readonly restarts?: boolean;
}

/** What has come of a plan. */
export interface Played {
  /** The texts that were handed over. */
  readonly told: readonly string[];
  /** The texts that should be. */
  readonly expected: readonly string[];
  /** What went over the link, in order: a name for each frame, answer and request, and the number of acts until then. */
  readonly points: readonly (readonly [name: string, acts: number])[];
  /** The number of acts of the Gateway. */
  readonly acts: number;
}

const HOME = topic(1);

/** Plays a plan from the first act to a minute after the last one. */
export async function playCuts(plan: Plan): Promise<Played> {
  const clock = createTestClock(NOON);
  await using gateway = await createFakeGateway({ clock, generation: plan.generation });
  gateway.say("The opening turn.", { sessionKey: HOME });
  const ledger = lastingLedger(clock);
  const told: string[] = [];
  const points: [string, number][] = [];
  let actsDone = 0;
  let cutAfter = 0;
  let isCounting = false;
  let cuts = plan.cuts;
  const isCutAt = (point: string): boolean => {
    if (!isCounting) return false;
    points.push([point, actsDone]);
    if (cuts[0]?.at !== points.length - 1) return false;
    cutAfter = actsDone;
    return true;
  };
  const backAt = () => cuts[0]?.back ?? cutAfter + (cuts[0]?.away ?? 0);
  const link = cuttableSource(gateway.url, gateway.token, isCutAt);
  let inbox = open();

  function open(): Inbox {
    const opened = createInbox({ source: link.source(), clock, ledger });
    opened.messages$.subscribe(({ text }) => told.push(text));
    return opened;
  }

  async function settle(): Promise<void> {
    const { frames } = inbox.stats();
    gateway.emit("health", { ok: true });
    await gateway.flushed();
    await until(() => link.isDown() || inbox.stats().frames > frames, "the last frame");
    for (let turns = 0; turns < 3; turns += 1) await turn();
    await until(() => link.isDown() || !link.isAsking(), "the answers");
    for (let turns = 0; turns < 3; turns += 1) await turn();
  }

  async function comeBack(): Promise<void> {
    cuts = cuts.slice(1);
    if (plan.restarts === true) {
      await inbox.stop({ drainMs: 0 });
      const before = link.connections();
      inbox = open();
      void inbox.start();
      await until(() => link.connections() > before, "the connection of the next inbox");
    } else link.connect();
    await until(() => link.isDown() || inbox.links()[0]?.state === "live", "the link to be live");
  }

  const acts = actsOf(plan, gateway, (ms) => clock.advance(ms));
  await inbox.start();
  await settle();
  isCounting = true;
  for (const [done, act] of acts.entries()) {
    while (link.isDown() && backAt() <= done) await comeBack();
    actsDone += 1;
    act();
    await settle();
    clock.advance(100);
    await settle();
  }
  while (link.isDown()) await comeBack();
  isCounting = false;
  for (const ms of [1_000, 1_000, 1_000, 1_000, 1_000, 60_000, 1_000]) {
    await settle();
    clock.advance(ms);
    await settle();
  }
  await inbox.stop({ drainMs: 0 });
  const joiner = plan.generation === "2026.9.5" ? "\n\n" : "";
  const noted = plan.runs * plan.during * (plan.texts.length - 1) + plan.after;
  const notes = Array.from({ length: noted }, (_, n) => `Note ${n}.`);
  const said = Array.from({ length: plan.runs }, () => plan.texts.join(joiner));
  return { told, expected: [...said, ...notes], points, acts: acts.length };
}

type Gateway = Awaited<ReturnType<typeof createFakeGateway>>;

/** What the Gateway does, one act after the other. */
function actsOf({ origin, texts, runs, toolMs, during, after }: Plan, gateway: Gateway, wait: (ms: number) => void) {
  const acts: (() => void)[] = [];
  let notes = 0;
  const note = () => {
    gateway.say(`Note ${notes}.`, { sessionKey: HOME, origin: "inject" });
    notes += 1;
  };
  const running = (runId: string) => {
    const run = gateway.running(runId);
    if (run === undefined) throw new Error("the run has not begun");
    return run;
  };
  for (let run = 1; run <= runs; run += 1) {
    const runId = `run-${run}`;
    acts.push(() => void gateway.run({ sessionKey: HOME, runId, origin }));
    for (const [index, text] of texts.entries()) {
      const half = text.length / 2;
      acts.push(() => running(runId).delta(text.slice(0, half)));
      acts.push(() => running(runId).delta(text.slice(half)));
      if (index === texts.length - 1) continue;
      acts.push(() => running(runId).callTool());
      for (let n = 0; n < during; n += 1) acts.push(note);
      if (toolMs > 0) acts.push(() => wait(toolMs));
    }
    acts.push(() => running(runId).final());
  }
  if (after > 0)
    acts.push(() => {
      for (let n = 0; n < after; n += 1) note();
    });
  return acts;
}

interface CuttableSource {
  source(): Source;
  /** Connects the last source again. */
  connect(): void;
  isDown(): boolean;
  /** How often it has connected. */
  connections(): number;
  /** Whether a request is not answered yet. */
  isAsking(): boolean;
}

/** A source over a real socket that loses its connection at the points that `isCutAt` names. */
function cuttableSource(url: string, token: string, isCutAt: (point: string) => boolean): CuttableSource {
  let listener: SourceListener | undefined;
  let socket: WebSocket | undefined;
  let requests: ReturnType<typeof createSocketRequests> | undefined;
  let isDown = true;
  let asking = 0;
  let connections = 0;

  function cut(): void {
    if (isDown) return;
    isDown = true;
    socket?.terminate();
    requests?.endAll();
    listener?.link({ type: "lost", reason: "cut by the test" });
  }

  function connect(): void {
    const opened = new WebSocket(url);
    const asked = createSocketRequests(opened, "one", 30_000);
    socket = opened;
    requests = asked;
    isDown = false;
    connections += 1;
    listener?.link({ type: "connect" });
    let isAccepted = false;
    opened.on("message", (data) => {
      const text = String(data);
      if (socket !== opened || isDown) return;
      const frame = JSON.parse(text) as Frame;
      if (frame.event === "connect.challenge") {
        void asked.request("connect", connectParams(token, ["operator.read"])).then((hello) => {
          isAccepted = true;
          listener?.link({ type: "hello", hello: hello as object });
        });
        return;
      }
      const isQuiet = !isAccepted || frame.event === "health";
      if (!isQuiet && isCutAt(nameOf(frame))) return cut();
      if (asked.takeAnswer(text) !== true) listener?.frame(text);
    });
    opened.on("close", () => {
      if (socket === opened) cut();
    });
    opened.on("error", () => {});
  }

  return {
    source: () => ({
      name: "one",
      open(opened) {
        listener = opened;
        connect();
      },
      async close() {
        listener = undefined;
        isDown = true;
        socket?.terminate();
      },
      async request(method, params, options) {
        if (isDown || requests === undefined) throw new Error("closed");
        if (isCutAt(`asks ${method}`)) {
          cut();
          throw new Error("cut");
        }
        asking += 1;
        try {
          return await requests.request(method, params, options);
        } finally {
          asking -= 1;
        }
      },
    }),
    connect,
    isDown: () => isDown,
    connections: () => connections,
    isAsking: () => asking > 0,
  };
}

interface Frame {
  readonly type: string;
  readonly event?: string;
  readonly payload?: { readonly state?: string; readonly stream?: string };
}

function nameOf({ event, type, payload }: Frame): string {
  return [event ?? type, payload?.state ?? payload?.stream ?? ""].join(" ").trim();
}
