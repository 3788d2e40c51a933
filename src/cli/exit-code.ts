/** The exit codes. A process that was ended by a signal has 128 plus the signal's number: 130 or 143. */
export const exitCode = {
  ok: 0,
  /** It failed for another reason. */
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A link was refused, and only a person can fix that. */
  paused: 3,
} as const;
