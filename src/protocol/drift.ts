import { fields } from "./fields.ts";

/** Called with each name that no tested Gateway has sent. `what` is its kind, such as `"chat field"`. */
export type OnUnseen = (what: string, name: string) => void;

/** The names that the tested Gateways send, 2026.5.12 to 2026.9.6, as far as messages need them. See docs/gateway-versions.md. */
const SEEN = {
  event: `agent chat chat.metadata.changed chat.side_result config.changed connect.challenge
    controlUi.sessionPullRequests.changed cron device.pair.changed device.pair.requested device.pair.resolved
    device.pair.setup.completed device.pair.setup.deliveryUncertain exec.approval.requested exec.approval.resolved
    gateway.suspension health heartbeat mentions.changed models.snapshot node.hostStats node.invoke.cancel node.invoke.input
    node.invoke.request node.pair.requested node.pair.resolved node.presence node.runnerInventory.changed
    openclaw.approval.requested openclaw.approval.resolved plugin.approval.requested plugin.approval.resolved
    plugins.changed plugins.controlUi.changed plugins.install.progress portal.changed presence progressCard.changed
    question.requested question.resolved session.approval session.message session.observer session.operation session.sharing
    session.sharing.evidence session.suggestion session.tool session.typing sessions.changed shutdown skills.changed
    talk.event talk.mode talk.voice.change task task.suggestion terminal.data terminal.exit tick ui.command update.available
    update.run.changed users.prefs.changed voicewake.changed voicewake.routing.changed`,
  "chat field": `agentId deltaText errorDetail errorKind errorMessage message phase replace retry runId seq sessionKey spawnedBy
    state stopReason usage yielded`,
  "chat state": "aborted delta error final status",
  "message field": `__openclaw api content customType details diagnostics display errorBody errorCode errorMessage errorType
    excludeFromContext idempotencyKey isError model openclawAbort openclawAutomation openclawDeliveryMirror
    openclawDisplayContent openclawStreamFallback provenance provider responseId responseModel role runId senderLabel senderSession
    stopReason text thinkingSignature timestamp toolCallId toolName usage`,
  "message role": "assistant custom system toolResult user",
  "message mark": `contextFreeCommand id idempotencyKey reason recordTimestampMs runId senderId senderIdentity senderIsOwner
    senderName seq transcriptPosition transport truncated turnBoundary`,
  "content block": "attachment attachment_error audio canvas file image text thinking toolCall toolResult video",
  "agent stream": `acp approval assistant command_output compaction error execution item lifecycle patch plan run_status stderr
    stdout thinking tool usage`,
  "session phase": "end error message model start",
  "cron field": `action completionStatus delivered delivery deliveryError deliveryStatus diagnostics durationMs error errorReason
    failureNotificationDelivery job jobId model nextRunAtMs provider runAtMs runId sessionId sessionKey status summary ts usage`,
  "cron action": "added finished removed scheduled started updated",
  // Some are only in the answer to `cron.list`.
  "cron job field": `agentId configRevision createdAtMs declarationKey deleteAfterRun delivery deliveryPreview description
    displayName effectiveAgentId enabled failureAlert id lastDelivered lastDeliveryError lastDeliveryStatus
    lastFailureNotificationDeliveryStatus lastRunAtMs lastRunError lastRunStatus name nextRunAtMs owner payload schedule
    scheduledToolPolicy sessionKey sessionTarget state trigger updatedAtMs wakeMode`,
  "cron job kind": "agentTurn command heartbeat skillCollectionReview systemEvent",
  "cron job target": "current isolated main session",
  "cron schedule": "at cron every on-exit",
} as const;

type What = keyof typeof SEEN;

const seen: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries(SEEN).map(([what, names]) => [what, new Set(names.split(/\s+/))]),
);

/** Reports names in an event that no tested Gateway has sent. Values are never reported, except words that name a kind. */
export function unseenInEvent(event: string, payload: unknown, tell: OnUnseen): void {
  look("event", event, tell);
  const raw = fields(payload);
  switch (event) {
    case "chat":
      lookAtFields("chat field", raw, tell);
      look("chat state", raw["state"], tell);
      unseenInMessage(raw["message"], tell);
      break;
    case "session.message":
      unseenInMessage(raw["message"], tell);
      break;
    case "agent":
      look("agent stream", raw["stream"], tell);
      break;
    case "sessions.changed":
      look("session phase", raw["phase"], tell);
      break;
    case "cron":
      lookAtFields("cron field", raw, tell);
      look("cron action", raw["action"], tell);
      unseenInJob(raw["job"], tell);
      break;
  }
}

/** Reports such names in the message of a chat event, or in a row of a transcript. */
export function unseenInMessage(message: unknown, tell: OnUnseen): void {
  if (typeof message !== "object" || message === null) return;
  const raw = fields(message);
  lookAtFields("message field", raw, tell);
  look("message role", raw["role"], tell);
  lookAtFields("message mark", fields(raw["__openclaw"]), tell);
  const { content } = raw;
  if (!Array.isArray(content)) return;
  for (let i = 0; i < content.length && i < MAX_LOOKED_AT; i++) look("content block", fields(content[i])["type"], tell);
}

/** Reports such names in a cron job. */
export function unseenInJob(job: unknown, tell: OnUnseen): void {
  const raw = fields(job);
  const { payload, schedule, sessionTarget } = raw;
  lookAtFields("cron job field", raw, tell);
  look("cron job kind", fields(payload)["kind"], tell);
  look("cron schedule", fields(schedule)["kind"], tell);
  // The part after the colon is a session key.
  look("cron job target", typeof sessionTarget === "string" ? sessionTarget.split(":", 1)[0] : undefined, tell);
}

/** The most fields and blocks that are checked. */
const MAX_LOOKED_AT = 100;
/** Only names are reported. Any other text may be something that an agent said. */
const NAME = /^[\w.:-]{1,64}$/;

function look(what: What, name: unknown, tell: OnUnseen): void {
  if (typeof name !== "string" || seen.get(what)?.has(name) === true) return;
  tell(what, NAME.test(name) ? name : "(not shown)");
}

function lookAtFields(what: What, raw: Readonly<Record<string, unknown>>, tell: OnUnseen): void {
  let count = 0;
  for (const name in raw) {
    count += 1;
    if (count > MAX_LOOKED_AT) return;
    look(what, name, tell);
  }
}
