import { InboxError } from "../errors.ts";

interface Waiting<T> {
  readonly matches: (value: T) => boolean;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Something that tests can wait for without sleeping. */
export interface Happening<T> {
  /** The next one that `matches` accepts (default: any). Rejects when the Gateway is closed first. */
  next(matches?: (value: T) => boolean): Promise<T>;
  happened(value: T): void;
  /** Rejects every promise that waits. */
  end(): void;
}

/** A {@link Happening} that is called `what` in errors. */
export function createHappening<T>(what: string): Happening<T> {
  let waiting: Waiting<T>[] = [];
  return {
    next(matches = () => true) {
      const promise = new Promise<T>((resolve, reject) => waiting.push({ matches, resolve, reject }));
      // A test that failed before it awaited this must not end the process.
      promise.catch(() => {});
      return promise;
    },
    happened(value) {
      const met = waiting.filter(({ matches }) => matches(value));
      if (met.length === 0) return;
      waiting = waiting.filter((one) => !met.includes(one));
      for (const { resolve } of met) resolve(value);
    },
    end() {
      const left = waiting;
      waiting = [];
      const error = new InboxError("ERR_INBOX_STOPPED", `The fake Gateway was closed before ${what}`);
      for (const { reject } of left) reject(error);
    },
  };
}
