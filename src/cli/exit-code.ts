/** How the process ends, other than by a signal: that is 128 and the signal's number, 130 or 143. */
export const exitCode = {
  ok: 0,
  /** Something went wrong that is neither of the other two. */
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A link was refused, and only a person can mend it. */
  paused: 3,
} as const;
