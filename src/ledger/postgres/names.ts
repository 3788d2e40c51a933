import { createHash } from "node:crypto";
import { optionError } from "../../errors.ts";

/** Names and numbers that belong to one schema. */
export interface Names {
  /** As it was given, for sentences. */
  readonly schema: string;
  /** The schema as an SQL identifier. */
  readonly quoted: string;
  /** Put before each table and function: the schema and a dot. */
  readonly prefix: string;
  /** The channel of its notifications. */
  readonly channel: string;
  /** What quotes a function's body: no name holds a hash of itself. */
  readonly tag: string;
  /** The first key of the advisory locks by which instances show that they live; the second is the instance's id. */
  readonly lifeKey: number;
  /** The first key of the advisory locks on lanes; the second is one of 128 groups of lanes. */
  readonly laneKey: number;
  /** The first key of the advisory lock under which the schema is made and migrated; the second is 0. */
  readonly schemaKey: number;
}

/** Postgres cuts longer names, so that two schemas could become one. */
const MAX_NAME_BYTES = 63;

/**
 * What belongs to the schema of this name.
 *
 * @throws {InboxError} `ERR_INBOX_OPTION` when it cannot be a schema's name.
 */
export function namesOf(schema: string): Names {
  const fits =
    typeof schema === "string" &&
    schema !== "" &&
    !schema.includes("\0") &&
    schema.isWellFormed() &&
    Buffer.byteLength(schema) <= MAX_NAME_BYTES &&
    !schema.startsWith("pg_");
  if (!fits)
    throw optionError("schema", `a name of 1 to ${MAX_NAME_BYTES} bytes that does not begin with \`pg_\``, schema);
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  const hash = createHash("sha256").update(`openclaw-inbox ${schema}`).digest();
  // Positive, since Postgres shows the keys of its locks without a sign.
  const key = (at: number) => hash.readUInt32BE(at) & 0x7fff_ffff;
  return {
    schema,
    quoted,
    prefix: `${quoted}.`,
    channel: `openclaw_inbox_${hash.toString("hex", 12, 20)}`,
    tag: `$inbox_${hash.toString("hex", 20, 28)}$`,
    lifeKey: key(0),
    laneKey: key(4),
    schemaKey: key(8),
  };
}
