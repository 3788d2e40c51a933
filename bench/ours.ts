import { createInbox } from "../src/inbox.ts";
import { type Clock, systemClock } from "../src/kit/clock.ts";
import { defaults } from "../src/options.ts";
import { createPipeline } from "../src/pipeline/pipeline.ts";
import { Report } from "../src/report/report.ts";
import { Supervisor } from "../src/runs/supervisor.ts";
import type { Rival, Said } from "./rival.ts";

// A million dedup keys would only measure the limit. `distinct.ts` measures those.
const limits = { ...defaults, maxRuns: 1_000_000, maxBufferedBytes: Number.MAX_SAFE_INTEGER };

/** Our pipeline and supervisor, connected as in the inbox, with its defaults. */
export function createOurs({ clock = systemClock }: { readonly clock?: Clock } = {}): Rival & {
  readonly supervisor: Supervisor;
  readonly payload: (frame: unknown) => void;
} {
  const settings = { ...limits, clock };
  const report = new Report({ joined: () => [] });
  let said: Said[] = [];
  const supervisor = new Supervisor({ ...settings, report, dispatch: (message) => void said.push(message) });
  const route = supervisor.handle.bind(supervisor);
  const pipeline = createPipeline({ ...settings, report, route, onOther: fail });

  return {
    supervisor,
    payload: (data) => pipeline.frame({ gateway: "default", data }),
    take: (data) => pipeline.frame({ gateway: "default", data }),
    messages: () => {
      const messages = said;
      said = [];
      return messages;
    },
    close() {
      supervisor.stop();
      pipeline.close();
    },
  };
}

/** The whole inbox: with a ledger in memory, delivery to a handler that does nothing, the log and the observables. */
export function createWholeInbox(): Rival {
  let said: Said[] = [];
  let listener = (_: unknown) => {};
  const inbox = createInbox({
    source: {
      name: "default",
      open({ frame, link }) {
        listener = frame;
        link({ type: "connect" });
        link({ type: "hello" });
      },
      async close() {},
    },
    deliver: (message) => {
      said.push(message);
    },
    maxRuns: limits.maxRuns,
    maxBufferedBytes: limits.maxBufferedBytes,
  });
  return {
    ready: inbox.start(),
    take: (data) => listener(data),
    messages: () => {
      const messages = said;
      said = [];
      return messages;
    },
    async settle() {
      while (inbox.stats().pending > 0) await new Promise((resolve) => setImmediate(resolve));
    },
    close: () => inbox.stop({ drainMs: 0 }),
  };
}

function fail(...what: unknown[]): never {
  throw new Error(`The bench met what it must not meet: ${JSON.stringify(what).slice(0, 200)}`);
}
