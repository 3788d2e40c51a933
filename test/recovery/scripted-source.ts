import type { Source, SourceListener } from "../../src/source/source.ts";
import { turn } from "../helpers/turns.ts";

export type Params = Readonly<Record<string, unknown>>;

/** A source without a socket, whose Gateway answers as scripted. */
export interface ScriptedSource extends Source {
  /** What was asked: method and parameters. */
  readonly asked: (readonly [string, Params])[];
  /** Has one method answered by `answer` from now on. */
  respond(method: string, answer: (params: Params) => unknown): void;
  /** Sends an event. */
  event(event: string, payload: object): void;
  cut(): void;
  /** Loses the connection and gets a new hello. */
  comeBack(): void;
}

/** `hello`: the Gateway's `hello-ok` payload. */
export function scriptedSource(
  name: string,
  answer: (method: string, params: Params) => unknown,
  hello: object = {},
): ScriptedSource {
  let listener: SourceListener | undefined;
  const own = new Map<string, (params: Params) => unknown>();
  const asked: (readonly [string, Params])[] = [];
  const accept = () => {
    listener?.link({ type: "connect" });
    listener?.link({ type: "hello", hello });
  };
  return {
    name,
    asked,
    open(opened) {
      listener = opened;
      accept();
    },
    close: async () => {
      listener = undefined;
    },
    request: async (method, params) => {
      asked.push([method, params as Params]);
      // As from a socket, the answer comes in a later turn.
      await turn();
      return (own.get(method) ?? ((given) => answer(method, given)))(params as Params);
    },
    respond: (method, how) => own.set(method, how),
    event: (event, payload) => listener?.frame({ type: "event", event, payload }),
    cut: () => listener?.link({ type: "lost", reason: "cut by the test" }),
    comeBack() {
      listener?.link({ type: "lost", reason: "cut by the test" });
      accept();
    },
  };
}
