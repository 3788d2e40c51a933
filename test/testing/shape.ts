/** What values of one kind look like: their types, and for objects and arrays what is in them. */
export interface Shape {
  readonly types: Set<string>;
  /** By key; an array's elements are under `[]`. */
  readonly fields: Map<string, Shape>;
  /** The keys that every sample had. */
  readonly always: Set<string>;
}

/** The shape that all `samples` have in common, and all that any of them adds. */
export function shapeOf(samples: readonly unknown[]): Shape {
  const types = new Set(samples.map(typeOf));
  const objects = samples
    .filter((sample) => typeOf(sample) === "object")
    .map((sample) => sample as Record<string, unknown>);
  const keys = new Set(objects.flatMap(Object.keys));
  const fields = new Map([...keys].map((key) => [key, shapeOf(objects.filter((o) => key in o).map((o) => o[key]))]));
  const elements = samples.filter(Array.isArray).flat();
  if (elements.length > 0) fields.set("[]", shapeOf(elements));
  return { types, fields, always: new Set([...keys].filter((key) => objects.every((object) => key in object))) };
}

/**
 * Where `value` differs from `shape`: a key that every sample has and it has not, one that no sample
 * has, a type that no sample has. Beneath the paths in `opaque` nothing is compared.
 */
export function differences(
  value: unknown,
  shape: Shape,
  opaque: readonly string[] = [],
  path = "",
): readonly string[] {
  if (opaque.includes(path)) return [];
  const type = typeOf(value);
  if (!shape.types.has(type)) return [`${path || "."} is ${type}, not ${[...shape.types].join(" or ")}`];
  const inner = (key: string, field: unknown) => {
    const expected = shape.fields.get(key);
    const at = path === "" ? key : `${path}.${key}`;
    return expected === undefined ? [`${at} is not on the wire`] : differences(field, expected, opaque, at);
  };
  if (type === "array")
    return shape.fields.has("[]") ? (value as unknown[]).flatMap((element) => inner("[]", element)) : [];
  if (type !== "object") return [];
  const object = value as Record<string, unknown>;
  const missing = [...shape.always]
    .filter((key) => !(key in object))
    .map((key) => `${path === "" ? key : `${path}.${key}`} is missing`);
  return [...missing, ...Object.entries(object).flatMap(([key, field]) => inner(key, field))];
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
