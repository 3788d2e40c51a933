/** What one check of a set-up has found. */
export interface Finding {
  /** What was looked at: `address`, `token`, `ledger`, ... */
  readonly check: string;
  readonly status: "ok" | "warning" | "failed";
  /** What is so, as a sentence. Never a secret. */
  readonly text: string;
  /** What mends it, as a sentence or a command; absent where `text` says so itself. */
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
