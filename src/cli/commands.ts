import type { Command } from "./command.ts";

/** A command and its line in the help. Its code is loaded only when it is called. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** The commands by name, in the order of the help. */
export const commands: ReadonlyMap<string, CommandEntry> = new Map([
  [
    "demo",
    {
      summary: "play recordings of a real Gateway, and print the messages",
      load: async () => (await import("./commands/demo.ts")).demo,
    },
  ],
  [
    "listen",
    {
      summary: "listen to a Gateway, and print each message or post it",
      load: async () => (await import("./commands/listen.ts")).listen,
    },
  ],
  [
    "pair",
    {
      summary: "pair this host with a Gateway on another machine",
      load: async () => (await import("./commands/pair.ts")).pair,
    },
  ],
  [
    "doctor",
    {
      summary: "check the set-up, and say how to fix what is wrong",
      load: async () => (await import("./commands/doctor.ts")).doctor,
    },
  ],
  [
    "replay",
    {
      summary: "play a recording",
      load: async () => (await import("./commands/replay.ts")).replay,
    },
  ],
  [
    "record",
    {
      summary: "record what a Gateway sends",
      load: async () => (await import("./commands/record.ts")).record,
    },
  ],
  [
    "dead",
    {
      summary: "list, show, retry or drop the messages whose delivery gave up",
      load: async () => (await import("./commands/dead.ts")).dead,
    },
  ],
  [
    "ledger",
    {
      summary: "check a ledger file, copy it, or count what is in it",
      load: async () => (await import("./commands/ledger.ts")).ledger,
    },
  ],
]);
