import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { LedgerEntry } from "../../src/ledger/ledger.ts";
import { createLmdbLedger, type LmdbLedger } from "../../src/ledger/lmdb.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { messageOf } from "./messages.ts";

/** What a ledger is, in the fewest words: all entries in one map, with their holder. */
class Reference {
  readonly entries = new Map<
    string,
    { state: string; attempts: number; at: number; order: number; error?: string; holder: number | undefined }
  >();
  readonly cursors = new Map<string, string>();
  private order = 0;

  take(id: string, holder: number, at: number): boolean {
    if (this.entries.has(id)) return false;
    this.order += 1;
    this.entries.set(id, { state: "taken", attempts: 0, at, order: this.order, holder });
    return true;
  }

  report(id: string, holder: number, state: string, attempts: number, at: number, error?: string): void {
    const entry = this.entries.get(id);
    if (entry?.state !== "taken" || entry.holder !== holder) return;
    entry.attempts = attempts;
    delete entry.error;
    if (error !== undefined) entry.error = error;
    if (state === "taken") return;
    Object.assign(entry, { state, at, holder: undefined });
  }

  with(state: string): string[] {
    return [...this.entries].filter(([, entry]) => entry.state === state).map(([id]) => id);
  }

  shown(id: string): LedgerEntry {
    const { state, attempts, at, error } = this.entries.get(id) as {
      state: "taken";
      attempts: number;
      at: number;
      error?: string;
    };
    return { message: messageOf(id), state, attempts, at, ...(error === undefined ? {} : { error }) };
  }

  claim(holder: number): LedgerEntry[] {
    const free = [...this.entries].filter(([, entry]) => entry.state === "taken" && entry.holder === undefined);
    free.sort(([, a], [, b]) => a.order - b.order);
    for (const [, entry] of free) entry.holder = holder;
    return free.map(([id]) => this.shown(id));
  }

  revive(id: string, holder: number, at: number): LedgerEntry | undefined {
    const entry = this.entries.get(id);
    if (entry?.state !== "dead") return undefined;
    this.order += 1;
    this.entries.set(id, { state: "taken", attempts: 0, at, order: this.order, holder });
    return this.shown(id);
  }

  drop(id: string): boolean {
    const entry = this.entries.get(id);
    if (entry?.state !== "dead") return false;
    entry.state = "dropped";
    return true;
  }

  release(holder: number): void {
    for (const entry of this.entries.values()) if (entry.holder === holder) entry.holder = undefined;
  }
}

const id = fc.constantFrom("a", "b", "c", "d", "long ".repeat(500));
const slot = fc.integer({ min: 0, max: 1 });
const call = fc.oneof(
  { weight: 4, arbitrary: fc.record({ call: fc.constant("take" as const), id, slot }) },
  {
    weight: 3,
    arbitrary: fc.record({
      call: fc.constantFrom("attempted" as const, "delivered" as const, "dead" as const),
      id,
      slot,
      attempts: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom("revive" as const, "drop" as const), id, slot }) },
  fc.record({
    call: fc.constantFrom("claim" as const, "deadLetters" as const, "flush" as const, "reopen" as const),
    slot,
  }),
  fc.record({ call: fc.constant("setCursor" as const), id, slot, value: fc.string() }),
);
type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

const READS: ReadonlySet<Call["call"]> = new Set(["claim", "deadLetters", "revive", "drop"]);

/** Two ledgers on one file, each closed and opened again at times; holders are numbered by opening. */
class Played {
  readonly reference = new Reference();
  readonly clock: TestClock = createTestClock(1_700_000_000_000);
  private readonly file: string;
  private readonly slots: { ledger: LmdbLedger; holder: number }[] = [];
  private holders = 0;

  constructor(file: string) {
    this.file = file;
    for (const slot of [0, 1]) this.open(slot);
  }

  private open(slot: number): void {
    this.holders += 1;
    this.slots[slot] = { ledger: createLmdbLedger(this.file, { clock: this.clock }), holder: this.holders };
  }

  async play(step: Call): Promise<void> {
    const { ledger, holder } = this.slots[step.slot] as { ledger: LmdbLedger; holder: number };
    const { reference, clock } = this;
    clock.advance(1);
    const at = clock.now();
    // What one ledger reports is seen by the other once it is written.
    if (READS.has(step.call)) for (const { ledger: any } of this.slots) await any.flush();
    switch (step.call) {
      case "take":
        return expect(await ledger.take(messageOf(step.id))).toBe(reference.take(step.id, holder, at));
      case "attempted":
        ledger.attempted(step.id, step.attempts, "not yet");
        return reference.report(step.id, holder, "taken", step.attempts, at, "not yet");
      case "delivered":
        ledger.delivered(step.id, step.attempts);
        return reference.report(step.id, holder, "delivered", step.attempts, at);
      case "dead":
        ledger.dead(step.id, step.attempts, "no");
        return reference.report(step.id, holder, "dead", step.attempts, at, "no");
      case "revive":
        return expect(await ledger.revive(step.id)).toEqual(reference.revive(step.id, holder, at));
      case "drop":
        return expect(await ledger.drop(step.id)).toBe(reference.drop(step.id));
      case "claim":
        return expect(await ledger.claim()).toEqual(reference.claim(holder));
      case "deadLetters":
        return this.compareDeadLetters(ledger);
      case "flush":
        return ledger.flush();
      case "setCursor":
        ledger.setCursor(step.id, step.value);
        // Another ledger sees it once it is written.
        await ledger.flush();
        reference.cursors.set(step.id, step.value);
        for (const [name, value] of reference.cursors)
          for (const { ledger: any } of this.slots) expect(any.cursor(name)).toBe(value);
        return;
      case "reopen":
        await ledger.close();
        reference.release(holder);
        return this.open(step.slot);
    }
  }

  private async compareDeadLetters(ledger: LmdbLedger): Promise<void> {
    const expected = this.reference.with("dead").map((name) => this.reference.shown(name));
    expect(await ledger.deadLetters()).toEqual(expected.sort((a, b) => a.at - b.at));
  }

  /** Whatever was not compared on the way shows when all is closed and claimed by one. */
  async finish(): Promise<void> {
    for (const { ledger, holder } of this.slots) {
      await ledger.close();
      this.reference.release(holder);
    }
    this.open(0);
    const { ledger, holder } = this.slots[0] as { ledger: LmdbLedger; holder: number };
    expect(await ledger.claim()).toEqual(this.reference.claim(holder));
    await this.compareDeadLetters(ledger);
    for (const name of this.reference.entries.keys()) expect(await ledger.take(messageOf(name))).toBe(false);
    await ledger.close();
  }
}

it("two ledgers on one file do what one map would, whatever is called and however often they are reopened", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
      const folder = mkdtempSync(join(tmpdir(), "ledger-"));
      try {
        const played = new Played(join(folder, "inbox.lmdb"));
        for (const step of calls) await played.play(step);
        await played.finish();
      } finally {
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: 80 },
  );
}, 60_000);
