import type { Attachment } from "../types.ts";
import { fields, readId } from "./fields.ts";

/** An attachment as a row or a final describes it, without the id for a host. */
export interface ToldAttachment extends Omit<Attachment, "id"> {
  /** The Gateway's id of the file. */
  readonly artifactId?: string;
  /** The Gateway has the file, but its id is only in the list of artifacts. */
  readonly isListed?: boolean;
}

/** Where the message was said. An attachment's id holds this. */
export interface SaidAt {
  readonly gateway: string;
  readonly sessionKey: string;
  readonly runId: string;
  /** Set when the key names no agent. */
  readonly agentId?: string | undefined;
}

/** The most attachments of one message, and the most characters of a name. More are left out. */
const MAX_ATTACHMENTS = 100;
const MAX_NAME_CHARS = 255;
/** A frame of the largest size cannot hold more blocks. */
const MAX_BLOCKS = 1_000_000;

/** Blocks that are neither text nor media. */
const NOT_ATTACHED = new Set(
  "text input_text output_text thinking reasoning redacted_thinking toolCall tool_call toolUse tool_use toolResult tool_result".split(
    " ",
  ),
);

const KINDS: ReadonlyMap<string, Attachment["kind"]> = new Map([
  ["image", "image"],
  ["input_image", "image"],
  ["image_url", "image"],
  ["audio", "audio"],
  ["input_audio", "audio"],
  ["video", "video"],
  ["input_video", "video"],
  ["file", "file"],
  ["input_file", "file"],
  ["document", "file"],
]);

/** The blocks of a message's content that are not text: images, files, recordings. Undefined when there is none. */
export function contentAttachments(content: unknown): readonly ToldAttachment[] | undefined {
  if (!Array.isArray(content)) return undefined;
  let found: ToldAttachment[] | undefined;
  for (let i = 0; i < content.length && i < MAX_BLOCKS; i++) {
    const block: unknown = content[i];
    if (typeof block !== "object" || block === null) continue;
    const { type } = block as { type?: unknown };
    if (typeof type !== "string" || NOT_ATTACHED.has(type)) continue;
    found ??= [];
    if (found.length < MAX_ATTACHMENTS) found.push(readBlock(block, type.toLowerCase()));
  }
  return found;
}

function readBlock(block: object, type: string): ToldAttachment {
  const outer = fields(block);
  const inner = fields(outer["attachment"]);
  const { url, openUrl, data, content, mimeType, media_type, sizeBytes, kind } = { ...outer, ...inner };
  const source = fields(outer["source"]);
  const mime = readMime(mimeType ?? media_type ?? source["media_type"] ?? source["mimeType"]);
  const name = readName([
    outer["title"],
    outer["fileName"],
    outer["filename"],
    outer["name"],
    outer["alt"],
    inner["label"],
  ]);
  const size = readSize(sizeBytes ?? source["sizeBytes"]);
  const artifactId = readId(outer["artifactId"]) ?? readId(inner["artifactId"]);
  const isThere = [url, openUrl, data, content, outer["image_url"], outer["audio_url"], outer["source"]].some(Boolean);
  return {
    kind: KINDS.get(type) ?? kindOf(kind, mime, name, type === "attachment" || type === "attachment_error"),
    ...(name !== undefined && { name }),
    ...(mime !== undefined && { type: mime }),
    ...(size !== undefined && { size }),
    // The Gateway could not find or read the file, so it cannot be downloaded.
    ...(type !== "attachment_error" && (artifactId === undefined ? isThere && { isListed: true } : { artifactId })),
  };
}

/** The kind of a block, when its type does not say it: by what the block says, or by its media type. */
function kindOf(kind: unknown, mime = "", name = "", isFile: boolean): Attachment["kind"] {
  const told = typeof kind === "string" ? KINDS.get(kind) : undefined;
  const [family = ""] = mime.split("/");
  return told ?? KINDS.get(family) ?? kindOfName(name) ?? (isFile || mime !== "" ? "file" : "other");
}

/** The files named in the `MEDIA:` lines of a text, or announced by a run. Each reference is a path or an address. */
export function namedAttachments(references: readonly unknown[]): readonly ToldAttachment[] | undefined {
  const found: ToldAttachment[] = [];
  for (let i = 0; i < references.length && found.length < MAX_ATTACHMENTS; i++) {
    const name = readName([references[i]]);
    if (name !== undefined) found.push({ kind: kindOfName(name) ?? "file", name });
  }
  return found.length === 0 ? undefined : found;
}

