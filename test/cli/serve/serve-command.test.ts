import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROLE_ARN, startCredentialsWorld } from "../credentials-world.js";
import { finished, runCli, startCli, waitFor } from "../run-cli.js";

describe("serve", () => {
  test("prints where it is ready, writes the token file, and ends with 0 on SIGTERM", async () => {
    await using world = await startCredentialsWorld();
    const tokens = join(world.folder, "tokens");
    const readyFile = join(world.folder, "ready");
    const role = `app=${ROLE_ARN}`;
    const child = startCli(
      [
        "serve",
        "--role",
        role,
        "--listen",
        "127.0.0.1:0",
        "--token-dir",
        tokens,
        "--ready-file",
        readyFile,
      ],
      world,
    );
    const line = await waitFor(child, /ready at/);
    expect(await readFile(readyFile, "utf8")).toBe(line);
    expect(await readFile(join(tokens, "app.token"), "utf8")).toMatch(/^[\w-]{43}$/);
    child.kill("SIGTERM");
    const { exitCode, stderr } = await finished(child);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/role app: refreshed after 1 attempt, valid until/);
    expect(await readdir(tokens)).toEqual([]);
  });

  test("prints the variables for another program, without the token", async () => {
    const { stdout, exitCode } = await runCli([
      "serve",
      "--print-env",
      "app",
      "--token-dir",
      "/run/aws it's",
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      "export AWS_CONTAINER_CREDENTIALS_FULL_URI='http://127.0.0.1:9912/v1/roles/app'\n" +
        "export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='/run/aws it'\\''s/app.token'\n",
    );
  });
});

describe("wrong usage of serve ends with 2 and says what to do", () => {
  test.each([
    [["serve"], /there is no --token-dir/],
    [["serve", "--print-env", "app"], /--print-env needs --token-dir/],
    [["serve", "--print-env", "a/b", "--token-dir", "x"], /takes the name of a role/],
  ])("%j", async (args, words) => {
    const { exitCode, stderr, stdout } = await runCli(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(words);
  });
});
