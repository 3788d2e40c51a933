/** One line of a recording, as a player needs it. */
export interface RecordedLine {
  /** Ms since the recording began; absent when the line has no time. */
  readonly t?: number;
  /**
   * What was received: a frame, or a text that was not a frame. If the line is not a recorded frame, the line itself.
   */
  readonly frame: unknown;
  /** Whether the line holds a frame, alone or in a recording's wrapping. */
  readonly readable: boolean;
  /** Whether the frame is the challenge that every new connection begins with. */
  readonly challenge: boolean;
  /** The `hello-ok` payload, if the frame is the Gateway's answer that accepted the connection. */
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
