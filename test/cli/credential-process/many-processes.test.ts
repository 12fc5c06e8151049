import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltCli, buildCli } from "../built-cli.js";
import { startCredentialsWorld } from "../credentials-world.js";

const COUNT = 200;
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

/** What as many processes print that start together, each different answer once. */
async function startTogether({ env }: World) {
  const started = Array.from({ length: COUNT }, () => cli.run(["credential-process"], env));
  const answers = await Promise.all(started);
  return [...new Set(answers.map((answer) => JSON.stringify(answer)))].map((text) =>
    JSON.parse(text),
  );
}

describe(`${COUNT} processes that start together with nothing stored`, () => {
  test("print the same credentials, which STS issued once", TIMEOUT, async () => {
    await using world = await startCredentialsWorld();
    const answers = await startTogether(world);
    const stdout = expect.stringMatching(/^\{"Version":1,"AccessKeyId":"ASIA/);
    expect(answers).toEqual([{ exitCode: 0, stdout, stderr: "" }]);
    // On a busy machine the same process may have called before, without an answer in time.
    expect(world.sts.requests.filter(({ granted }) => granted !== undefined)).toHaveLength(1);
  });

  test(
    "fail in the same words when STS refuses, with one call in five seconds",
    TIMEOUT,
    async () => {
      await using world = await startCredentialsWorld();
      world.sts.setFault("access-denied");
      const startedAt = performance.now();
      const answers = await startTogether(world);
      const stderr = expect.stringMatching(/^resilient-sts: ERR_ACCESS_DENIED: .*trust policy/);
      expect(answers).toEqual([{ exitCode: 1, stdout: "", stderr }]);
      const calls = Math.ceil((performance.now() - startedAt) / REFUSAL_MS);
      expect(world.calls()).toBeLessThanOrEqual(calls);
    },
  );
});
