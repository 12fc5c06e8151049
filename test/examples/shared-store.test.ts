import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { freePort, REDIS_SERVER, startRedisServer } from "../../bench/support/redis-server.js";
import { leaveOut } from "../support/program.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { type ExampleWorld, ROLE_ARN, startWorld } from "./example-world.js";
import { runExample } from "./run-example.js";

/** Runs the example as two processes, one after the other, and returns the source of each one's credentials. */
async function runTwice(
  world: ExampleWorld,
  env: Readonly<Record<string, string>>,
): Promise<readonly (string | undefined)[]> {
  const sources = [];
  for (let n = 0; n < 2; n += 1) {
    const { stdout, exitCode } = await runExample("shared-store.ts", {
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ROLE_ARN: ROLE_ARN,
      AWS_WEB_IDENTITY_TOKEN_FILE: world.tokenFile,
      ...env,
    });
    expect(exitCode).toBe(0);
    sources.push(/^Credentials from (\w+), until 20\d\d-/.exec(stdout)?.[1]);
  }
  return sources;
}

describe("the second process of shared-store.ts gets its credentials", {
  timeout: 60_000,
}, () => {
  test("from the directory that the first process wrote", async () => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const env = { XDG_RUNTIME_DIR: folder.path };
    expect(await runTwice(world, env)).toEqual(["sts", "store"]);
    expect(world.sts.requests).toHaveLength(1);
  });

  const STORE_KEY = randomBytes(32).toString("base64url");
  if (REDIS_SERVER === undefined) leaveOut("an example with Redis", "redis-server");
  else {
    test("from Redis", async () => {
      await using world = await startWorld();
      await using redis = await startRedisServer();
      const env = { REDIS_URL: redis.url, STORE_KEY };
      expect(await runTwice(world, env)).toEqual(["sts", "store"]);
      expect(world.sts.requests).toHaveLength(1);
    });
  }

  test("from STS when Redis is not reachable", async () => {
    await using world = await startWorld();
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}`, STORE_KEY };
    expect(await runTwice(world, env)).toEqual(["sts", "sts"]);
  });
});
