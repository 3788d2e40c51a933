import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { messageOf } from "./messages.ts";

/** How the suite makes the ledger under test. */
export interface LedgerMaker {
  readonly name: string;
  /** An empty ledger that remembers delivered ids and dead letters for `retainMs`. */
  open(clock: TestClock, retainMs: number): Ledger;
  /** Removes what `open` made, after the ledger was closed. */
  cleanUp?(): void;
}

const RETAIN_MS = 86_400_000;

/** What every ledger does, whatever it is made of. */
export function describeLedger({ name, open, cleanUp }: LedgerMaker): void {
  describe(`the ${name} ledger`, () => {
    let clock: TestClock;
    let ledger: Ledger;

    beforeEach(() => {
      clock = createTestClock(1_700_000_000_000);
      ledger = open(clock, RETAIN_MS);
    });

    afterEach(async () => {
      await ledger.close();
      cleanUp?.();
    });

    it("takes a message on once", async () => {
      expect(await ledger.take(messageOf("a"))).toBe(true);
      expect(await ledger.take(messageOf("a"))).toBe(false);
      expect(await ledger.take(messageOf("b"))).toBe(true);
    });

    it("takes one of many that come at once", async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ledger.take(messageOf("a"))));
      expect(answers.filter(Boolean)).toHaveLength(1);
    });

    it("knows a delivered message", async () => {
      await ledger.take(messageOf("a"));
      ledger.delivered("a", 1);
      expect(await ledger.take(messageOf("a"))).toBe(false);
      await ledger.flush();
      expect(await ledger.take(messageOf("a"))).toBe(false);
    });

    it("forgets a delivered message after the retention time, and not before", async () => {
      await ledger.take(messageOf("a"));
      ledger.delivered("a", 1);
      await ledger.flush();
      clock.advance(RETAIN_MS - 120_000);
      await ledger.flush();
      expect(await ledger.take(messageOf("a"))).toBe(false);
      clock.advance(240_000);
      await ledger.flush();
      expect(await ledger.take(messageOf("a"))).toBe(true);
    });

    it("never forgets a message that is neither delivered nor dead", async () => {
      await ledger.take(messageOf("a"));
      clock.advance(30 * RETAIN_MS);
      await ledger.flush();
      expect(await ledger.take(messageOf("a"))).toBe(false);
    });

    it("keeps a dead letter with its message, its attempts and its error", async () => {
      await ledger.take(messageOf("a"));
      ledger.attempted("a", 1, "no");
      clock.advance(5_000);
      ledger.dead("a", 2, "no again");
      const at = clock.now();
      clock.advance(5_000);
      expect(await ledger.deadLetters()).toEqual([
        { message: messageOf("a"), state: "dead", attempts: 2, error: "no again", at },
      ]);
      expect(await ledger.take(messageOf("a"))).toBe(false);
    });

    it("lists dead letters oldest first", async () => {
      for (const id of ["c", "a", "b"]) {
        await ledger.take(messageOf(id));
        clock.advance(1);
      }
      for (const id of ["b", "c", "a"]) {
        ledger.dead(id, 1, "no");
        clock.advance(1);
      }
      expect((await ledger.deadLetters()).map(({ message }) => message.id)).toEqual(["b", "c", "a"]);
    });

    it("forgets a dead letter after the retention time", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 1, "no");
      await ledger.flush();
      clock.advance(RETAIN_MS + 120_000);
      await ledger.flush();
      expect(await ledger.deadLetters()).toEqual([]);
    });

    it("revives a dead letter with its attempts at 0, once", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 10, "no");
      clock.advance(5_000);
      expect(await ledger.revive("a")).toEqual({
        message: messageOf("a"),
        state: "taken",
        attempts: 0,
        at: clock.now(),
      });
      expect(await ledger.revive("a")).toBeUndefined();
      expect(await ledger.deadLetters()).toEqual([]);
      ledger.delivered("a", 1);
      expect(await ledger.take(messageOf("a"))).toBe(false);
    });

    it("lets a revived letter die again", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 10, "no");
      await ledger.revive("a");
      ledger.dead("a", 3, "still no");
      expect(await ledger.deadLetters()).toMatchObject([{ attempts: 3, error: "still no" }]);
    });

    it("drops a dead letter and still knows its id", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 1, "no");
      expect(await ledger.drop("a")).toBe(true);
      expect(await ledger.drop("a")).toBe(false);
      expect(await ledger.deadLetters()).toEqual([]);
      expect(await ledger.revive("a")).toBeUndefined();
      expect(await ledger.take(messageOf("a"))).toBe(false);
    });

    it("revives and drops only dead letters", async () => {
      await ledger.take(messageOf("taken"));
      await ledger.take(messageOf("delivered"));
      ledger.delivered("delivered", 1);
      for (const id of ["taken", "delivered", "unknown"]) {
        expect(await ledger.revive(id)).toBeUndefined();
        expect(await ledger.drop(id)).toBe(false);
      }
    });

    it("ignores reports on what it has not taken, or has settled", async () => {
      ledger.delivered("unknown", 1);
      ledger.attempted("unknown", 1, "no");
      ledger.dead("unknown", 1, "no");
      expect(await ledger.take(messageOf("unknown"))).toBe(true);
      ledger.delivered("unknown", 1);
      ledger.dead("unknown", 2, "too late");
      ledger.attempted("unknown", 2, "too late");
      expect(await ledger.deadLetters()).toEqual([]);
      expect(await ledger.take(messageOf("unknown"))).toBe(false);
    });

    it("claims nothing of its own", async () => {
      await ledger.take(messageOf("a"));
      expect(await ledger.claim()).toEqual([]);
    });

    it("keeps cursors by any name", async () => {
      const names = [
        "plain",
        "",
        "with \0 nul",
        "x".repeat(5_000),
        `${"x".repeat(5_000)}y`,
        "agent:main:ключ",
        "half \ud800",
        "half \ud801",
      ];
      for (const name of names) expect(ledger.cursor(name)).toBeUndefined();
      for (const [index, name] of names.entries()) ledger.setCursor(name, `${index}`);
      expect(names.map((name) => ledger.cursor(name))).toEqual(names.map((_, index) => `${index}`));
      await ledger.flush();
      expect(names.map((name) => ledger.cursor(name))).toEqual(names.map((_, index) => `${index}`));
      ledger.setCursor("plain", "newer");
      ledger.setCursor("plain", "newest");
      expect(ledger.cursor("plain")).toBe("newest");
      await ledger.flush();
      expect(ledger.cursor("plain")).toBe("newest");
    });

    it("knows messages by any id", async () => {
      const ids = [
        " ",
        "with \0 nul",
        "x".repeat(5_000),
        `${"x".repeat(5_000)}y`,
        "half \ud800",
        "half \ud801",
        "=a",
        "#a",
        "a",
      ];
      for (const id of ids) expect(await ledger.take(messageOf(id))).toBe(true);
      for (const id of ids) expect(await ledger.take(messageOf(id))).toBe(false);
      for (const id of ids) ledger.dead(id, 1, "no");
      expect(new Set((await ledger.deadLetters()).map(({ message }) => message.id))).toEqual(new Set(ids));
    });

    it("gives a message back as it was taken", async () => {
      const message = messageOf("a", {
        owner: "alice",
        text: `\0 "quoted" half \ud800 🎉 ${"long ".repeat(100_000)}`,
        session: { deep: [{ er: null }] },
      });
      await ledger.take(message);
      ledger.dead("a", 1, "no");
      expect((await ledger.deadLetters())[0]?.message).toEqual(message);
    });

    it("can be flushed and closed more than once", async () => {
      await ledger.take(messageOf("a"));
      await Promise.all([ledger.flush(), ledger.flush()]);
      await Promise.all([ledger.close(), ledger.close()]);
      await ledger.close();
    });
  });
}
