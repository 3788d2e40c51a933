import type { Subscriber } from "rxjs";
import { Observable } from "rxjs/internal/Observable";

/**
 * Tells many subscribers the same, as a `Subject` does: for what is told thousands of times a second,
 * since a `Subject` makes a closure and an iterator for each value.
 */
export class Feed<T> {
  private subscribers: readonly Subscriber<T>[] = [];
  private completed = false;
  private readonly first: () => Iterable<T>;

  /** `first`: what each subscriber is told before anything else; nothing by default. */
  constructor(first: () => Iterable<T> = () => []) {
    this.first = first;
  }

  readonly values$ = new Observable<T>((subscriber) => {
    if (this.completed) return subscriber.complete();
    for (const value of this.first()) subscriber.next(value);
    this.subscribers = [...this.subscribers, subscriber];
    return () => {
      this.subscribers = this.subscribers.filter((one) => one !== subscriber);
    };
  });

  /** Whether anyone would hear of a value. */
  get observed(): boolean {
    return this.subscribers.length > 0;
  }

  next(value: T): void {
    for (const subscriber of this.subscribers) subscriber.next(value);
  }

  complete(): void {
    this.completed = true;
    for (const subscriber of this.subscribers) subscriber.complete();
  }
}
