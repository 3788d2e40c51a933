import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, onTestFinished } from "vitest";

const create = () => mkdtempSync(join(tmpdir(), "openclaw-inbox-"));
// A ledger's thread may still write: `stop()` waits for it only so long, and by the test's clock.
const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });

/** A folder for each test of the file, removed after the test. The returned function gives the path of a file in it. */
export function useTemporaryFolder(): (name: string) => string {
  let folder = "";
  beforeEach(() => {
    folder = create();
  });
  afterEach(() => remove(folder));
  return (name) => join(folder, name);
}

/** The path of a file in a folder of its own, removed after the test. */
export function temporaryFile(name: string): string {
  const folder = create();
  onTestFinished(() => remove(folder));
  return join(folder, name);
}
