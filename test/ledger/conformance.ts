import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InboxError } from "../../src/errors.ts";
import type { Ledger, LedgerEntry } from "../../src/ledger/ledger.ts";
import { createTestClock, type TestClock } from "../../src/testing/clock.ts";
import { messageOf } from "../helpers/message.ts";

/** How the suite makes the ledgers under test. */
export interface LedgerMaker {
  readonly name: string;
  /**
   * A ledger that remembers delivered ids and dead letters for `retainMs`. Within a test all that are made share what is
   * behind them; what is behind the first is empty.
   */
  make(clock: TestClock, retainMs: number): Ledger;
  /** Whether two ledgers can share what is behind them. */
  readonly shared: boolean;
  /** Removes what was made, after the ledgers were closed. */
  cleanUp?(): void | Promise<void>;
}

/** A ledger that was opened, and what it told its host. */
interface Opened {
  readonly ledger: Ledger;
  readonly alarms: (InboxError | undefined)[];
  /** Resolves when the ledger has said since the last call that there may be something to claim. */
  claimable(): Promise<void>;
}

const RETAIN_MS = 86_400_000;
const ALL = 1_000;

const idsOf = (entries: readonly LedgerEntry[]) => entries.map(({ message }) => message.id);
const session = (name: string) => ({ sessionKey: `agent:main:${name}` });

