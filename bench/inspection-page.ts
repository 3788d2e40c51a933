import { once } from "node:events";

// A page of the inspector without a browser, in its own process. It gets the address on stdin, reads every update, and
// prints a line when it has the first.
const [address] = (await once(process.stdin, "data")) as [Buffer];
const response = await fetch(String(address).trim());
let isFirst = true;
for await (const _ of response.body ?? []) {
  if (isFirst) process.stdout.write("looking\n");
  isFirst = false;
}
