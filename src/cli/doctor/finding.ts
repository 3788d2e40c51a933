/** The result of one check. */
export interface Finding {
  /** What was checked: `address`, `token`, `ledger`, ... */
  readonly check: string;
  readonly status: "ok" | "warning" | "failed";
  /** The result as a sentence. Never holds a secret. */
  readonly text: string;
  /** How to fix it, as a sentence or a command. Absent when `text` says it. */
  readonly fix?: string;
}

export const ok = (check: string, text: string): Finding => ({ check, status: "ok", text });

export const warning = (check: string, text: string, fix?: string): Finding => ({
  check,
  status: "warning",
  text,
  ...(fix !== undefined && { fix }),
});

export const failed = (check: string, text: string, fix?: string): Finding => ({
  check,
  status: "failed",
  text,
  ...(fix !== undefined && { fix }),
});
