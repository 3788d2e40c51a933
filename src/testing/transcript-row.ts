import type { FakeSession } from "./transcript.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A session as `sessions.list`, `chat.history` and session events describe it, with the fields of a real Gateway. */
function sessionRow(session: FakeSession, now: number): Fields {
  const { key, running } = session;
  const isMain = key === "agent:main:main";
  const active = running.size > 0;
  return {
    key,
    visibility: "shared",
    permissionModePending: false,
    createdVia: session.createdVia,
    createdAt: session.createdAt,
    kind: "direct",
    classification: isMain ? "main" : "custom",
    agentId: agentOf(key),
    isMain,
    isBackground: false,
    ...(key.split(":").length > 2 ? { displayName: key.split(":").slice(2).join(":") } : {}),
    updatedAt: session.updatedAt,
    archived: false,
    pinned: false,
    unread: !active,
    lastInteractionAt: session.updatedAt,
    sessionId: session.sessionId,
    abortedLastRun: session.status === "killed",
    ...FAST_MODE,
    ...USAGE,
    status: session.status ?? "done",
    startedAt: session.startedAt ?? session.createdAt,
    ...ended(session, active),
    effectiveResponseUsage: "off",
    effectiveQueueMode: "steer",
    ...MODEL,
    agentRuntime: AGENT_RUNTIME,
    contextTokens: 200_000,
    snapshotAt: now,
    placement: placement(session),
    hasActiveRun: active,
    // A Gateway lists none while one goes on; `inFlightRun` names it.
    ...(active ? {} : { activeRunIds: [] }),
    sharingRole: "owner",
  };
}

/** A row of `sessions.list`. */
export function sessionListRow(session: FakeSession, now: number): Fields {
  return { ...sessionRow(session, now), ...THINKING, lastMessagePreview: preview(session) };
}

/** The `sessionInfo` of `chat.history`. */
export function sessionInfo(session: FakeSession, now: number): Fields {
  const activeLeafEntryId = session.rows.at(-1)?.id ?? null;
  return { ...sessionRow(session, now), activitySummary: ACTIVITY_SUMMARY, activeLeafEntryId };
}

/**
 * What `session.message` and `sessions.changed` say of their session: the whole row as `session`, and most of its fields
 * beside it, null where there is no value.
 */
export function sessionSnapshot(session: FakeSession, now: number): Fields {
  const {
    snapshotAt,
    placement,
    isMain,
    isBackground,
    classification,
    lastInteractionAt,
    effectiveQueueMode,
    key,
    agentId,
    ...repeated
  } = sessionRow(session, now);
  return {
    ...ABSENT,
    participants: [],
    participantCount: 0,
    hasAutomation: false,
    ancestorSessions: [],
    ...repeated,
    activitySummary: ACTIVITY_SUMMARY,
    session: { ...sessionRow(session, now), ...THINKING, activitySummary: ACTIVITY_SUMMARY },
  };
}

/** The agent in a session key. Default `"main"`. */
export function agentOf(sessionKey: string): string {
  const [word, agentId] = sessionKey.split(":");
  return word === "agent" && agentId !== undefined ? agentId : "main";
}

/** The `defaults` of `sessions.list` and `chat.history`. */
export const SESSION_DEFAULTS: Fields = {
  modelProvider: "stub",
  model: "stub-1",
  contextTokens: 200_000,
  agentRuntime: { id: "auto", cloudPlacementSupported: false, devicePlacementSupported: false, source: "implicit" },
  modelSelectionTarget: "session",
};

/** The fields of `sessions.list` about the model's thinking. */
export const THINKING: Fields = {
  thinkingLevels: [{ id: "off", label: "off" }],
  thinkingOptions: ["off"],
  thinkingDefault: "off",
};

function ended(session: FakeSession, active: boolean): Fields {
  const { endedAt, lastRunId } = session;
  if (active || endedAt === undefined) return {};
  const runtimeMs = endedAt - (session.startedAt ?? endedAt);
  return { endedAt, runtimeMs, lastActivityAt: endedAt, ...(lastRunId === undefined ? {} : { lastRunId }) };
}

function placement({ createdAt, updatedAt }: FakeSession): Fields {
  return { state: "local", generation: 0, createdAtMs: createdAt, updatedAtMs: updatedAt, stateChangedAtMs: createdAt };
}

function preview(session: FakeSession): string {
  const content = session.rows.at(-1)?.row["content"];
  const text = Array.isArray(content) ? (content[0] as { text?: unknown } | undefined)?.text : content;
  return typeof text === "string" ? text.slice(0, 200) : "";
}

const ACTIVITY_SUMMARY: Fields = { state: "unavailable", canEnsure: true };

const FAST_MODE: Fields = { effectiveFastMode: false, effectiveFastModeSource: "default", fastAutoOnSeconds: 60 };

const USAGE: Fields = {
  inputTokens: 10,
  outputTokens: 5,
  totalTokens: 10,
  totalTokensFresh: true,
  estimatedCostUsd: 0,
};

const MODEL: Fields = {
  modelProvider: "stub",
  model: "stub-1",
  modelOverrideSource: null,
  runtimeSelectionLocked: false,
};

const AGENT_RUNTIME: Fields = {
  id: "openclaw",
  cloudPlacementSupported: true,
  cloudPlacementExecutionMode: "worker-turn",
  devicePlacement: { requiredNodeCommands: [], consumesWorkerSlot: true },
  devicePlacementSupported: true,
  source: "implicit",
};

const ABSENT: Fields = Object.fromEntries(
  [
    ..."activeModel activeModelProvider activeRunIds agentStatus ancestorSessions archiveReason archivedAt archivedBy autoLabel".split(
      " ",
    ),
    ..."boardPresentation category channelAvatarUrl color contextBudgetStatus controlOwnerSessionKey createdActor".split(
      " ",
    ),
    ..."displayName endedAt goal icon label lastRunError lastRunId markedUnreadAt observerDigest owner".split(" "),
    ..."permissionMode pinnedAt providerReview restartRecoveryStatus runtimeMs swarm thinkingLevel toolOverrides".split(
      " ",
    ),
  ].map((field) => [field, null]),
);
