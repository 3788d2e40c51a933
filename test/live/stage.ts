import { setTimeout as delay } from "node:timers/promises";
import { askAgent, newSession, said, unique } from "./acts.ts";
import { createGateway, type GatewayProcessOptions } from "./gateway.ts";
import type { Installation } from "./install.ts";
import { connectOperator } from "./operator.ts";
import type { Stage } from "./scenario.ts";
import { startStubModel } from "./stub-model.ts";
import { openInbox } from "./tested-inbox.ts";

/** A stage, and the way to take it down again. */
export interface OpenStage extends Omit<Stage, "defer"> {
  /** Ends everything, last first. The Gateway's log is kept for a person when `keepLogs`. */
  close(keepLogs: boolean): Promise<void>;
}

// A Gateway's database has broken right after an agent's first use while others ran; not with this pause after it.
const PAUSE_AFTER_FIRST_USE_MS = 3_000;

/** Starts a Gateway with a fresh home, uses each of its agents once, then connects the inbox. */
export async function openStage(
  installation: Installation,
  options: GatewayProcessOptions = {},
  { note = false }: { note?: boolean } = {},
): Promise<OpenStage> {
  const cleanUps: (() => Promise<unknown>)[] = [];
  let keepLogs = false;
  const close = async (keep: boolean): Promise<void> => {
    keepLogs = keep;
    for (const next of cleanUps.splice(0).reverse()) {
      await next().catch((error: unknown) => process.stdout.write(`clean-up: ${String(error)}\n`));
    }
  };
  try {
    const model = await startStubModel();
    cleanUps.push(() => model.stop());
    const gateway = await createGateway(installation, model.url, options);
    cleanUps.push(() => gateway.dispose(keepLogs));
    await gateway.start();
    const url = `ws://127.0.0.1:${gateway.port}`;
    const operator = connectOperator(url, gateway.token);
    cleanUps.push(() => operator.close());
    for (const agentId of ["main", "second"]) {
      const text = unique("Warming up.");
      await askAgent(operator, newSession(agentId), `SAY:${text}`);
      await said(operator, text);
      await delay(PAUSE_AFTER_FIRST_USE_MS);
    }
    const inbox = await openInbox(url, gateway.token, {}, { note });
    cleanUps.push(() => inbox.stop());
    return { operator, gateway, model, inbox, close };
  } catch (error) {
    await close(true);
    throw error;
  }
}
