import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { GatewayRefusal } from "./gateway-errors.ts";
import { requireKey } from "./history.ts";

type Params = Readonly<Record<string, unknown>>;

/** A file that an agent sends along. */
export interface FakeFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Its media type. Default: by the ending of the name, `text/plain` for an unknown one. */
  readonly type?: string;
}

/** Which row a file belongs to. */
export interface KeptAt {
  readonly sessionKey: string;
  readonly runId: string;
  readonly messageSeq: number;
}

interface Kept extends KeptAt {
  readonly id: string;
  readonly file: FakeFile;
  readonly bytes: Buffer;
  readonly path: string;
}

/** The files that clients can download from a fake Gateway. */
export interface Files {
  /** Keeps files and returns their content blocks in the history. */
  keep(files: readonly FakeFile[], at: KeptAt): readonly object[];
  list(params: Params): object;
  download(params: Params): object;
  /** Answers a plain HTTP request with a file, for a ticket or the Gateway's token. */
  serve(request: IncomingMessage, response: ServerResponse): void;
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ["png", "image/png"],
  ["jpg", "image/jpeg"],
  ["mp3", "audio/mpeg"],
  ["pdf", "application/pdf"],
  ["csv", "text/csv"],
]);

/** No files. `token` returns the Gateway's. */
export function createFiles(token: () => string): Files {
  const byId = new Map<string, Kept>();
  const byPath = new Map<string, Kept>();
  const tickets = new Set<string>();

  function keep(file: FakeFile, at: KeptAt): object {
    const isImage = typeOf(file).startsWith("image/");
    const uuid = randomUUID();
    const path = `/api/chat/media/outgoing/${encodeURIComponent(at.sessionKey)}/${uuid}/full`;
    const id = `artifact_managed_${isImage ? "image" : "media"}_${uuid}`;
    const kept = { ...at, id, file, bytes: Buffer.from(file.content), path };
    byId.set(id, kept);
    byPath.set(path, kept);
    const told = { artifactId: id, url: path, mimeType: typeOf(file), sizeBytes: kept.bytes.length };
    if (isImage) return { type: "image", ...told, openUrl: path, alt: file.name };
    return { type: "attachment", attachment: { ...told, kind: "document", label: file.name } };
  }

  function summary({ id, file, bytes, sessionKey, runId, messageSeq }: Kept): object {
    return {
      id,
      type: typeOf(file).startsWith("image/") ? "image" : "file",
      title: file.name,
      mimeType: typeOf(file),
      sizeBytes: bytes.length,
      sessionKey,
      runId,
      messageSeq,
      source: "session-transcript",
      download: { mode: "url" },
    };
  }

  return {
    keep: (files, at) => files.map((file) => keep(file, at)),
    list(params) {
      const sessionKey = requireKey(params, "artifacts.list", "sessionKey");
      const { runId } = params;
      const artifacts = [...byId.values()].filter(
        (kept) => kept.sessionKey === sessionKey && (runId === undefined || kept.runId === runId),
      );
      return { artifacts: artifacts.map(summary) };
    },
    download(params) {
      const sessionKey = requireKey(params, "artifacts.download", "sessionKey");
      const kept = byId.get(requireKey(params, "artifacts.download", "artifactId"));
      if (kept === undefined || kept.sessionKey !== sessionKey) {
        throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "artifact not found", retryable: false });
      }
      const ticket = `v1.${randomUUID()}`;
      tickets.add(ticket);
      return { artifact: summary(kept), url: `${kept.path}?mediaTicket=${ticket}` };
    },
    serve({ url = "", headers }, response) {
      const { pathname, searchParams } = new URL(url, "http://localhost");
      const kept = byPath.get(pathname);
      const isAllowed =
        tickets.has(searchParams.get("mediaTicket") ?? "") || headers.authorization === `Bearer ${token()}`;
      if (kept === undefined) response.writeHead(404).end();
      else if (!isAllowed) response.writeHead(401).end();
      else {
        const { bytes, file } = kept;
        response.writeHead(200, { "content-type": typeOf(file), "content-length": bytes.length }).end(bytes);
      }
    },
  };
}

function typeOf({ name, type }: FakeFile): string {
  return type ?? TYPES.get(name.split(".").at(-1) ?? "") ?? "text/plain";
}
