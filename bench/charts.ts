/** A picture for the top of the page. */
export interface Chart {
  /** Its file in docs/images. */
  readonly file: string;
  /** What it shows, for those who do not see it. */
  readonly alt: string;
  readonly svg: string;
}

/** One bar: `ours` stands out. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Written at its end. */
  readonly label: string;
  readonly ours: boolean;
}

/** One line through points of both axes, which are logarithmic. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly ours: boolean;
}

const WIDTH = 720;
const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";
/** Dark text on no background, and light text where the reader's colours are dark. */
const STYLE = `<style>
text { font: 13px ${FONT}; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.faint { fill: #59636e; }
.ours { fill: #0969da; }
.other { fill: #8c959f; }
.line { fill: none; stroke-width: 2.5; }
.line.ours { stroke: #0969da; fill: none; }
.line.other { stroke: #8c959f; fill: none; }
.grid { stroke: #8c959f; stroke-opacity: 0.3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .faint { fill: #9198a1; }
  .ours { fill: #4493f8; }
  .line.ours { stroke: #4493f8; fill: none; }
}
</style>`;

/** Bars from left to right, one below the other, on a scale from 0. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const [left, top, step] = [230, 52, 28];
  const most = Math.max(...bars.map(({ value }) => value));
  const room = WIDTH - left - 90;
  const rows = bars.map(({ name, value, label, ours }, i) => {
    const y = top + i * step;
    const width = Math.max(1, (room * value) / most);
    return `${text(left - 10, y + 14, name, 'text-anchor="end"')}
<rect class="${ours ? "ours" : "other"}" x="${left}" y="${y}" width="${fixed(width)}" height="18" rx="3"/>
${text(left + width + 8, y + 14, label, 'class="faint"')}`;
  });
  return svg(top + bars.length * step + 12, title, unit, rows);
}

/** Lines over logarithmic axes, with a grid at the powers of ten. */
export function lineChart(title: string, unit: string, xUnit: string, lines: readonly Line[]): string {
  const [left, top, right, height] = [64, 56, 190, 300];
  const points = lines.flatMap((line) => line.points);
  const x = scale(
    points.map(([at]) => at),
    left,
    WIDTH - right,
  );
  const y = scale(
    points.map(([, value]) => value),
    top + height,
    top,
  );
  const grid = [
    ...y.powers.map((power) => {
      const at = fixed(y.place(power));
      return `<line class="grid" x1="${left}" x2="${WIDTH - right}" y1="${at}" y2="${at}"/>
${text(left - 8, y.place(power) + 4, power.toLocaleString("en-US"), 'class="faint" text-anchor="end"')}`;
    }),
    ...x.powers.map((power) =>
      text(x.place(power), top + height + 20, power.toLocaleString("en-US"), 'class="faint" text-anchor="middle"'),
    ),
    text((left + WIDTH - right) / 2, top + height + 42, xUnit, 'class="faint" text-anchor="middle"'),
  ];
  const drawn = lines.map(({ name, points: own, ours }) => {
    const kind = ours ? "ours" : "other";
    const [lastX, lastY] = own.at(-1) ?? [1, 1];
    const path = own.map(([at, value]) => `${fixed(x.place(at))},${fixed(y.place(value))}`).join(" ");
    return `<polyline class="line ${kind}" points="${path}"/>
${text(x.place(lastX) + 8, y.place(lastY) + 4, name, `class="${ours ? "ours" : "faint"}"`)}`;
  });
  return svg(top + height + 56, title, unit, [...grid, ...drawn]);
}

function scale(values: readonly number[], from: number, to: number) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    place: (value: number) => from + ((to - from) * (Math.log10(value) - low)) / (high - low),
    powers: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
  };
}

function svg(height: number, title: string, unit: string, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${escaped(title)}</title>
${STYLE}
${text(0, 18, title, 'class="title"')}
${text(0, 38, unit, 'class="faint"')}
${parts.join("\n")}
</svg>
`;
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" ${attributes}>${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}
