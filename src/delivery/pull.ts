import type { ProactiveMessage } from "../types.ts";
import type { Deliver } from "./deliver.ts";

/** A message, and how its attempt is ended. */
interface Offer {
  readonly message: ProactiveMessage;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Delivery for hosts that ask for the next message themselves. A message is delivered when the loop that has it asks
 * for the next. While there is no loop, each message counts as delivered.
 */
export class Pull {
  private readonly offers: Offer[] = [];
  /** The loops that wait for a message. */
  private readonly waiting: ((offer: Offer | undefined) => void)[] = [];
  private readers = 0;
  private isOver = false;

  /** The handler. It is called for one message at a time. */
  readonly deliver: Deliver = (message, { signal }) => {
    if (this.readers === 0) return;
    return new Promise<void>((resolve, reject) => {
      const offer: Offer = { message, done: resolve, failed: reject };
      signal.addEventListener("abort", () => this.withdraw(offer), { once: true });
      const next = this.waiting.shift();
      if (next === undefined) this.offers.push(offer);
      else next(offer);
    });
  };

  /** Every message from now on, until the inbox is stopped. */
  messages(): AsyncIterableIterator<ProactiveMessage> {
    this.readers += 1;
    let current: Offer | undefined;
    let isDone = false;
    const end = (): IteratorReturnResult<undefined> => {
      if (!isDone) this.readers -= 1;
      isDone = true;
      // Nobody knows whether the body finished its work, so the message will come again.
      current?.failed(new Error("The loop over messages() was left before its body was done"));
      current = undefined;
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        if (isDone) return { done: true, value: undefined };
        current?.done();
        current = await this.next();
        return current === undefined ? end() : { done: false, value: current.message };
      },
      return: async () => end(),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Ends every loop. */
  stop(): void {
    this.isOver = true;
    for (const next of this.waiting.splice(0)) next(undefined);
  }

  private async next(): Promise<Offer | undefined> {
    const offer = this.offers.shift();
    if (offer !== undefined || this.isOver) return offer;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private withdraw(offer: Offer): void {
    const index = this.offers.indexOf(offer);
    if (index >= 0) this.offers.splice(index, 1);
  }
}
