import { expect, test } from "vitest";
import type { WebIdentityEvent } from "../../src/index.js";
import { rejection, startWorld } from "../support/world.js";

test("no region is reported for a role assumer, whose region is unknown", async () => {
  await using world = await startWorld();
  const events: WebIdentityEvent[] = [];
  let isDown = true;
  const provider = world.provide({
    clientConfig: {},
    retry: { maxAttempts: 1 },
    onEvent: (event) => events.push(event),
    roleAssumerWithWebIdentity: async () => {
      if (isDown) throw Object.assign(new Error("reset"), { code: "ECONNRESET" });
      return { accessKeyId: "AKID", secretAccessKey: "secret" };
    },
  });
  const error = await rejection(provider());
  expect(error).toMatchObject({
    code: "ERR_STS_UNAVAILABLE",
    attempts: [{ code: "ECONNRESET" }],
    message: expect.not.stringContaining("us-east-1"),
  });
  expect(error).not.toHaveProperty("attempts[0].region", expect.anything());
  isDown = false;
  await world.clock.advance(1_000);
  await provider();
  expect(events.map(({ type }) => type)).toEqual([
    "token.loaded",
    "attempt.failed",
    "refresh.failed",
    "token.loaded",
    "credentials.refreshed",
  ]);
  expect(events.at(-1)).toMatchObject({ region: undefined });
  expect(provider.status()).toMatchObject({ state: "fresh", region: undefined, regions: [] });
});

test("an expiration of null is none: calls and status() work", async () => {
  await using world = await startWorld();
  const keys = { accessKeyId: "AKID", secretAccessKey: "secret", expiration: null };
  const provider = world.provide({ roleAssumerWithWebIdentity: async () => keys as never });
  await provider();
  expect(await provider()).not.toHaveProperty("expiration");
  expect(provider.status()).toMatchObject({ state: "fresh", expiresAt: undefined });
});
