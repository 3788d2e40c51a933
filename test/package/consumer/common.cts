// A CommonJS module of another project: it may require this package, from Node 20.19 on.
import { createInbox, InboxError, isInboxError } from "openclaw-inbox";
import { createFakeGateway } from "openclaw-inbox/testing";

const inbox = createInbox({ deliver: ({ text }) => console.log(text) });
if (!isInboxError(new InboxError("ERR_INBOX_OPTION", "Expected"))) throw new Error("not its own error");
void createFakeGateway()
  .then((gateway) => gateway.close())
  .then(() => inbox.stop());
