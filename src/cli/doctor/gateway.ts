import type { LinkEvent } from "../../../machines/link.ts";
import { errorText } from "../../errors.ts";
import { fields } from "../../protocol/fields.ts";
import { gatewaySource } from "../../source/gateway/gateway.ts";
import type { GatewayOptions } from "../../source/gateway/options.ts";
import type { Source } from "../../source/source.ts";
import { checkAddress } from "./address.ts";
import { checkDrift } from "./drift.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

/** The oldest and the newest Gateway that this package is tested with. */
const TESTED = ["2026.5.12", "2026.9.6"] as const;
/** How long the Gateway may take to accept us, in ms. */
const SIGN_IN_TIMEOUT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Receivers refuse signatures that are five minutes off. An error of one minute shows that nothing sets the clock. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Which check the code of a refusal or loss belongs to. All other codes belong to the address. */
const checks: readonly (readonly [RegExp, string])[] = [
  [/^AUTH_(SCOPE|DEVICE)|^NO_READ_SCOPE/, "scopes"],
  [/^AUTH_/, "token"],
  [/^PAIRING_|^DEVICE_|^SIGN_IN_/, "device"],
  [/^PROTOCOL_|^CLIENT_VERSION_|^BAD_HELLO/, "protocol"],
  [/^PROXY_|^HTTP_/, "proxy"],
  [/^TLS_|CERT|^EPROTO|^ERR_TLS|^ERR_SSL|UNABLE_TO/, "tls"],
];

/** Checks one Gateway: whether it can be reached, accepts us, and has something to say. */
export async function checkGateway(options: GatewayOptions): Promise<readonly Finding[]> {
  let source: Source;
  try {
    source = gatewaySource(options);
  } catch (error) {
    return [failed("options", errorText(error))];
  }
  try {
    const end = await signIn(source);
    if (end.type === "refused" && end.code === "INSECURE_URL") return [explain(end, options)];
    const address = await checkAddress(new URL(options.url));
    if (end.type === "hello") return [address, ...(await afterHello(source, end.hello ?? {}, options))];
    if (address.status === "failed") return [address];
    return [...(checkOf(end.code) === "address" ? [] : [address]), explain(end, options)];
  } finally {
    await source.close();
  }
}

type End = Extract<LinkEvent, { readonly type: "hello" | "refused" | "lost" }>;

/** Makes one connection. Resolves when it is accepted or fails. It waits for a Gateway that is still starting. */
function signIn(source: Source): Promise<End> {
  return new Promise((resolve) => {
    const silent: End = {
      type: "lost",
      code: "SILENT",
      reason: "Something listens there, but it does not answer as a Gateway does. Is it the right port?",
    };
    const timer = setTimeout(() => resolve(silent), SIGN_IN_TIMEOUT_MS);
    source.open({
      frame() {},
      link(event) {
        if (event.type !== "hello" && event.type !== "refused" && event.type !== "lost") return;
        if (event.type === "lost" && event.code === "STARTING") return;
        clearTimeout(timer);
        resolve(event);
      },
    });
  });
}

function checkOf(code = ""): string {
  return checks.find(([pattern]) => pattern.test(code))?.[1] ?? "address";
}

function explain({ code, reason }: Exclude<End, { readonly type: "hello" }>, { device }: GatewayOptions): Finding {
  const needsDevice = code === "NO_READ_SCOPE" && device === undefined;
  return failed(checkOf(code), reason, needsDevice ? "openclaw-inbox pair --url URL --device FILE" : undefined);
}

interface Hello {
  readonly server?: { readonly version?: unknown };
  readonly protocol?: unknown;
  readonly auth?: { readonly scopes?: unknown };
}

async function afterHello(source: Source, hello: Hello, options: GatewayOptions): Promise<readonly Finding[]> {
  const isTls = new URL(options.url).protocol === "wss:";
  const how = options.device === undefined ? "The Gateway accepts us." : "The Gateway accepts us as a paired device.";
  return [
    ...(isTls ? [ok("tls", "The certificate is accepted.")] : []),
    ok("token", how),
    checkVersion(hello),
    checkScopes(hello),
    await checkClocks(options),
    await count("sessions", source, "sessions.list", "session"),
    await count("jobs", source, "cron.list", "job"),
    await checkDrift(source, hello),
  ];
}

function checkVersion({ server, protocol }: Hello): Finding {
  const version = typeof server?.version === "string" ? server.version.slice(0, 40) : undefined;
  if (version === undefined) return warning("version", "The Gateway does not say which version it is.");
  const [first, last] = TESTED;
  const text = `Gateway ${version}, protocol ${String(protocol).slice(0, 10)}`;
  if (compareVersions(version, first) < 0)
    return warning("version", `${text}: older than the versions tested (from ${first}).`, "openclaw update");
  if (compareVersions(version, last) > 0)
    return warning("version", `${text}: newer than the versions tested (to ${last}). It will probably work.`);
  return ok("version", `${text}.`);
}

/** Negative when `a` is older. Versions are numbers with dots; only the first three numbers count. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/, 3).map(Number));
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function checkScopes({ auth }: Hello): Finding {
  const scopes = Array.isArray(auth?.scopes) ? auth.scopes.filter((scope) => typeof scope === "string") : undefined;
  return ok(
    "scopes",
    scopes === undefined ? "The Gateway does not say." : `Granted: ${scopes.join(", ").slice(0, 200)}.`,
  );
}

/** Compares the clocks by the date in an HTTP answer. */
async function checkClocks({ url }: GatewayOptions): Promise<Finding> {
  const place = new URL(url);
  const answer = await fetch(`${place.protocol === "wss:" ? "https:" : "http:"}//${place.host}/healthz`, {
    method: "HEAD",
    redirect: "manual",
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch(() => undefined);
  const date = Date.parse(answer?.headers.get("date") ?? "");
  if (Number.isNaN(date)) return ok("clocks", "Not compared: the Gateway sends no date over HTTP.");
  const offMs = date - Date.now();
  if (Math.abs(offMs) <= CLOCK_TOLERANCE_MS) return ok("clocks", "The Gateway's clock and ours agree.");
  const minutes = Math.round(Math.abs(offMs) / 60_000);
  return warning(
    "clocks",
    `The Gateway's clock is ${minutes} min ${offMs > 0 ? "ahead of" : "behind"} ours.`,
    "Set both by NTP: receivers refuse webhooks whose signature is five minutes off.",
  );
}

/** Counts the items called `noun` that the Gateway lists. */
async function count(check: string, source: Source, method: string, noun: string): Promise<Finding> {
  try {
    const options = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
    const answer = fields(await source.request?.(method, {}, options));
    const list = answer[`${noun}s`];
    // The list is only the first page.
    const total = answer["totalCount"] ?? answer["total"];
    const length = Number.isSafeInteger(total) ? Number(total) : Array.isArray(list) ? list.length : 0;
    return ok(check, `The Gateway shows us ${length} ${noun}${length === 1 ? "" : "s"}.`);
  } catch (error) {
    return warning(check, `${method} failed: ${errorText(error)}`);
  }
}
