const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/**
 * A number for people. Below ten it has one decimal, if needed.
 * @param {number} value
 */
export function number(value) {
  return (Math.abs(value) < 10 ? tenths : whole).format(value);
}

/**
 * A time span, in the largest unit that fits.
 * @param {number} ms
 */
export function span(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

/**
 * How long ago, in few characters.
 * @param {number} ms
 */
export function ago(ms) {
  if (ms < 1_000) return "now";
  return `${ms < 60_000 ? `${Math.floor(ms / 1_000)} s` : span(ms)} ago`;
}

/**
 * A number with its noun.
 * @param {number} count
 * @param {string} noun
 */
export function counted(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * A counter's name as words.
 * @param {string} name
 */
export function words(name) {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
