import { assertKnownKeys, InboxError, optionError } from "../errors.ts";
import { type Clock, MAX_DELAY_MS } from "../kit/clock.ts";
import { deadline, orAborted } from "../kit/deadline.ts";
import { type AttachmentPlace, readAttachmentId } from "../protocol/attachments.ts";
import { fields, readId } from "../protocol/fields.ts";
import { tooLarge } from "./request-error.ts";
import type { Source } from "./source.ts";

/** Limits of one download. */
export interface DownloadOptions {
  /** The most bytes, an integer from 1. Default 33,554,432 (32 MiB). */
  readonly maxBytes?: number;
  /** How long it may take, in ms, 1 to 2,147,483,647. Default 60,000. */
  readonly timeoutMs?: number;
  /** Aborting it ends the download. */
  readonly signal?: AbortSignal;
}

/** What {@link download} needs. */
export interface DownloadSettings {
  readonly sources: readonly Pick<Source, "name" | "request" | "download">[];
  readonly clock: Clock;
  /** Aborted when the inbox stops. */
  readonly signal: AbortSignal;
}

type Asking = Required<Pick<Source, "name" | "request">> & Pick<Source, "download">;

/** Reads the bytes of an attachment by its id. */
export async function download(
  id: string,
  options: DownloadOptions,
  { sources, clock, signal: life }: DownloadSettings,
): Promise<Uint8Array> {
  const { maxBytes, timeoutMs, signal: given } = check(options);
  const place = readAttachmentId(id);
  if (place === undefined) throw optionError("id", "the `id` of an attachment", typeof id);
  const { gateway } = place;
  const source = sources.find((one): one is Asking => one.name === gateway && one.request !== undefined);
  if (source === undefined) {
    const words = `This inbox has no connection to the Gateway "${gateway}" that can ask.`;
    throw new InboxError("ERR_INBOX_NO_LINK", words, { gateway });
  }
  const words = `The Gateway "${gateway}" did not give out the file within ${timeoutMs} ms.`;
  const reason = () => new InboxError("ERR_INBOX_REQUEST", words, { gateway, timeoutMs });
  const signal = given === undefined ? life : AbortSignal.any([given, life]);
  const limit = deadline({ clock, ms: timeoutMs, reason, signal, keepAlive: true });
  try {
    return await orAborted(read(source, place, maxBytes, limit.signal), limit.signal);
  } finally {
    limit.release();
  }
}

async function read(
  source: Asking,
  place: AttachmentPlace,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { name: gateway, request } = source;
  const { sessionKey, agentId } = place;
  const session = { sessionKey, ...(agentId !== undefined && { agentId }) };
  const artifactId = place.artifactId ?? (await find(source, place, session, signal));
  const answer = fields(await request("artifacts.download", { ...session, artifactId }, { signal }));
  const { data, url } = answer;
  if (Number(fields(answer["artifact"])["sizeBytes"]) > maxBytes) throw tooLarge(gateway, maxBytes);
  if (typeof data === "string") {
    // Four characters of base64 are three bytes. The last two bytes may be padding.
    const bytes = data.length * 0.75 - 2 > maxBytes ? undefined : new Uint8Array(Buffer.from(data, "base64"));
    if (bytes === undefined || bytes.length > maxBytes) throw tooLarge(gateway, maxBytes);
    return bytes;
  }
  if (typeof url !== "string")
    throw new InboxError("ERR_INBOX_REQUEST", `The Gateway "${gateway}" gave no file.`, { gateway });
  if (source.download !== undefined) return source.download(url, { maxBytes, signal });
  const words = `The Gateway "${gateway}" gives the file out over HTTP, and a socket of the host's own has no address for that.`;
  throw new InboxError("ERR_INBOX_REQUEST", words, { gateway });
}

/** Finds the id of a file that is only in the Gateway's list of artifacts. */
async function find(
  { name: gateway, request }: Asking,
  { runId, kind, name, nth = 0 }: AttachmentPlace,
  session: object,
  signal: AbortSignal,
): Promise<string> {
  const { artifacts } = fields(await request("artifacts.list", { ...session, runId }, { signal }));
  const ids = (Array.isArray(artifacts) ? artifacts : []).flatMap((artifact) => {
    const { id, type, title } = fields(artifact);
    // The name decides, because the Gateway calls every attachment a file.
    const isLike = name === undefined ? type === kind : String(title).split(/[\\/]/).at(-1) === name;
    return isLike ? (readId(id) ?? []) : [];
  });
  const found = ids[nth];
  if (found !== undefined) return found;
  throw new InboxError("ERR_INBOX_REQUEST", `The Gateway "${gateway}" has the file no more.`, { gateway, runId });
}

function check(options: DownloadOptions) {
  assertKnownKeys("download()", options, ["maxBytes", "timeoutMs", "signal"]);
  const { maxBytes = 33_554_432, timeoutMs = 60_000, signal } = options;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) throw optionError("maxBytes", "an integer >= 1", maxBytes);
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 1) || timeoutMs > MAX_DELAY_MS)
    throw optionError("timeoutMs", `a number from 1 to ${MAX_DELAY_MS}`, timeoutMs);
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw optionError("signal", "an AbortSignal", signal);
  signal?.throwIfAborted();
  return { maxBytes, timeoutMs, signal };
}
