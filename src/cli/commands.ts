import type { Command } from "./command.ts";

/** A command by its line in the help; its code is loaded when it is called for. */
interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** The commands by name, in the order of the help. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  demo: {
    summary: "play recordings of a real Gateway, and print what comes of them",
    load: async () => (await import("./demo.ts")).demo,
  },
};
