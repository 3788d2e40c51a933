import type { PoolClient } from "pg";
import { InboxError } from "../../errors.ts";

/** A client for a handler: for one transaction, which the handler may not end. */
export interface GuardedClient {
  readonly client: PoolClient;
  /** How many of its queries are in progress. */
  readonly running: number;
  /** Refuses every query from now on. */
  revoke(): void;
}

/** Words that begin a statement which would end or begin a transaction. `rollback to` a savepoint is allowed. */
const TRANSACTION_WORDS =
  /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|;)*(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!(\s+work|\s+transaction)?\s+to\b))\b/i;

/** Methods that only the owner of the client may call. */
const NOT_YOURS: ReadonlySet<string | symbol> = new Set(["release", "end", "connect"]);

/** Wraps `client` for a handler. */
export function guard(client: PoolClient): GuardedClient {
  let running = 0;
  let isRevoked = false;
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;

  function guardedQuery(...args: unknown[]): unknown {
    const refusal = refusalOf(args[0]);
    const callback = args.findLast((arg) => typeof arg === "function") as ((error: unknown) => void) | undefined;
    if (refusal !== undefined) {
      if (callback === undefined) return rejected(refusal);
      return void process.nextTick(callback, refusal);
    }
    running += 1;
    const done = () => {
      running -= 1;
    };
    if (callback !== undefined) {
      const wrapped = (...results: unknown[]) => {
        done();
        (callback as (...all: unknown[]) => void)(...results);
      };
      return query(...args.map((arg) => (arg === callback ? wrapped : arg)));
    }
    const answer = query(...args);
    // A cursor or a stream is read by its own methods. The end of the transaction waits for it.
    if (typeof (answer as Partial<PromiseLike<unknown>>)?.then !== "function") {
      done();
      return answer;
    }
    void (answer as PromiseLike<unknown>).then(done, done);
    return answer;
  }

  function refusalOf(first: unknown): InboxError | undefined {
    if (isRevoked)
      return misuse(
        "The transaction of this attempt is over: `client` is of no use after the handler has returned or was aborted",
      );
    const text = typeof first === "string" ? first : (first as { readonly text?: unknown } | null)?.text;
    const word = typeof text === "string" ? TRANSACTION_WORDS.exec(text)?.[1] : undefined;
    if (word === undefined) return undefined;
    return misuse(`\`${word}\` is not for the handler: the transaction ends with it. Use a savepoint`);
  }

  const guarded = new Proxy(client, {
    get(target, name) {
      if (name === "query") return guardedQuery;
      if (NOT_YOURS.has(name))
        return () => {
          throw misuse(
            `\`client.${String(name)}()\` is not for the handler: the ledger took the client and gives it back`,
          );
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    client: guarded,
    get running() {
      return running;
    },
    revoke() {
      isRevoked = true;
    },
  };
}

/** The error for a forbidden use of the client by the handler. */
export function misuse(text: string): InboxError {
  return new InboxError("ERR_INBOX_TRANSACTION", text);
}

/** A rejection that does not end the process when nobody handles it. */
function rejected(error: unknown): Promise<never> {
  const answer = Promise.reject(error);
  answer.catch(() => {});
  return answer;
}
