import { createFakeGateway } from "../../src/testing/index.ts";
import { connectClient } from "./client.ts";

// Run as a process of its own: it must end by itself once the Gateway is closed.
const gateway = await createFakeGateway();
await connectClient(gateway);
gateway.run({ sessionKey: "agent:main:one" }).delta("never ended");
void gateway.nextRequest();
await gateway.close();
process.stdout.write("closed\n");
