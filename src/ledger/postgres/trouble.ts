import { errorText, InboxError, isInboxError } from "../../errors.ts";

/** The SQLSTATE of a server's error; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

/**
 * Whether the connection cannot be used any longer: it broke, the server stops or starts, or it became a standby. It is
 * unknown whether work in progress was done.
 */
export function isConnectionLoss(error: unknown): boolean {
  const state = sqlState(error);
  // 25006: read-only, as a standby is. 57P01 to 57P05: the server ends the connection. 53300: too many connections. An
  // unreadable connection string gives a TypeError.
  if (state === undefined) return !isInboxError(error) && !(error instanceof TypeError);
  return state.startsWith("08") || state.startsWith("57P") || state === "25006" || state === "53300";
}

/** Whether the server refused the data of a statement, so that it will refuse it again. */
export function isRefusal(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlState(error) ?? "");
}

/**
 * The error for a person. It has the server's own sentence, which quotes no message text, and no address with a secret.
 */
export function ledgerError(what: string, error: unknown, schema: string): InboxError {
  if (isInboxError(error)) return error;
  const state = sqlState(error);
  return new InboxError(
    "ERR_INBOX_LEDGER",
    `${what}: ${hint(state, schema) ?? errorText(error) ?? ""}`,
    { schema, ...(state !== undefined && { sqlState: state }) },
    error,
  );
}

function hint(state: string | undefined, schema: string): string | undefined {
  switch (state) {
    case "42501":
      return `the role may not. Make the schema for it with \`create schema "${schema}" authorization THE_ROLE\`, or let it make schemas`;
    case "25006":
      return "the server takes no writes: is it a standby, or is `default_transaction_read_only` on?";
    case "53300":
      return "the server has no connection left (`max_connections`)";
    default:
      return undefined;
  }
}
