import { setTimeout as delay } from "node:timers/promises";
import type { LiveGateway } from "../gateway.ts";
import type { InboxProcess } from "../inbox-process.ts";
import type { TcpProxy } from "../proxy.ts";
import type { Dice } from "./random.ts";

/** What can be broken. */
export interface Breakable {
  readonly gateway: LiveGateway;
  readonly proxy: TcpProxy;
  readonly process: InboxProcess;
}

type Fault = (things: Breakable, dice: Dice) => Promise<void>;

const PATIENCE_MS = 30_000;

const faults: Readonly<Record<string, Fault>> = {
  async cut({ proxy }, dice) {
    proxy.cut();
    await delay(dice.integer(500, 15_000));
    proxy.mend();
  },
  async "kill of our process"({ process }, dice) {
    await process.kill();
    await delay(dice.integer(0, 10_000));
    await process.start();
  },
  async "Gateway SIGTERM"({ gateway }, dice) {
    // Then whoever supervises it loses patience: it would let its runs go on for five minutes.
    const ended = gateway.kill("SIGTERM").catch(() => undefined);
    await Promise.race([ended, delay(PATIENCE_MS)]);
    await gateway.kill("SIGKILL");
    await delay(dice.integer(0, 5_000));
    await gateway.start();
  },
  async "Gateway SIGKILL"({ gateway }, dice) {
    await gateway.kill("SIGKILL");
    await delay(dice.integer(0, 5_000));
    await gateway.start();
  },
};

const NAMES = [
  ...Array<string>(5).fill("cut"),
  ...Array<string>(4).fill("kill of our process"),
  "Gateway SIGTERM",
  "Gateway SIGKILL",
];

/** Breaks one thing after the other until `signal` is aborted, and mends each. */
export async function breakThings(
  things: Breakable,
  dice: Dice,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  while (!signal.aborted) {
    await delay(dice.integer(3_000, 15_000), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const name = dice.pick(NAMES);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    print(name);
    await faults[name]?.(things, dice);
  }
  return counts;
}
