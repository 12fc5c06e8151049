import { describe, expect, test } from "vitest";
import type { LocalStsOptions } from "../../src/testing/index.js";
import { REGION, ROLE_ARN, rejection, startWorld } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

describe("an STS that is not AWS's", () => {
  test.each<[string, LocalStsOptions]>([
    ["without AssumedRoleUser", { omit: ["AssumedRoleUser"] }],
    [
      "without anything but credentials",
      {
        omit: [
          "AssumedRoleUser",
          "Audience",
          "Provider",
          "PackedPolicySize",
          "SubjectFromWebIdentityToken",
        ],
      },
    ],
    ["with milliseconds", { expirationPrecision: "milliseconds" }],
    ["with nanoseconds", { expirationPrecision: "nanoseconds" }],
  ])("may return %s", async (_, responses) => {
    await using world = await startWorld(responses);
    const { expiration, accountId, sessionToken } = await world.provide()();
    const hour = Math.floor(world.clock.now() / 1000) + 3600;
    expect(Math.floor((expiration?.getTime() ?? 0) / 1000)).toBe(hour);
    const named = responses.omit?.includes("AssumedRoleUser") ? undefined : "123456789012";
    expect(accountId).toBe(named);
    expect(sessionToken).toMatch(/\w/);
  });

  test.each([undefined, 900])(
    "may leave out the expiration of credentials (requested for %s s)",
    async (seconds) => {
      await using world = await startWorld({ omit: ["Expiration"] });
      const provider = world.provide({ durationSeconds: seconds });
      const { expiration } = await provider();
      expect(expiration?.getTime()).toBe(world.clock.now() + (seconds ?? 3600) * 1000);
      await world.clock.advance((seconds ?? 3600) * 1000);
      await provider();
      expect(world.calls()).toBe(2);
    },
  );

  test.each(["role/app", "arn:aws:iam:::role/app", "arn:minio:iam:::role/x"])(
    "may have role ARNs of another form: %s",
    async (roleArn) => {
      await using world = await startWorld();
      await rejection(world.provide({ roleSessionName: "a b" }, { roleArn })());
      expect(world.sts.requests[0]?.parameters).toMatchObject({ RoleArn: roleArn });
    },
  );

  test("that returns expired credentials causes an error", async () => {
    await using world = await startWorld({ credentialLifetimeSeconds: -1 });
    const types: string[] = [];
    const provider = world.provide({ onEvent: ({ type }) => types.push(type) });
    expect(await rejection(provider())).toMatchObject({
      code: "ERR_STS_UNAVAILABLE",
      message: expect.stringContaining("credentials that have expired"),
      hint: expect.stringContaining("clock"),
    });
    const never = { lastSuccessAt: undefined, region: undefined };
    expect(provider.status()).toMatchObject({ state: "empty", ...never });
    expect(types).toEqual(["token.loaded", "refresh.failed"]);
  });

  test("that returns expired credentials at a refresh leaves the valid ones in the cache", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const first = await provider();
    world.sts.configure({ credentialLifetimeSeconds: -1 });
    expect(await provider({ forceRefresh: true })).toBe(first);
    expect(provider.status()).toMatchObject({ lastError: { code: "ERR_STS_UNAVAILABLE" } });
  });
});

const XML = "<ErrorResponse><Error><Message>no</Message></Error></ErrorResponse>";

describe("a response that is not STS's own is never a refusal by IAM", () => {
  test.each<[number, string, string, string, number]>([
    [400, "an empty body", "", "ERR_STS_UNAVAILABLE", 3],
    [401, "an empty body", "", "ERR_STS_UNAVAILABLE", 3],
    [403, "an empty body", "", "ERR_STS_UNAVAILABLE", 3],
    [404, "an empty body", "", "ERR_STS_UNAVAILABLE", 3],
    [429, "an empty body", "", "ERR_THROTTLED", 4],
    [500, "an empty body", "", "ERR_STS_UNAVAILABLE", 4],
    [502, "an empty body", "", "ERR_STS_UNAVAILABLE", 4],
    [401, "a page", "<!DOCTYPE html><html><body>Login<br></body></html>", "ERR_STS_UNAVAILABLE", 3],
    [403, "a page", "<html><body>Forbidden</body></html>", "ERR_STS_UNAVAILABLE", 3],
    [404, "a page", "<html><body>Not found</body></html>", "ERR_STS_UNAVAILABLE", 3],
    [429, "a page", "<html><body>Slow down</body></html>", "ERR_THROTTLED", 4],
    [503, "a page", "<html><body>Maintenance</body></html>", "ERR_STS_UNAVAILABLE", 4],
    [200, "a page", "<html><body>Please log in</body></html>", "ERR_STS_UNAVAILABLE", 4],
    [200, "an empty body", "", "ERR_STS_UNAVAILABLE", 4],
    [200, "JSON", '{"ok":true}', "ERR_STS_UNAVAILABLE", 4],
    [403, "JSON", '{"message":"Forbidden"}', "ERR_STS_UNAVAILABLE", 3],
    [429, "JSON", '{"message":"Too many"}', "ERR_THROTTLED", 4],
    [500, "JSON", '{"message":"Oops"}', "ERR_STS_UNAVAILABLE", 4],
    [403, "an error without a code", XML, "ERR_STS_UNAVAILABLE", 3],
    [429, "an error without a code", XML, "ERR_THROTTLED", 4],
    [500, "an error without a code", XML, "ERR_STS_UNAVAILABLE", 4],
  ])("%s with %s", async (status, _, body, code, calls) => {
    await using world = await startWorld();
    const requestHandler = new RecordingHandler({ status, body });
    const clientConfig = { requestHandler, region: REGION };
    const provider = world.provide({ clientConfig, retry: { maxAttempts: 4 } });
    const error = await rejection(provider());
    expect(error).toMatchObject({ name: "WebIdentityError", code });
    expect(error).toHaveProperty("message", expect.stringContaining(ROLE_ARN));
    expect(error).toHaveProperty("attempts[0].httpStatus", status);
    expect(requestHandler.requests).toHaveLength(calls);
  });
});
