import type { LinkEvent } from "../../machines/link.ts";
import type { SourceListener } from "../../src/source/source.ts";

/** A listener that keeps what it hears. Tests can wait for it. */
export interface Heard extends SourceListener {
  readonly frames: readonly unknown[];
  readonly links: readonly LinkEvent[];
  /** What was heard, in order: the type of a link event, or `"frame"`. */
  readonly order: readonly string[];
  /** The reasons of the link events that have one. */
  readonly reasons: readonly string[];
  /** Resolves with the `count`-th link event of `type` (default: the first). */
  linked(type: LinkEvent["type"], count?: number): Promise<LinkEvent>;
  /** Resolves when there are `count` frames. */
  framed(count: number): Promise<void>;
}

export function createHeard(onLink: (event: LinkEvent) => void = () => {}): Heard {
  const frames: unknown[] = [];
  const links: LinkEvent[] = [];
  const order: string[] = [];
  let checks: (() => boolean)[] = [];

  function until<T>(read: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const check = () => {
        const value = read();
        if (value === undefined) return false;
        resolve(value);
        return true;
      };
      if (!check()) checks.push(check);
    });
  }

  function heard(what: string): void {
    order.push(what);
    checks = checks.filter((check) => !check());
  }

  return {
    frames,
    links,
    order,
    get reasons() {
      return links.flatMap((event) => ("reason" in event ? [event.reason] : []));
    },
    frame(frame) {
      frames.push(frame);
      heard("frame");
    },
    link(event) {
      links.push(event);
      heard(event.type);
      onLink(event);
    },
    linked: (type, count = 1) => until(() => links.filter((event) => event.type === type)[count - 1]),
    framed: async (count) => void (await until(() => (frames.length >= count ? true : undefined))),
  };
}
