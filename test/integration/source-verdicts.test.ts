import { describe, expect, test, vi } from "vitest";
import { isWebIdentityError, type WebIdentityError } from "../../src/model/errors.js";
import { type TokenSource, TokenSourceError } from "../../src/model/token-source.js";
import { rejection, startWorld, type World } from "../support/world.js";

const HINT = "Workload: set MY_TOKEN.";
const permanent = () => new TokenSourceError("no token", { retryable: false, hint: HINT });
const passing = (retryAfterMs?: number) =>
  new TokenSourceError("not up yet", { retryable: true, retryAfterMs, hint: "Wait." });

/** A source that fails `times` times and then returns a token. */
const failing = (world: World, times: number, error: () => unknown) => {
  let calls = 0;
  return vi.fn(async () => {
    calls += 1;
    if (calls <= times) throw error();
    return world.idp.issueToken();
  });
};

async function failureOf(world: World, token: TokenSource): Promise<WebIdentityError> {
  const error = await rejection(world.provide({}, { token })());
  if (!isWebIdentityError(error)) throw error;
  return error;
}

describe("an error of a token source", () => {
  test("that is retryable is retried until the source returns a token", async () => {
    await using world = await startWorld();
    const token = failing(world, 12, passing);
    await expect(world.provide({}, { token })()).resolves.toHaveProperty("accessKeyId");
    expect(token).toHaveBeenCalledTimes(13);
  });

  test("that is retryable is retried until the budget ends", async () => {
    await using world = await startWorld();
    const token = failing(world, Number.POSITIVE_INFINITY, passing);
    const start = world.clock.monotonic();
    const error = await failureOf(world, token);
    expect(error).toMatchObject({ code: "ERR_TOKEN_UNAVAILABLE", hint: "Wait." });
    const elapsedMs = world.clock.monotonic() - start;
    expect(elapsedMs).toBeGreaterThan(50_000);
    expect(elapsedMs).toBeLessThanOrEqual(60_000);
  });

  test("that states a wait is retried after it", async () => {
    await using world = await startWorld();
    const token = failing(world, 1, () => passing(4_000));
    const start = world.clock.monotonic();
    await world.provide({}, { token })();
    expect(world.clock.monotonic() - start).toBeGreaterThanOrEqual(4_000);
  });

  test("that is permanent ends the refresh after one attempt, with its hint", async () => {
    await using world = await startWorld();
    const token = failing(world, 1, permanent);
    const error = await failureOf(world, token);
    expect(error).toMatchObject({ code: "ERR_TOKEN_UNAVAILABLE", hint: HINT });
    expect(error.message).toContain("no token");
    expect(token).toHaveBeenCalledTimes(1);
  });

  test.each<[string, () => unknown]>([
    ["as the cause of another error", () => new Error("wrapped", { cause: permanent() })],
    [
      "of another copy of this package",
      () => Object.assign(new Error("x"), { name: "TokenSourceError", retryable: false }),
    ],
  ])("is recognized %s", async (_, error) => {
    await using world = await startWorld();
    const token = failing(world, 1, error);
    await failureOf(world, token);
    expect(token).toHaveBeenCalledTimes(1);
  });

  test.each<[string, unknown]>([
    ["without a verdict", new Error("x")],
    ["of another name", Object.assign(new Error("x"), { retryable: false })],
    [
      "whose verdict is not a boolean",
      Object.assign(new Error("x"), { name: "TokenSourceError", retryable: "no" }),
    ],
  ])("%s gets two retries", async (_, error) => {
    await using world = await startWorld();
    const token = failing(world, Number.POSITIVE_INFINITY, () => error);
    await failureOf(world, token);
    expect(token).toHaveBeenCalledTimes(3);
  });

  test("shows no token that its hint contains", async () => {
    await using world = await startWorld();
    const secret = await world.idp.issueToken();
    const hint = `Workload: replace ${secret}.`;
    const error = await failureOf(
      world,
      failing(world, 1, () => new TokenSourceError(secret, { retryable: false, hint })),
    );
    expect(JSON.stringify([error, error.message, error.findings])).not.toContain(secret);
  });
});

describe("a source that can't renew its token", () => {
  const fixed = (token: string) => {
    const calls = vi.fn(async () => token);
    return Object.assign(calls, { renewable: false });
  };

  test("ends the refresh immediately when STS reports the token as expired", async () => {
    await using world = await startWorld();
    world.sts.setFault("token-expired");
    const token = fixed(await world.idp.issueToken());
    const error = await failureOf(world, token);
    expect(error.code).toBe("ERR_TOKEN_EXPIRED");
    expect(error.message).toContain("the token source can't get a newer one");
    expect(error.hint).toMatch(/^Workload: start the job or the process again\./);
    expect(token).toHaveBeenCalledTimes(1);
    expect(world.calls()).toBe(1);
  });

  test("is called again after any other failure", async () => {
    await using world = await startWorld();
    world.sts.failNext("sts-unavailable", { times: 2 });
    const token = fixed(await world.idp.issueToken());
    await world.provide({}, { token })();
    expect(token).toHaveBeenCalledTimes(3);
  });

  test("differs from a renewable one, which is called again for an expired token", async () => {
    await using world = await startWorld();
    world.sts.failNext("token-expired");
    const token = vi.fn(() => world.idp.issueToken());
    await world.provide({}, { token })();
    expect(token).toHaveBeenCalledTimes(2);
  });
});
