/** Chance that can be had again: the same seed gives the same numbers in the same order. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer from 0 to `below - 1`. */
  below(below: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Chance of its own for one part, so that one part's draws do not shift another's. */
  fork(part: string): Random;
}

/** Chance by `seed`, an integer. (mulberry32.) */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const random: Random = {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    },
    below: (below) => Math.floor(random.next() * below),
    chance: (probability) => random.next() < probability,
    pick: (from) => from[random.below(from.length)] as (typeof from)[number],
    fork: (part) => createRandom(hashOf(`${seed} ${part}`)),
  };
  return random;
}

/** A 32-bit number for a text. (FNV-1a.) */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
