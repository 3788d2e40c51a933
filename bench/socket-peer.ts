import { createFakeGateway } from "../src/testing/index.ts";
import { deltaHeavy, Traffic } from "./traffic.ts";

// The Gateway of `sockets.ts` and `inspected-inbox.ts`, in its own process. It prints its address and waits for a
// client. Each line on stdin is a number of frames, which it sends.
const gateway = await createFakeGateway({ token: "bench" });
const traffic = new Traffic(deltaHeavy(), Number(process.argv[2] ?? 100), 5);
process.stdout.write(`${gateway.url}\n`);
process.stdin.setEncoding("utf8");
process.stdin.on("data", (lines: string) => {
  for (const line of lines.trim().split("\n")) void send(Number(line));
});
process.stdin.on("end", () => void gateway.close());

async function send(count: number): Promise<void> {
  for (let sent = 0; sent < count; ) {
    for (let i = 0; i < 200 && sent < count; i++, sent++) gateway.sendRaw(traffic.one().frame);
    await gateway.flushed();
  }
}
