import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REDIS_SERVER, startRedisServer } from "../../../bench/support/redis-server.js";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { leaveOut } from "../../support/program.js";
import { runCli } from "../run-cli.js";

const ARGS = ["doctor", "--allow-private-issuers"];
const KEY = Buffer.alloc(32, 1).toString("base64url");

describe("doctor --store file:DIR", () => {
  test("reports a store that works, and ends with 0", async () => {
    await using world = await startDoctorWorld();
    const store = `file:${join(world.folder, "store")}`;
    const { exitCode, stdout } = await runCli([...ARGS, "--store", store], { env: world.env });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Shared store\n");
    expect(stdout).toMatch(/✓ file \(.*store\):/);
  });

  test("reports a directory that is open to other users, with the command that closes it", async () => {
    await using world = await startDoctorWorld();
    const directory = join(world.folder, "store");
    await mkdir(directory);
    await chmod(directory, 0o755);
    const { exitCode, stdout } = await runCli([...ARGS, "--store", `file:${directory}`], {
      env: world.env,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^! DEGRADED {2}The role can be assumed\. The shared store does not work\./,
    );
    expect(stdout).toContain("chmod go-rwx");
    expect(stdout).toContain("store-directory-unsafe (suspect)");
  });

  test("can't be used with --issuer, which ignores a store that the environment names", async () => {
    await using world = await startDoctorWorld();
    const issuer = ["--issuer", world.idp.issuer];
    const both = await runCli([...ARGS, ...issuer, "--store", "file"]);
    expect(both.exitCode).toBe(2);
    const env = { RESILIENT_STS_STORE: "redis://127.0.0.1:1" };
    const alone = await runCli([...ARGS, ...issuer], { env });
    expect(alone.exitCode).toBe(0);
    expect(alone.stdout).not.toContain("Shared store");
  });
});

if (REDIS_SERVER === undefined) {
  leaveOut("doctor --store redis://", "redis-server");
} else {
  describe("doctor --store redis://HOST", () => {
    /** The findings of the command about the store. */
    async function findings(url: string, password = "") {
      await using world = await startDoctorWorld();
      const keys = join(world.folder, "keys");
      await writeFile(keys, `2026-11:${KEY}\n`, { mode: 0o600 });
      const env = { ...world.env, RESILIENT_STS_STORE: url.replace("//", `//${password}`) };
      const { stdout } = await runCli([...ARGS, "--json", "--store-keys", keys], { env });
      const diagnosis = JSON.parse(stdout) as Diagnosis;
      expect(stdout).not.toContain(KEY);
      return diagnosis.findings.filter(({ id }) => id.startsWith("store-"));
    }

    test("reports no finding for a Redis that works", async () => {
      await using redis = await startRedisServer();
      expect(await findings(redis.url)).toEqual([]);
    });

    test("names the error of the connection, such as a closed port or a wrong password", async () => {
      const redis = await startRedisServer();
      await using _ = redis;
      expect(await findings(redis.url, "app:secret-word@")).toMatchObject([
        { id: "store-access-denied", title: "Redis rejects the user name or the password." },
      ]);
      await redis[Symbol.asyncDispose]();
      const [finding] = await findings(redis.url);
      expect(finding?.id).toBe("store-unreachable");
      expect(finding?.detail).toContain("ECONNREFUSED");
    });

    test("refuses to start without keys, in one line", async () => {
      const { exitCode, stderr } = await runCli([...ARGS, "--store", "redis://127.0.0.1:1"]);
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(/^resilient-sts: --store redis:\/\/ needs keys[^\n]+\n$/);
    });
  });
}
