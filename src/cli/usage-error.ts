/** The command line is wrong: shown as one line with a pointer to the help, and ends the process with 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
