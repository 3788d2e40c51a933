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
  private readonly bySource: ReadonlyMap<Source, Recovery>;
  /** Of two connections with one name and one owner, either tells of what is heard over both: the last does. */
  private readonly byConnection: ReadonlyMap<string, Recovery>;

  constructor({ links, ...options }: RecoveriesOptions) {
    const recoveries = links.map((link) => {
      const { source } = link;
      const onRecovered = () => link.send({ type: "recovered" });
      return [source, new Recovery({ ...options, source, onRecovered })] as const;
    });
    this.bySource = new Map(recoveries);
    this.byConnection = new Map(
      recoveries.map(([{ name, owner }, recovery]) => [connectionOf(name, owner), recovery] as const),
    );
  }

  /** A change of the source's connection. */
  link(source: Source, { type }: LinkEvent): void {
    const recovery = this.bySource.get(source);
    if (type === "hello") recovery?.hello();
    else if (type !== "connect") recovery?.lost();
  }

  /** Takes every event that is not a chat event. */
  event(event: InboundEvent): void {
    this.byConnection.get(connectionOf(event.gateway, event.owner))?.event(event);
  }

  /** Lets go of everything. */
  stop(): void {
    for (const recovery of this.bySource.values()) recovery.stop();
  }
}

/** Tells one connection from another: a Gateway may be listened to by several owners. */
function connectionOf(gateway: string, owner: string | undefined): string {
  return `${gateway}\u0000${owner ?? ""}`;
}
