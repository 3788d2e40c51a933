/** One timer. `at` is in ms since the epoch; of equal times, the lower `order` comes first. */
export interface Timer {
  readonly at: number;
  readonly order: number;
  callback: () => void;
  /** A cleared timer stays until it is at the top or too many have gathered: taking it out would need a search. */
  cleared: boolean;
}

/** Timers by due time, in a binary heap. Adding and taking cost O(log n). */
export interface TimerHeap {
  add(timer: Timer): void;
  clear(timer: Timer): void;
  /** The next timer that is not cleared. */
  peek(): Timer | undefined;
  /** Removes the timer that `peek` returns. */
  take(): Timer | undefined;
}

/** An empty {@link TimerHeap}. */
export function createTimerHeap(): TimerHeap {
  let heap: Timer[] = [];
  let cleared = 0;

  function rise(from: number): void {
    const timer = heap[from] as Timer;
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      if (!isBefore(timer, heap[above] as Timer)) break;
      heap[index] = heap[above] as Timer;
      index = above;
    }
    heap[index] = timer;
  }

  function sink(timer: Timer): void {
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Timer)) child += 1;
      if (!isBefore(heap[child] as Timer, timer)) break;
      heap[index] = heap[child] as Timer;
      index = child;
    }
    heap[index] = timer;
  }

  function pop(): Timer | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) sink(last);
    return first;
  }

  function peek(): Timer | undefined {
    while (heap[0]?.cleared === true) {
      pop();
      cleared -= 1;
    }
    return heap[0];
  }

  return {
    add(timer) {
      heap.push(timer);
      rise(heap.length - 1);
    },
    clear(timer) {
      timer.cleared = true;
      // The timer stays for a while; what its callback holds must not.
      timer.callback = nothing;
      cleared += 1;
      if (cleared < 1_024 || cleared * 2 < heap.length) return;
      // A sorted array is a heap.
      heap = heap.filter((waiting) => !waiting.cleared).sort((a, b) => (isBefore(a, b) ? -1 : 1));
      cleared = 0;
    },
    peek,
    take: () => (peek() === undefined ? undefined : pop()),
  };
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function nothing(): void {}
