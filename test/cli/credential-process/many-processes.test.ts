import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCli, buildCli } from "../built-cli.js";
import { startCredentialsWorld } from "../credentials-world.js";

/** How long a stored refusal is repeated to processes without credentials, in milliseconds. */
const REFUSAL_MS = 5_000;
/** Two processors start some twenty processes a second. */
const TIMEOUT = { timeout: 180_000 };

let cli: BuiltCli;
beforeAll(async () => {
  cli = await buildCli({ withPackages: true });
});
afterAll(() => cli[Symbol.asyncDispose]());

type World = Awaited<ReturnType<typeof startCredentialsWorld>>;

/** The different responses of processes that start together. */
async function startTogether({ env }: World, count: number) {
  const started = Array.from({ length: count }, () => cli.run(["credential-process"], env));
  const outputs = await Promise.all(started);
  return [...new Set(outputs.map((output) => JSON.stringify(output)))].map((text) =>
    JSON.parse(text),
  );
}

const CREDENTIALS = {
  exitCode: 0,
  stdout: expect.stringMatching(/^\{"Version":1,"AccessKeyId":"ASIA/),
  stderr: "",
};
const REFUSAL = {
  exitCode: 1,
  stdout: "",
  stderr: expect.stringMatching(/^resilient-sts: ERR_ACCESS_DENIED: .*trust policy/),
};

describe("24 processes that start together with nothing stored", () => {
  test("print the same credentials, with one call to STS", TIMEOUT, async () => {
    await using world = await startCredentialsWorld();
    expect(await startTogether(world, 24)).toEqual([CREDENTIALS]);
    expect(world.calls()).toBe(1);
  });

  test("fail in the same words when STS refuses, with one call to STS", TIMEOUT, async () => {
    await using world = await startCredentialsWorld();
    world.sts.setFault("access-denied");
    expect(await startTogether(world, 24)).toEqual([REFUSAL]);
    expect(world.calls()).toBe(1);
  });
});

describe("200 processes that start together with nothing stored", () => {
  test("print the same credentials, which STS issued once", TIMEOUT, async () => {
    await using world = await startCredentialsWorld();
    expect(await startTogether(world, 200)).toEqual([CREDENTIALS]);
    // While two hundred processes start, the one that calls may get no response in time, and call again.
    expect(world.sts.requests.filter(({ granted }) => granted !== undefined)).toHaveLength(1);
  });

  test(
    "fail in the same words when STS refuses, with one call every five seconds",
    TIMEOUT,
    async () => {
      await using world = await startCredentialsWorld();
      world.sts.setFault("access-denied");
      const startedAt = performance.now();
      expect(await startTogether(world, 200)).toEqual([REFUSAL]);
      const calls = Math.ceil((performance.now() - startedAt) / REFUSAL_MS);
      expect(world.calls()).toBeLessThanOrEqual(calls);
    },
  );
});
