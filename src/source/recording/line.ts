/** One line of a recording, as a player needs it. */
export interface RecordedLine {
  /** Ms since the recording began; absent where the line does not say. */
  readonly t?: number;
  /** What was received: a frame, a text that was no frame, or the line itself where it is no recorded frame. */
  readonly frame: unknown;
  /** The line holds a frame, by itself or in a recording's wrapping. */
  readonly readable: boolean;
  /** The frame is the greeting that every new connection begins with. */
  readonly challenge: boolean;
  /** The `hello-ok` payload, where the frame is the Gateway's answer that let the connection in. */
  readonly hello?: object;
}

interface Shape {
  readonly t?: unknown;
  readonly type?: unknown;
  readonly frame?: {
    readonly type?: unknown;
    readonly event?: unknown;
    readonly payload?: { readonly type?: unknown };
  } | null;
}

/** Reads one line of a recording. Never throws. */
export function readRecordedLine(line: string): RecordedLine {
  const { t, frame, type } = parse(line);
  if (frame === undefined) return { frame: line, readable: typeof type === "string", challenge: false };
  const payload = frame?.payload;
  const isHello = frame?.type === "res" && typeof payload === "object" && payload?.type === "hello-ok";
  return {
    ...(Number.isFinite(t) && { t: t as number }),
    frame,
    readable: true,
    challenge: frame?.type === "event" && frame.event === "connect.challenge",
    ...(isHello && { hello: payload }),
  };
}

function parse(line: string): Shape {
  try {
    return (JSON.parse(line) as Shape | null) ?? {};
  } catch {
    return {};
  }
}
