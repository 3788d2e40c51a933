import type { ChatEvent, DeltaListener, RunProgress } from "../types.ts";

/** Any number of listeners as one: the only one itself, so that nothing lies between it and a delta. */
export class DeltaListeners implements DeltaListener {
  private all: readonly DeltaListener[] = [];

  /** Whom to tell from now on. */
  add(listener: DeltaListener): DeltaListener | undefined {
    this.all = [...this.all, listener];
    return this.one;
  }

  remove(listener: DeltaListener): DeltaListener | undefined {
    this.all = this.all.filter((other) => other !== listener);
    return this.one;
  }

  delta(progress: RunProgress, event: ChatEvent, at: number): void {
    for (const listener of this.all) listener.delta(progress, event, at);
  }

  private get one(): DeltaListener | undefined {
    return this.all.length > 1 ? this : this.all[0];
  }
}
