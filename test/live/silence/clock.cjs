// Loaded into a Gateway before its own code: its wall clock is off by as many ms as the file `clock` beside its configuration says. Timers and
// `performance.now()` go on, as when somebody sets the clock of a machine.
const { readFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const RealDate = Date;
const file = join(dirname(process.env.OPENCLAW_CONFIG_PATH ?? "."), "clock");
let offsetMs = 0;
const read = () => {
  try {
    offsetMs = Number(readFileSync(file, "utf8")) || 0;
  } catch {
    offsetMs = 0;
  }
};
read();
setInterval(read, 250).unref();
const now = () => RealDate.now() + offsetMs;
globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (_, args, target) =>
    Reflect.construct(RealDate, args.length > 0 ? args : [now()], target === globalThis.Date ? RealDate : target),
  get: (date, name) => (name === "now" ? now : Reflect.get(date, name)),
});