const ENDINGS: readonly (readonly [Attachment["kind"], RegExp])[] = [
  ["image", /\.(?:png|jpe?g|gif|webp|bmp|svg|avif|heic|heif|tiff?)$/i],
  ["audio", /\.(?:mp3|wav|ogg|oga|opus|m4a|aac|flac|weba)$/i],
  ["video", /\.(?:mp4|m4v|mov|webm|mkv|avi|mpe?g)$/i],
];

function kindOfName(name: string): Attachment["kind"] | undefined {
  return ENDINGS.find(([, ending]) => ending.test(name))?.[0];
}

/** The last part of a path or an address. The rest may show folders of the Gateway's machine, or a ticket after `?`. */
function readName(candidates: readonly unknown[]): string | undefined {
  const told = candidates.find((one) => typeof one === "string" && one.trim() !== "");
  if (typeof told !== "string" || /^data:/i.test(told)) return undefined;
  const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(told);
  const path = isAddress ? told.replace(/[?#].*$/s, "") : told;
  const name = path.split(/[\\/]/).findLast((part) => part.trim() !== "");
  return name?.trim().slice(-MAX_NAME_CHARS).toWellFormed();
}

function readMime(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(value) ? value.toLowerCase() : undefined;
}

function readSize(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** The attachments of a message for the host. Each has an id if the Gateway has the file. */
export function attachmentsOf(told: readonly ToldAttachment[], at: SaidAt): readonly Attachment[] {
  const likes = new Map<string, number>();
  return told.slice(0, MAX_ATTACHMENTS).map(({ artifactId, isListed, ...attachment }) => {
    const { kind, name } = attachment;
    const like = `${kind} ${name}`;
    const nth = likes.get(like) ?? 0;
    likes.set(like, nth + 1);
    if (artifactId !== undefined) return { id: writeId({ ...at, artifactId }), ...attachment };
    return isListed === true ? { id: writeId({ ...at, kind, name, nth }), ...attachment } : attachment;
  });
}

/** The content of an attachment's id: where the Gateway has the file. */
export interface AttachmentPlace extends SaidAt {
  readonly artifactId?: string | undefined;
  /** Used without an `artifactId`: which of the run's artifacts with this kind and name it is, the `nth` from 0. */
  readonly kind?: Attachment["kind"] | undefined;
  readonly name?: string | undefined;
  readonly nth?: number | undefined;
}

/** Longer than every id that is made here. */
const MAX_WRITTEN_CHARS = 65_536;

function writeId({ gateway, sessionKey, runId, agentId, artifactId, kind, name, nth }: AttachmentPlace): string {
  const agent = /^agent:/i.test(sessionKey) ? null : (agentId ?? null);
  const rest = artifactId === undefined ? [null, kind, name ?? null, nth] : [artifactId];
  return Buffer.from(JSON.stringify([gateway, sessionKey, runId, agent, ...rest])).toString("base64url");
}

/** Reads the id of an attachment. Undefined when it is not one. */
export function readAttachmentId(id: unknown): AttachmentPlace | undefined {
  if (typeof id !== "string" || id.length > MAX_WRITTEN_CHARS) return undefined;
  try {
    const [gateway, sessionKey, runId, agent, artifact, kind, name, nth] = JSON.parse(
      Buffer.from(id, "base64url").toString(),
    ) as unknown[];
    const said = { gateway: readId(gateway), sessionKey: readId(sessionKey), runId: readId(runId) };
    if (said.gateway === undefined || said.sessionKey === undefined || said.runId === undefined) return undefined;
    const at = { ...(said as SaidAt), agentId: readId(agent) };
    const artifactId = readId(artifact);
    if (artifactId !== undefined) return { ...at, artifactId };
    if (typeof kind !== "string" || !Number.isSafeInteger(nth)) return undefined;
    const known = typeof name === "string" ? { name } : {};
    return { ...at, kind: kind as Attachment["kind"], nth: nth as number, ...known };
  } catch {
    return undefined;
  }
}

const PLURALS: Readonly<Record<Attachment["kind"], string>> = {
  image: "images",
  audio: "audio",
  video: "videos",
  file: "files",
  other: "other",
};

/** The number of each kind: `2 images, 1 file`. Empty when there are none. */
export function countedKinds(attachments: readonly Attachment[]): string {
  const counts = new Map<Attachment["kind"], number>();
  for (const { kind } of attachments) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return Array.from(counts, ([kind, count]) => `${count} ${count === 1 ? kind : PLURALS[kind]}`).join(", ");
}
