import { expect, it } from "vitest";
import { createInbox, type Inbox, type RunOutcome } from "../../src/index.ts";
import { createFakeGateway } from "../../src/testing/index.ts";
import { useTemporaryFolder } from "../ledger/temporary-folder.ts";

const inFolder = useTemporaryFolder();
const SESSION = "agent:main:team";

it("does not hand over what an inbox on the same ledger asked for", async () => {
  const gateway = await createFakeGateway();
  gateway.transcripts.session(SESSION);
  const texts: string[] = [];
  const outcomes: RunOutcome[] = [];
  let tell = () => {};
  const open = async (): Promise<Inbox> => {
    const inbox = createInbox({
      gateway: { url: gateway.url, token: gateway.token, scopes: ["operator.read", "operator.write"] },
      ledger: inFolder("inbox.db"),
      deliver: ({ text }) => {
        texts.push(text);
        tell();
      },
    });
    inbox.outcomes$.subscribe((outcome) => {
      outcomes.push(outcome);
      tell();
    });
    await inbox.start();
    return inbox;
  };
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise<void>((resolve) => (tell = resolve));
  };
  const asker = await open();
  const other = await open();
  gateway.respond("chat.send", ({ idempotencyKey }) => {
    // The whole answer overtakes the answer to the request.
    gateway.say("The answer.", { sessionKey: SESSION, runId: String(idempotencyKey) });
    return { runId: idempotencyKey, status: "started" };
  });
  const { runId } = await asker.send({ sessionKey: SESSION, text: "A question?" });
  gateway.say("Unasked.", { sessionKey: SESSION });
  const solicited = () => outcomes.filter((one) => one.status === "discarded" && one.runId === runId);
  await until(() => texts.length > 0 && solicited().length === 2);
  expect(solicited()).toMatchObject([{ reason: "solicited" }, { reason: "solicited" }]);
  await asker.stop();
  await other.stop();
  await gateway.close();
  expect(texts).toEqual(["Unasked."]);
});
