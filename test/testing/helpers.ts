import { onTestFinished } from "vitest";
import { createFakeGateway, type FakeGateway, type FakeGatewayOptions } from "../../src/testing/index.ts";

export { type Client, connectClient, connectParams, openClient } from "./client.ts";

/** A fake Gateway that is closed when the test is over. */
export async function fakeGateway(options: FakeGatewayOptions = {}): Promise<FakeGateway> {
  const gateway = await createFakeGateway(options);
  onTestFinished(() => gateway.close());
  return gateway;
}
