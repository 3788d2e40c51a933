const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat("en-GB", {
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  timeZoneName: "short",
});

/** The zone of every time on the page, such as `Europe/Berlin`. */
export const zone = whole.resolvedOptions().timeZone;

/**
 * A time. It includes the date if it is not today.
 * @param {number} at
 * @param {number} now
 */
export function timeOf(at, now) {
  return day.format(at) === day.format(now) ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

/**
 * Date and time with their zone.
 * @param {number} at
 */
export function wholeTime(at) {
  return whole.format(at);
}
