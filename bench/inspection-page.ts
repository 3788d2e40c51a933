import { once } from "node:events";

// A page of the inspector without a browser, in a process of its own: it reads every update from the address that
// it is told on stdin, and says so once it has the first.
const [address] = (await once(process.stdin, "data")) as [Buffer];
const response = await fetch(String(address).trim());
let isFirst = true;
for await (const _ of response.body ?? []) {
  if (isFirst) process.stdout.write("looking\n");
  isFirst = false;
}
