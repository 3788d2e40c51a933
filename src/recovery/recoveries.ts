import type { LinkEvent } from "../../machines/link.ts";
import type { InboundEvent } from "../pipeline/parse-frames.ts";
import type { Link } from "../source/link.ts";
import type { Source } from "../source/source.ts";
import { Recovery, type RecoveryOptions } from "./recovery.ts";

/** What {@link Recoveries} need. */
export interface RecoveriesOptions extends Omit<RecoveryOptions, "source" | "onRecovered"> {
  readonly links: readonly Link[];
}

/** The recovery of each connection. */
export class Recoveries {
  private readonly byConnection: ReadonlyMap<string, Recovery>;

  constructor({ links, ...options }: RecoveriesOptions) {
    this.byConnection = new Map(
      links.map((link) => {
        const { source } = link;
        const onRecovered = () => link.send({ type: "recovered" });
        return [connectionOf(source.name, source.owner), new Recovery({ ...options, source, onRecovered })];
      }),
    );
  }

  /** A change of the source's connection. */
  link({ name, owner }: Source, { type }: LinkEvent): void {
    const recovery = this.byConnection.get(connectionOf(name, owner));
    if (type === "hello") recovery?.hello();
    else if (type !== "connect") recovery?.lost();
  }

  /** Takes every event that is not a chat event. */
  event(event: InboundEvent): void {
    this.byConnection.get(connectionOf(event.gateway, event.owner))?.event(event);
  }

  /** Lets go of everything. */
  stop(): void {
    for (const recovery of this.byConnection.values()) recovery.stop();
  }
}

/** Tells one connection from another: a Gateway may be listened to by several owners. */
function connectionOf(gateway: string, owner: string | undefined): string {
  return `${gateway}\u0000${owner ?? ""}`;
}
