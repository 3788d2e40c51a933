import { createContext, runInContext } from "node:vm";

/** A random number generator with a seed (mulberry32): the same numbers each time. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const makeForeign = runInContext(
  '() => ({ type: "text", text: "foreign", content: [{ type: "text", text: "foreign" }] })',
  createContext({}),
) as () => unknown;
const boom = () => {
  throw new Error("hostile");
};

function throwingProxy(target: object): object {
  return new Proxy(target, {
    get: boom,
    has: boom,
    ownKeys: boom,
    getOwnPropertyDescriptor: boom,
    getPrototypeOf: boom,
    set: boom,
  });
}

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function nested(depth: number, asArray: boolean): unknown {
  let value: unknown = "x";
  for (let i = 0; i < depth; i++) value = asArray ? [value] : { content: value };
  return value;
}

const deep = [2, 50, 20_000].flatMap((depth) => [nested(depth, true), nested(depth, false)]);

function cyclic(): object {
  const object: Record<string, unknown> = { type: "text", text: "round" };
  object["content"] = [object];
  object["message"] = object;
  return object;
}

class Odd {
  type = "text";
  get text(): string {
    return "of a class";
  }
}

class OddArray extends Array {
  override [Symbol.iterator](): never {
    return boom();
  }
}

/** Makers of values that no JSON holds, or that JSON holds and no Gateway sends. */
const values: readonly ((pick: <T>(of: readonly T[]) => T) => unknown)[] = [
  () => undefined,
  () => null,
  () => 5n,
  () => Symbol("hostile"),
  () => boom,
  () => Number.NaN,
  () => Number.NEGATIVE_INFINITY,
  () => 2 ** 53,
  () => true,
  () => "",
  () => "\ud800\u0000",
  () => "x".repeat(2_000),
  () => Object("a string object"),
  () => new Date(Number.NaN),
  () => new Map([["type", "text"]]),
  () => new Uint8Array(8),
  () => Promise.resolve(),
  () => [],
  () => Object.assign(new Array(3), { 2: { type: "text", text: "hole" } }),
  () => new Array(4_294_967_295),
  () => OddArray.of({ type: "text", text: "odd" }),
  () => new Odd(),
  () => Object.freeze(Object.assign(Object.create(null), { type: "text", text: "bare" })),
  makeForeign,
  () => ({ toString: boom, toJSON: boom, valueOf: boom, [Symbol.toPrimitive]: boom }),
  (pick) => throwingProxy(pick([{}, [], boom])),
  (pick) => revoked(pick([{}, []])),
  () => new Proxy([], { get: (_, name) => (name === "length" ? 1e15 : { type: "text", text: "x" }) }),
  () => new Proxy({}, { get: (_, name) => (name === "then" ? boom : new Proxy({}, {})) }),
  (pick) => pick(deep),
  () => cyclic(),
  () => Object.defineProperty([], 0, { get: boom }),
  () => Object.defineProperty({ type: "text" }, "text", { get: boom }),
  () => Object.create({ type: "text", text: "inherited" }),
];

const IDS = ["r1", "r2", "r3", "r4", "r5"];
const KEYS = ["agent:main:main", "agent:main:collavre:1:creative:2", "agent:main:subagent:x"];
const STATES = ["delta", "delta", "delta", "final", "error", "aborted", "status", "unheard-of"];

/** Makes chat events, most of them with something in them that no Gateway sends. */
export function createHostileEvents(random: () => number) {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const strange = () => pick(values)(pick);

  function event(): Record<string, unknown> {
    const block = { type: "text", text: pick(["Hi", " ", "words"]) };
    return {
      runId: pick(IDS),
      state: pick(STATES),
      seq: Math.floor(random() * 1e6),
      sessionKey: pick(KEYS),
      message: { role: "assistant", content: pick<unknown>(["Hi", [block], [block, { type: "image" }, block]]) },
      deltaText: pick(["Hi", "", undefined]),
    };
  }

  /** Changes one field of `object`, or of an object in it. */
  function mutate(object: Record<string, unknown>): void {
    const name = pick([...Object.keys(object), "spawnedBy", "errorMessage", "errorKind", "replace", "content"]);
    const inner = Object.getOwnPropertyDescriptor(object, name)?.value as unknown;
    if (typeof inner === "object" && inner !== null && random() < 0.6) {
      return mutate(inner as Record<string, unknown>);
    }
    const value = strange();
    const how = random();
    if (how < 0.6) return void Reflect.set(object, name, value);
    // A getter that throws, or that answers something else each time.
    const get = how < 0.8 ? boom : () => (random() < 0.5 ? inner : strange());
    Reflect.defineProperty(object, name, { get, enumerable: true, configurable: true });
  }

  return {
    payload(): unknown {
      const how = random();
      if (how < 0.1) return event();
      if (how < 0.15) return strange();
      const base = event();
      try {
        for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) mutate(base);
      } catch {
        // One of the changes was to something hostile: it is hostile enough.
      }
      if (how < 0.2) return throwingProxy(base);
      if (how < 0.3) return Object.create(base);
      return how < 0.4 ? Object.create(null, Object.getOwnPropertyDescriptors(base)) : base;
    },
    strange,
    /** One of each value. */
    everyStrange: () => values.map((make) => make(pick)),
  };
}
