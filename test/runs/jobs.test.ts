import { describe, expect, it } from "vitest";
import { createInbox } from "../../src/inbox.ts";
import { JobNames } from "../../src/runs/job-names.ts";
import type { ProactiveMessage } from "../../src/types.ts";

describe("the job of a message", () => {
  it.each([
    ["agent:main:cron:job-1", "r", { id: "job-1" }],
    ["agent:main:cron:job-1:run:5", "r", { id: "job-1" }],
    ["agent:main:main", "cron:job-1:1795337816498", { id: "job-1" }],
    ["agent:main:main", "cron:job-1:1795337816498:0b0e", { id: "job-1" }],
    ["agent:main:main", "r", undefined],
    ["agent:main:acme:cron:job-1", "r", undefined],
  ])("is read from %s and the run %s", (sessionKey, runId, job) => {
    const messages: ProactiveMessage[] = [];
    const inbox = createInbox();
    inbox.messages$.subscribe((message) => messages.push(message));
    inbox.handle({ runId, sessionKey, state: "final", message: { role: "assistant", content: "Hello." } });
    expect(messages.map((message) => message.job)).toEqual([job]);
  });
});

describe("the names of jobs", () => {
  it("are kept apart by Gateway", () => {
    const names = new JobNames();
    names.learn("one", { id: "job", name: "Standup" });
    expect(names.named("one", { id: "job" })).toEqual({ id: "job", name: "Standup" });
    expect(names.named("two", { id: "job" })).toEqual({ id: "job" });
  });

  it("are replaced by the name in a prompt", () => {
    const names = new JobNames();
    names.learn("one", { id: "job", name: "New" });
    expect(names.named("one", { id: "job", name: "Old" })).toEqual({ id: "job", name: "Old" });
  });

  it("are 20,000 at most", () => {
    const names = new JobNames();
    for (let id = 0; id <= 20_000; id += 1) names.learn("one", { id: String(id), name: "x" });
    expect(names.named("one", { id: "0" })).toEqual({ id: "0" });
    expect(names.named("one", { id: "1" })).toEqual({ id: "1", name: "x" });
  });
});
