import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errorText } from "../../errors.ts";
import { isDatabase, visitLedger } from "../ledger.ts";
import { type Finding, failed, ok, warning } from "./finding.ts";

/** The most dead letters that are counted. */
const MAX_COUNTED = 1_000;

/** Checks whether a ledger opens and what it holds. It claims no message. */
export async function checkLedger(place: string): Promise<readonly Finding[]> {
  const check = "ledger";
  const isFile = !isDatabase(place);
  if (isFile && !existsSync(place)) return [checkFolder(place)];
  try {
    const letters = await visitLedger(place, (ledger) => ledger.deadLetters({ limit: MAX_COUNTED }));
    const size = isFile ? `, ${Math.ceil(statSync(place).size / 1_024).toLocaleString("en")} kB` : "";
    const findings = [ok(check, `The ledger opens${size}.`)];
    if (letters.length === 0) return findings;
    const count = letters.length === MAX_COUNTED ? `at least ${MAX_COUNTED}` : String(letters.length);
    const text = `${count} ${letters.length === 1 ? "message" : "messages"} could not be delivered.`;
    return [...findings, warning("dead letters", text, "openclaw-inbox dead list --ledger PLACE")];
  } catch (error) {
    return [failed(check, errorText(error))];
  }
}

function checkFolder(file: string): Finding {
  const folder = dirname(file);
  if (!existsSync(folder)) return failed("ledger", `There is no folder ${folder}.`, `mkdir -p ${folder}`);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    return failed(
      "ledger",
      `This user may not write into ${folder}.`,
      `chown ${process.getuid?.() ?? "USER"} ${folder}`,
    );
  }
  return ok("ledger", "There is no ledger yet: `listen` will make it.");
}
