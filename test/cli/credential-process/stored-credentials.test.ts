import { execFileSync } from "node:child_process";
import { open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readOptions } from "../../../src/cli/command-spec.js";
import {
  readRequest,
  SPEC,
  storedCredentials,
} from "../../../src/cli/credential-process/stored-credentials.js";
import { type BuiltCli, buildCli } from "../built-cli.js";
import { startCredentialsWorld } from "../credentials-world.js";

let cli: BuiltCli;
beforeAll(async () => {
  cli = await buildCli({ withPackages: true });
});
afterAll(() => cli[Symbol.asyncDispose]());

type World = Awaited<ReturnType<typeof startCredentialsWorld>>;

const cacheOf = ({ folder }: World) => join(folder, "cache");

const get = (world: World, ...args: string[]) =>
  cli.run(["credential-process", "--cache", cacheOf(world), ...args], world.env);

/** The response that `bin.ts` prints without the rest of the program. */
const stored = (world: World, ...args: string[]) =>
  storedCredentials(["--cache", cacheOf(world), ...args], world.env);

test("the stored response is exactly what the command prints", async () => {
  await using world = await startCredentialsWorld();
  const options = ["--duration", "30m", "--region", "eu-west-3", "--min-ttl", "5m"];
  for (const args of [[], options]) {
    const { stdout } = await get(world, ...args);
    expect(await stored(world, ...args)).toBe(stdout);
  }
  expect(world.calls()).toBe(2);
});

test.each([
  [["--help"]],
  [["--version"]],
  [["--print-config"]],
  [["--cache", "off"]],
  [["--cache", "/proc/none"]],
  [["--min-ttl", "soon"]],
  [["--timeout", "1h"]],
  [["--profile", "none"]],
  [["--duration", "2h"]],
  [["--odd"]],
  [["word"]],
])("no stored response is used for %j", async (args) => {
  await using world = await startCredentialsWorld();
  await get(world);
  expect(await stored(world, ...args)).toBeUndefined();
});

test("no stored response is used when nothing or only a refusal is stored", async () => {
  await using world = await startCredentialsWorld();
  expect(await stored(world)).toBeUndefined();
  world.sts.setFault("access-denied", { times: 1 });
  await get(world);
  expect(await stored(world)).toBeUndefined();
});

test("no stored response is used when the credentials must be refreshed", async () => {
  await using world = await startCredentialsWorld();
  await get(world);
  expect(await stored(world)).toBeDefined();
  const names = await readdir(cacheOf(world));
  const file = join(cacheOf(world), names.find((name) => /\.credentials\.json$/.test(name)) ?? "");
  const record = JSON.parse(await readFile(file, "utf8"));
  const expiresAt = Date.now() + 15 * 60_000;
  const value = { ...record.value, issuedAt: expiresAt - 3_600_000, expiresAt };
  await writeFile(file, JSON.stringify({ ...record, until: expiresAt, value }));
  expect(await stored(world)).toBeUndefined();
});

test("a token file that is a pipe neither blocks the command nor is read for the cache", async () => {
  await using world = await startCredentialsWorld();
  const file = join(world.folder, "pipe");
  execFileSync("mkfifo", [file]);
  // Without a writer, to open it for reading would block; with this one, the token stays in the pipe.
  expect(await stored(world, "--token-file", file)).toBeUndefined();
  const pipe = await open(file, "r+");
  await pipe.write("token");
  expect(await stored(world, "--token-file", file)).toBeUndefined();
  expect((await pipe.read(Buffer.alloc(5))).bytesRead).toBe(5);
  await pipe.close();
  const { key } = await readRequest(readOptions(SPEC, ["--token-file", file]).values, world.env);
  expect(key).toBe("");
});

test("no stored response is used when the program of the token source runs the command", async () => {
  await using world = await startCredentialsWorld();
  await get(world);
  const { key } = await readRequest(readOptions(SPEC, []).values, world.env);
  const env = { ...world.env, RESILIENT_STS_CREDENTIAL_PROCESS: key };
  expect(await stored({ ...world, env })).toBeUndefined();
});
