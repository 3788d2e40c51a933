import { constants } from "node:os";

/** A request to stop, by Ctrl-C or by the process supervisor. */
export interface StopSignal {
  /** Resolves with the first signal. A second one ends the process at once, with 128 and its number. */
  readonly received: Promise<NodeJS.Signals>;
  /** Stops listening. From then on a signal has its default effect. */
  release(): void;
}

const signals = ["SIGINT", "SIGTERM"] as const;

/** Listens for `SIGINT` and `SIGTERM`. */
export function listenForStop(): StopSignal {
  let handle: (signal: NodeJS.Signals) => void = () => {};
  const received = new Promise<NodeJS.Signals>((resolve) => {
    let stopping = false;
    handle = (signal) => {
      if (stopping) process.exit(128 + constants.signals[signal]);
      stopping = true;
      resolve(signal);
    };
  });
  for (const signal of signals) process.on(signal, handle);
  return {
    received,
    release() {
      for (const signal of signals) process.off(signal, handle);
    },
  };
}
