/**
 * A process that listens to the Gateway at argv[2] and prints each link event on a line of its own.
 * argv[3] names the link event upon which it closes its source, or is absent. It never calls `process.exit`.
 */
import { gatewaySource } from "../../src/source/gateway/gateway.ts";

const [url = "", closeOn] = process.argv.slice(2);
const source = gatewaySource({ url, token: "a-token" });

source.open({
  frame() {},
  link(event) {
    console.log(event.type);
    if (event.type === closeOn) void source.close().then(() => console.log("closed"));
  },
});
