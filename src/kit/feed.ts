import type { Subscriber } from "rxjs";
import { Observable } from "rxjs/internal/Observable";

/**
 * Sends each value to many subscribers, as a `Subject` does. Meant for thousands of values a second: a `Subject` makes
 * a closure and an iterator for each.
 */
export class Feed<T> {
  private subscribers: readonly Subscriber<T>[] = [];
  private completed = false;
  private readonly first: () => Iterable<T>;

  /** `first` returns what each new subscriber is sent before anything else. Default: nothing. */
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

  /** Whether there is a subscriber. */
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
