/** The command line is wrong. It is shown as one line with a pointer to the help, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