/** What every ledger does, whatever it is made of. */
export function describeLedger({ name, make, shared, cleanUp }: LedgerMaker): void {
  describe(`the ${name} ledger`, () => {
    let clock: TestClock;
    let ledger: Ledger;
    let opened: Opened[];

    async function open(ordering: "session" | "none" = "session"): Promise<Opened> {
      const one = make(clock, RETAIN_MS);
      const alarms: (InboxError | undefined)[] = [];
      let heard = 0;
      let tell = () => {};
      await one.open({
        clock,
        ordering,
        onAlarm: (error) => alarms.push(error),
        onDamage: () => expect.unreachable(),
        onClaimable() {
          heard += 1;
          tell();
        },
      });
      const claimable = async () => {
        while (heard === 0) await new Promise<void>((resolve) => (tell = resolve));
        heard = 0;
      };
      opened.push({ ledger: one, alarms, claimable });
      return opened.at(-1) as Opened;
    }

    async function forget(ms: number): Promise<void> {
      clock.advance(ms);
      await ledger.flush();
    }

    beforeEach(async () => {
      clock = createTestClock(1_700_000_000_000);
      opened = [];
      ({ ledger } = await open());
    });

    afterEach(async () => {
      for (const one of opened) await one.ledger.close();
      expect(opened.flatMap(({ alarms }) => alarms)).toEqual([]);
      await cleanUp?.();
    });

    it("takes a message once", async () => {
      expect(await ledger.take(messageOf("a"))).toBe("taken");
      expect(await ledger.take(messageOf("a"))).toBe("known");
      expect(await ledger.take(messageOf("b"))).toBe("taken");
    });

    it("takes one of many equal messages that come at once", async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => ledger.take(messageOf("a"))));
      expect(answers.filter((answer) => answer === "taken")).toHaveLength(1);
    });

    it("takes messages before it is open", async () => {
      const early = make(clock, RETAIN_MS);
      const opening = early.open({ clock, ordering: "session", onAlarm() {}, onDamage() {}, onClaimable() {} });
      expect(await early.take(messageOf("a"))).toBe("taken");
      await opening;
      await early.close();
    });

    it("knows a delivered message", async () => {
      await ledger.take(messageOf("a"));
      ledger.delivered("a", 1);
      expect(await ledger.take(messageOf("a"))).toBe("known");
      await ledger.flush();
      expect(await ledger.take(messageOf("a"))).toBe("known");
    });

    it("forgets a delivered message after the retention time", async () => {
      await ledger.take(messageOf("a"));
      ledger.delivered("a", 1);
      await ledger.flush();
      await forget(RETAIN_MS - 120_000);
      expect(await ledger.take(messageOf("a"))).toBe("known");
      await forget(240_000);
      expect(await ledger.take(messageOf("a"))).toBe("taken");
    });

    it("never forgets a message that is neither delivered nor dead", async () => {
      await ledger.take(messageOf("a"));
      await forget(30 * RETAIN_MS);
      expect(await ledger.take(messageOf("a"))).toBe("known");
    });

    it("keeps a dead letter with message, attempts and error", async () => {
      await ledger.take(messageOf("a"));
      ledger.attempted("a", 1, "no");
      clock.advance(5_000);
      ledger.dead("a", 2, "no again");
      const at = clock.now();
      clock.advance(5_000);
      const letter = { message: messageOf("a"), state: "dead", attempts: 2, error: "no again", at };
      expect(await ledger.deadLetters()).toEqual([letter]);
      expect(await ledger.deadLetter("a")).toEqual(letter);
      expect(await ledger.take(messageOf("a"))).toBe("known");
    });

    it("has no dead letter of another state or id", async () => {
      await ledger.take(messageOf("a"));
      expect(await ledger.deadLetter("a")).toBeUndefined();
      expect(await ledger.deadLetter("unknown")).toBeUndefined();
    });

    it("lists dead letters page by page", async () => {
      const ids = Array.from({ length: 250 }, (_, index) => `id-${index}`);
      for (const id of ids) await ledger.take(messageOf(id));
      for (const id of ids) ledger.dead(id, 1, "no");
      const first = await ledger.deadLetters();
      expect(first).toHaveLength(100);
      const second = await ledger.deadLetters({ limit: 149, after: first.at(-1)?.message.id as string });
      expect(second).toHaveLength(149);
      const third = await ledger.deadLetters({ after: second.at(-1)?.message.id as string });
      expect(idsOf([...first, ...second, ...third])).toEqual(ids);
      expect(await ledger.deadLetters({ after: ids.at(-1) as string })).toEqual([]);
      expect(await ledger.deadLetters({ after: "unknown" })).toEqual([]);
    });

    it("lists dead letters newest first, page by page", async () => {
      const ids = Array.from({ length: 25 }, (_, index) => `id-${index}`);
      for (const id of ids) await ledger.take(messageOf(id));
      for (const id of ids) ledger.dead(id, 1, "no");
      const page = (after?: string) =>
        ledger.deadLetters({ limit: 10, newestFirst: true, ...(after !== undefined && { after }) });
      const first = await page();
      const second = await page("id-15");
      const third = await page("id-5");
      expect([first, second, third].map(({ length }) => length)).toEqual([10, 10, 5]);
      expect(idsOf([...first, ...second, ...third])).toEqual(ids.toReversed());
      expect(await page("id-0")).toEqual([]);
      expect(await page("unknown")).toEqual([]);
    });

    it("lists dead letters as they were taken, however they died", async () => {
      const ids = ["a", "b", "c", "d"];
      for (const id of ids) await ledger.take(messageOf(id));
      for (const id of ["c", "a", "d", "b"]) ledger.dead(id, 1, "no");
      expect(idsOf(await ledger.deadLetters())).toEqual(ids);
      expect(idsOf(await ledger.deadLetters({ newestFirst: true }))).toEqual(ids.toReversed());
    });

    it("continues a list of dead letters after one that is gone", async () => {
      const ids = ["a", "b", "c", "d"];
      for (const id of ids) await ledger.take(messageOf(id));
      for (const id of ids) ledger.dead(id, 1, "no");
      await ledger.flush();
      await ledger.revive("b");
      await ledger.drop("c");
      for (const after of ["b", "c"]) {
        expect(idsOf(await ledger.deadLetters({ after }))).toEqual(["d"]);
        expect(idsOf(await ledger.deadLetters({ after, newestFirst: true }))).toEqual(["a"]);
      }
    });

    it("forgets a dead letter after the retention time", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 1, "no");
      await ledger.flush();
      await forget(RETAIN_MS + 120_000);
      expect(await ledger.deadLetters()).toEqual([]);
    });

    it("revives a dead letter once, with its attempts at 0", async () => {
      const [{ claimable }] = opened as [Opened];
      await ledger.take(messageOf("a"));
      ledger.dead("a", 10, "no");
      expect(await ledger.revive("a")).toBe(true);
      expect(await ledger.revive("a")).toBe(false);
      await claimable();
      expect(await ledger.claim(ALL)).toMatchObject([{ message: messageOf("a"), state: "taken", attempts: 0 }]);
      expect(await ledger.claim(ALL)).toEqual([]);
      expect(await ledger.deadLetters()).toEqual([]);
      ledger.delivered("a", 1);
      expect(await ledger.take(messageOf("a"))).toBe("known");
    });

    it("makes a dead letter of a revived message again", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 10, "no");
      await ledger.revive("a");
      await ledger.claim(ALL);
      ledger.dead("a", 3, "still no");
      expect(await ledger.deadLetters()).toMatchObject([{ attempts: 3, error: "still no" }]);
    });

    it("drops a dead letter and still knows its id", async () => {
      await ledger.take(messageOf("a"));
      ledger.dead("a", 1, "no");
      expect(await ledger.drop("a")).toBe(true);
      expect(await ledger.drop("a")).toBe(false);
      expect(await ledger.deadLetters()).toEqual([]);
      expect(await ledger.revive("a")).toBe(false);
      expect(await ledger.take(messageOf("a"))).toBe("known");
    });

    it("revives and drops only dead letters", async () => {
      await ledger.take(messageOf("taken"));
      await ledger.take(messageOf("delivered"));
      ledger.delivered("delivered", 1);
      for (const id of ["taken", "delivered", "unknown"]) {
        expect(await ledger.revive(id)).toBe(false);
        expect(await ledger.drop(id)).toBe(false);
      }
    });

    it("ignores reports on messages it has not taken or has settled", async () => {
      ledger.delivered("unknown", 1);
      ledger.attempted("unknown", 1, "no");
      ledger.dead("unknown", 1, "no");
      expect(await ledger.take(messageOf("unknown"))).toBe("taken");
      ledger.delivered("unknown", 1);
      ledger.dead("unknown", 2, "too late");
      ledger.attempted("unknown", 2, "too late");
      expect(await ledger.deadLetters()).toEqual([]);
      expect(await ledger.take(messageOf("unknown"))).toBe("known");
    });

    it("claims nothing of its own", async () => {
      await ledger.take(messageOf("a"));
      expect(await ledger.claim(ALL)).toEqual([]);
    });

    it("takes no message whose run is solicited until that expires", async () => {
      const until = clock.now() + 1_000;
      await ledger.solicit("run:a", until);
      await ledger.solicit("run:b", until);
      await ledger.solicit("run:b", until + 1_000);
      clock.advance(999);
      expect(await ledger.take(messageOf("a"))).toBe("solicited");
      expect(await ledger.take(messageOf("a"))).toBe("solicited");
      clock.advance(1);
      expect(await ledger.take(messageOf("a"))).toBe("taken");
      expect(await ledger.take(messageOf("b"))).toBe("solicited");
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
      const values = () => Promise.all(names.map((name) => ledger.cursor(name)));
      expect(await values()).toEqual(names.map(() => undefined));
      for (const [index, name] of names.entries()) ledger.setCursor(name, `${index}`);
      expect(await values()).toEqual(names.map((_, index) => `${index}`));
      await ledger.flush();
      expect(await values()).toEqual(names.map((_, index) => `${index}`));
      ledger.setCursor("plain", "newer");
      ledger.setCursor("plain", "newest");
      expect(await ledger.cursor("plain")).toBe("newest");
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
      for (const id of ids) expect(await ledger.take(messageOf(id))).toBe("taken");
      for (const id of ids) expect(await ledger.take(messageOf(id))).toBe("known");
      for (const id of ids) ledger.dead(id, 1, "no");
      expect(new Set(idsOf(await ledger.deadLetters()))).toEqual(new Set(ids));
    });

    it("gives a message back as it was taken", async () => {
      const message = messageOf("a", {
        owner: "alice",
        text: `\0 "quoted" half \ud800 🎉 ${"long ".repeat(100_000)}`,
        session: { deep: [{ er: null }] },
        attachments: [{ id: "x".repeat(6_000), kind: "image", name: "dot \0\ud800.png", type: "image/png", size: 4 }],
      });
      await ledger.take(message);
      ledger.dead("a", 1, "no");
      expect((await ledger.deadLetter("a"))?.message).toEqual(message);
    });

    it("can be flushed and closed more than once", async () => {
      await ledger.take(messageOf("a"));
      await Promise.all([ledger.flush(), ledger.flush()]);
      await Promise.all([ledger.close(), ledger.close()]);
      await ledger.close();
    });

    if (!shared) return;

    describe("a ledger shared with another inbox", () => {
      it("gives each message to one of them", async () => {
        const { ledger: other } = await open();
        const ids = Array.from({ length: 100 }, (_, index) => `id-${index}`);
        const answers = await Promise.all(
          ids.flatMap((id) => [ledger, other].map((one) => one.take(messageOf(id, session(id))))),
        );
        expect(answers.filter((answer) => answer === "taken")).toHaveLength(100);
        expect(answers.filter((answer) => answer === "known")).toHaveLength(100);
      });

      it("leaves to a living inbox what it has taken", async () => {
        const { ledger: other } = await open();
        await ledger.take(messageOf("a"));
        expect(await other.claim(ALL)).toEqual([]);
      });

      it("hands over and reports what the other gave up, oldest first", async () => {
        const { ledger: other, claimable } = await open();
        const ids = Array.from({ length: 50 }, (_, index) => `id-${index}`);
        for (const id of ids) await ledger.take(messageOf(id));
        ledger.attempted("id-0", 3, "no");
        await ledger.close();
        await claimable();
        const claimed = await other.claim(20);
        expect(claimed[0]).toMatchObject({ message: messageOf("id-0"), state: "taken", attempts: 3, error: "no" });
        const rest = [...(await other.claim(20)), ...(await other.claim(20))];
        expect(idsOf([...claimed, ...rest])).toEqual(ids);
        expect(await other.claim(20)).toEqual([]);
      });

      it("records a message for the inbox that delivers its session", async () => {
        const [first] = opened as [Opened];
        const { ledger: other } = await open();
        expect(await ledger.take(messageOf("a", session("one")))).toBe("taken");
        expect(await other.take(messageOf("b", session("one")))).toBe("elsewhere");
        expect(await other.take(messageOf("c", session("two")))).toBe("taken");
        expect(await other.claim(ALL)).toEqual([]);
        // Not before `b`, which is older.
        expect(await ledger.take(messageOf("d", session("one")))).toBe("elsewhere");
        await first.claimable();
        expect(idsOf(await ledger.claim(ALL))).toEqual(["b", "d"]);
        expect(await ledger.take(messageOf("e", session("one")))).toBe("taken");
      });

      it("lets another deliver a session once all of it is settled", async () => {
        const { ledger: other, claimable } = await open();
        await ledger.take(messageOf("a"));
        expect(await other.take(messageOf("b"))).toBe("elsewhere");
        ledger.dead("a", 1, "no");
        await claimable();
        expect(idsOf(await other.claim(ALL))).toEqual(["b"]);
        other.delivered("b", 1);
        await other.flush();
        expect(await ledger.take(messageOf("c"))).toBe("taken");
      });

      it("keeps no order between messages where none is wanted", async () => {
        const { ledger: other } = await open("none");
        expect(await ledger.take(messageOf("a"))).toBe("taken");
        expect(await other.take(messageOf("b"))).toBe("taken");
      });

      it("gives each of many to one in order when two claim at once", async () => {
        const { ledger: other } = await open();
        const { ledger: third } = await open();
        const ids = Array.from({ length: 200 }, (_, index) => `id-${String(index).padStart(3, "0")}`);
        for (const [index, id] of ids.entries()) await ledger.take(messageOf(id, session(String(index % 20))));
        await ledger.close();
        const got: Record<"other" | "third", string[]> = { other: [], third: [] };
        const drain = async (name: "other" | "third", one: Ledger) => {
          for (let page = await one.claim(7); page.length > 0; page = await one.claim(7))
            got[name].push(...idsOf(page));
        };
        await Promise.all([drain("other", other), drain("third", third)]);
        expect([...got.other, ...got.third].sort()).toEqual(ids);
        for (const list of [got.other, got.third]) {
          for (let one = 0; one < 20; one += 1) {
            const ofSession = list.filter((id) => Number(id.slice(3)) % 20 === one);
            expect([0, 10]).toContain(ofSession.length);
            expect(ofSession).toEqual([...ofSession].sort());
          }
        }
      });

      it("gives the other what one revives", async () => {
        const { ledger: other, claimable } = await open();
        await ledger.take(messageOf("a"));
        ledger.dead("a", 10, "no");
        await ledger.flush();
        expect(idsOf(await other.deadLetters())).toEqual(["a"]);
        expect(await ledger.revive("a")).toBe(true);
        await claimable();
        expect(idsOf(await other.claim(ALL))).toEqual(["a"]);
        expect(await ledger.claim(ALL)).toEqual([]);
      });

      it("knows what the other solicited", async () => {
        const { ledger: other } = await open();
        await ledger.solicit("run:a", clock.now() + 1_000);
        expect(await other.take(messageOf("a"))).toBe("solicited");
      });

      it("knows the other's cursors", async () => {
        const { ledger: other } = await open();
        ledger.setCursor("name", "value");
        await ledger.flush();
        expect(await other.cursor("name")).toBe("value");
      });
    });
  });
}
