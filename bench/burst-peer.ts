import { createFakeGateway, type FakeGateway } from "../src/testing/index.ts";
import { type BurstTask, burstKey, burstText } from "./burst.ts";

// The Gateways of `burst.ts`, in a process of their own. They print their addresses. At a line on stdin they cut every
// socket, and write what the agents say before anybody is back.
const { gateways, sessions, messages, chars } = JSON.parse(process.argv[2] ?? "{}") as BurstTask;
const opened: FakeGateway[] = [];
for (let i = 0; i < gateways; i++) opened.push(await createFakeGateway({ token: "bench" }));
for (const { transcripts } of opened) {
  for (let i = 0; i < sessions; i++) transcripts.add(burstKey(i), { role: "user", content: "A question." });
}
process.stdout.write(`${JSON.stringify(opened.map(({ url }) => url))}\n`);
process.stdin.on("data", () => {
  for (const [place, { transcripts, drop }] of opened.entries()) {
    drop();
    for (let i = 0; i < messages; i++) {
      const row = {
        role: "assistant",
        content: [{ type: "text", text: burstText(place, i, chars) }],
        stopReason: "stop",
      };
      transcripts.add(burstKey(i % sessions), row, { runId: `run-${place}-${i}` });
    }
  }
});
process.stdin.on("end", () => process.exit());
