import { describe, expect, it } from "vitest";
import { Feed } from "../../src/kit/feed.ts";

describe("a feed", () => {
  it("gives every subscriber each value from its subscription on", () => {
    const feed = new Feed<number>();
    const heard: string[] = [];
    expect(feed.observed).toBe(false);
    const first = feed.values$.subscribe((value) => heard.push(`first ${value}`));
    feed.next(1);
    feed.values$.subscribe((value) => heard.push(`second ${value}`));
    feed.next(2);
    first.unsubscribe();
    feed.next(3);
    expect(heard).toEqual(["first 1", "first 2", "second 2", "second 3"]);
    expect(feed.observed).toBe(true);
  });

  it("begins with the current values for each subscriber", () => {
    const first: number[] = [];
    const feed = new Feed<number>(() => first);
    const heard: string[] = [];
    feed.values$.subscribe((value) => heard.push(`first ${value}`));
    first.push(1, 2);
    feed.values$.subscribe((value) => heard.push(`second ${value}`));
    feed.next(3);
    expect(heard).toEqual(["second 1", "second 2", "first 3", "second 3"]);
  });

  it("gives a value to those who were subscribed when it came", () => {
    const feed = new Feed<number>();
    const heard: string[] = [];
    const first = feed.values$.subscribe((value) => {
      heard.push(`first ${value}`);
      first.unsubscribe();
      feed.values$.subscribe((later) => heard.push(`third ${later}`));
    });
    feed.values$.subscribe((value) => heard.push(`second ${value}`));
    feed.next(1);
    feed.next(2);
    expect(heard).toEqual(["first 1", "second 1", "second 2", "third 2"]);
  });

  it("completes present and later subscribers", () => {
    const feed = new Feed<number>();
    const heard: string[] = [];
    const observer = (name: string) => ({
      next: (value: number) => heard.push(`${name} ${value}`),
      complete: () => heard.push(`${name} done`),
    });
    feed.values$.subscribe(observer("first"));
    feed.complete();
    feed.next(1);
    feed.values$.subscribe(observer("second"));
    expect(heard).toEqual(["first done", "second done"]);
    expect(feed.observed).toBe(false);
  });
});
