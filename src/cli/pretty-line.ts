import { styleText } from "node:util";
import { pino } from "pino";

type Style = Parameters<typeof styleText>[0];

const styles: ReadonlyMap<string, Style> = new Map([
  ["trace", "gray"],
  ["debug", "blue"],
  ["info", "green"],
  ["warn", "yellow"],
  ["error", "red"],
  ["fatal", "bgRed"],
]);

/**
 * Formats one line of pino's JSON for people: time, level, text, and the other fields as JSON. An error's stack follows
 * on its own lines.
 */
export function prettyLine(line: string, colorful: boolean): string {
  const { time, level, msg, pid: _, hostname: __, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const paint = (style: Style, text: string) => (colorful ? styleText(style, text, { validateStream: false }) : text);
  const name = pino.levels.labels[Number(level)] ?? String(level);
  const words = [`[${clockTime(Number(time))}] ${paint(styles.get(name) ?? "reset", name.toUpperCase())}:`];
  if (msg !== undefined) words.push(paint("cyan", String(msg)));
  if (Object.keys(fields).length > 0) words.push(paint("gray", JSON.stringify(fields)));
  const { stack, ...rest } = Object(err) as Record<string, unknown>;
  if (err !== undefined) words.push(`\n    ${String(stack ?? JSON.stringify(rest)).replaceAll("\n", "\n    ")}`);
  return words.join(" ");
}

/** HH:MM:ss.mmm in this machine's time zone. */
function clockTime(ms: number): string {
  const at = new Date(ms);
  const two = (part: number) => String(part).padStart(2, "0");
  const millis = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${millis}`;
}
