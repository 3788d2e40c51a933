// A page of the inspector without a browser: it reads every update, and says so once it has the first.
const response = await fetch(`${process.argv[2]}updates`);
let isFirst = true;
for await (const _ of response.body ?? []) {
  if (isFirst) process.stdout.write("looking\n");
  isFirst = false;
}
