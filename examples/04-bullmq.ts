// Two hosts hear the same Gateway and share a queue; each has a worker of its own.
// Watch for: both deliver all three messages, and Redis holds three jobs. One worker does each job.
// Needs Redis: at REDIS_URL, else on this machine.
import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import { createInbox, type ProactiveMessage } from "openclaw-inbox";
import { bullmq } from "openclaw-inbox/bullmq";
import { createFakeGateway } from "openclaw-inbox/testing";
import { lastValueFrom, Subject, take } from "rxjs";

const connection = { url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" };
const gateway = await createFakeGateway();
const queue = new Queue<ProactiveMessage>(`proactive-${randomUUID()}`, { connection });
const jobs$ = new Subject<string>();
const allDone = lastValueFrom(jobs$.pipe(take(3)));

const hosts = ["a", "b"].map((host) => {
  const work = async ({ data }: { data: ProactiveMessage }) => {
    console.log(`A worker posts "${data.text}"`);
    jobs$.next(data.id);
  };
  const worker = new Worker<ProactiveMessage>(queue.name, work, { connection });
  const deliver = bullmq(queue, { jobOptions: { attempts: 5, backoff: { type: "exponential", delay: 1_000 } } });
  const inbox = createInbox({ gateway: { url: gateway.url, token: gateway.token, owner: host }, deliver });
  return { host, worker, inbox, handedOver: lastValueFrom(inbox.deliveries$.pipe(take(3))) };
});
for (const { inbox } of hosts) await inbox.start();
for (const text of ["One.", "Two.", "Three."]) gateway.say(text, { sessionKey: "agent:main:team", origin: "cron" });

await Promise.all([allDone, ...hosts.map(({ handedOver }) => handedOver)]);
for (const { host, inbox } of hosts) console.log(`Host ${host} delivered ${inbox.stats().delivered}`);
await Promise.all(hosts.flatMap(({ inbox, worker }) => [inbox.stop(), worker.close()]));
console.log(`Jobs in Redis: ${await queue.getJobCountByTypes("completed", "waiting", "active", "failed")}`);
await queue.obliterate(); // An example cleans up; an app keeps finished jobs, which is how repeats are known.
await queue.close();
await gateway.close();
