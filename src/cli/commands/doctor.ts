import { assertNoArgument } from "../arguments.ts";
import { defineCommand } from "../command.ts";
import { readConfig } from "../config.ts";
import type { Finding } from "../doctor/finding.ts";
import { failed } from "../doctor/finding.ts";
import { checkGateway } from "../doctor/gateway.ts";
import { checkLedger } from "../doctor/ledger.ts";
import { checkWebhook } from "../doctor/webhook.ts";
import { exitCode } from "../exit-code.ts";
import { gatewayOptions, gatewayOptionsFrom } from "../gateway-flags.ts";
import { ledgerOption } from "../ledger.ts";
import { plainText } from "../plain-text.ts";
import type { Terminal } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { webhookFlags, webhookOptionsFrom } from "../webhook-flags.ts";

export const doctor = defineCommand({
  usage: ["doctor --url URL [options]", "doctor --config FILE [options]"],
  about: `Checks everything that \`listen\` needs, with the same options: the Gateway's address, certificate,
token, device, scopes and version, both clocks, the sessions and jobs that we may see, the ledger,
and the webhook. The webhook gets a signed test of the type \`openclaw.test\`. No message is claimed
and no secret is printed. What failed comes with a way to fix it. Exits with 0 when nothing failed,
else with 1.`,
  options: {
    ...gatewayOptions,
    ...webhookFlags,
    ledger: ledgerOption,
    config: { type: "string", value: "FILE", help: "the configuration to check" },
    json: { type: "boolean", env: false, help: "one line of JSON per finding" },
  },
  async run(values, positionals, terminal, nameOf) {
    assertNoArgument(positionals);
    let hasFailed = false;
    const show = async (finding: Finding, gateway?: string) => {
      hasFailed ||= finding.status === "failed";
      await terminal.print(
        values.json === true
          ? JSON.stringify({ ...(gateway !== undefined && { gateway }), ...finding })
          : lineOf(finding, terminal, gateway),
      );
    };
    await told(show, "configuration", async () => {
      const config = values.config === undefined ? undefined : readConfig(values.config);
      await told(show, "address", async () => {
        const gateways = gatewayOptionsFrom(values, nameOf, config?.gateways);
        for (const options of gateways) {
          const name = gateways.length > 1 ? (options.name ?? "default") : undefined;
          for (const finding of await checkGateway(options)) await show(finding, name);
        }
      });
      const ledger = values.ledger ?? config?.ledger;
      if (ledger !== undefined) for (const finding of await checkLedger(ledger)) await show(finding);
      await told(show, "webhook", async () => {
        const webhook = webhookOptionsFrom(values, config?.webhook, nameOf);
        if (webhook !== undefined) await show(await checkWebhook(webhook));
      });
    });
    return hasFailed ? exitCode.failure : exitCode.ok;
  },
});

/** Runs a check. A wrong option becomes a finding, too. */
async function told(show: (finding: Finding) => Promise<void>, check: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await show(failed(check, `${error.message}.`));
  }
}

const marks = { ok: "ok     ", warning: "warning", failed: "FAILED " } as const;

function lineOf({ check, status, text, fix }: Finding, { paint }: Terminal, gateway: string | undefined): string {
  const mark = status === "ok" ? paint("dim", marks[status]) : paint("bold", marks[status]);
  const place = gateway === undefined ? "" : `${gateway}: `;
  const first = `${mark}  ${check.padEnd(12)}  ${plainText(`${place}${text}`)}`;
  return fix === undefined ? first : `${first}\n${" ".repeat(9)}${paint("cyan", `→ ${plainText(fix)}`)}`;
}
