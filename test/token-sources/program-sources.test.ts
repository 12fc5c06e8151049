import { chmodSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { buildkite, circleci, type PlatformTokenSource } from "../../src/token-sources/index.js";
import { makeToken } from "../support/make-token.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { abortSoon, callSource, everythingOf, failureOf } from "./call-source.js";

const TOKEN = makeToken();
const SECRET = "agent-access-token-of-this-test";

type Env = Readonly<Record<string, string>>;
type Create = (init: { env: Env; audience?: string; timeoutMs?: number }) => PlatformTokenSource;

const PROGRAMS: readonly (readonly [string, Create, readonly string[]])[] = [
  ["circleci", circleci, ["run", "oidc", "get", "--claims", '{"aud":"sts.amazonaws.com"}']],
  ["buildkite-agent", buildkite, ["oidc", "request-token", "--audience", "sts.amazonaws.com"]],
];

/** The platform's program as a script of this test, which notes its arguments. */
function install(name: string, script: string) {
  const folder = temporaryFolder();
  const file = folder.write(
    name,
    `#!/bin/sh\nprintf '%s\\n' "$@" >"${folder.path}/args"\n${script}\n`,
  );
  chmodSync(file, 0o755);
  const env = {
    PATH: `${folder.path}:/usr/bin:/bin`,
    CIRCLE_OIDC_TOKEN: SECRET,
    BUILDKITE_JOB_ID: "job",
    BUILDKITE_AGENT_ACCESS_TOKEN: SECRET,
  };
  return { folder, env, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function argumentsOf({ folder }: ReturnType<typeof install>): Promise<string[]> {
  const { readFile } = await import("node:fs/promises");
  return (await readFile(`${folder.path}/args`, "utf8")).trimEnd().split("\n");
}

describe.each(PROGRAMS)("the program %s", (name, create, args) => {
  test("prints the token", async () => {
    using world = install(name, `echo ${TOKEN}; echo "a notice" >&2`);
    await expect(callSource(create({ env: world.env }))).resolves.toBe(TOKEN);
    expect(await argumentsOf(world)).toEqual(args);
  });

  test.each(["a&b=c d", "$(touch x)", '"; exit 1 #', "ü"])(
    "receives the audience %j as one argument, without a shell",
    async (audience) => {
      using world = install(name, `echo ${TOKEN}`);
      await callSource(create({ audience, env: world.env }));
      expect((await argumentsOf(world)).at(-1)).toBe(
        name === "circleci" ? JSON.stringify({ aud: audience }) : audience,
      );
    },
  );

  test("that is missing is permanent, and the error names it", async () => {
    using world = install("another", "exit 0");
    const error = await failureOf(create({ env: { ...world.env, PATH: world.folder.path } }));
    expect(error).toMatchObject({
      ...{ code: "ERR_SOURCE_NOT_CONFIGURED", retryable: false },
      message: `${name} can't be started: ENOENT`,
    });
    expect(error.hint).toContain("PATH");
  });

  test("that can't be executed is permanent", async () => {
    using world = install(name, "exit 0");
    chmodSync(`${world.folder.path}/${name}`, 0o644);
    const env = { ...world.env, PATH: world.folder.path };
    expect(await failureOf(create({ env }))).toMatchObject({ retryable: false });
  });

  test.each([
    ["an outage", "dial tcp: connection refused", true],
    ["a server error", "POST https://agent.example.com: 503 Service Unavailable", true],
    ["a rate limit", "429 Too Many Requests", true],
    ["a refusal", "POST https://agent.example.com: 403 Forbidden", false],
    ["a wrong option", "flag provided but not defined: -audience", false],
    ["no message", "", true],
  ])(
    "that fails with %s reports whether another attempt can help",
    async (_, stderr, retryable) => {
      using world = install(name, `echo "${stderr}" >&2; exit 3`);
      const error = await failureOf(create({ env: world.env }));
      expect(error.retryable).toBe(retryable);
      expect(error.message).toBe(`${name} ended with exit code 3${stderr && `: ${stderr}`}`);
    },
  );

  test("that prints nothing, or too much, is an error", async () => {
    using silent = install(name, "exit 0");
    expect((await failureOf(create({ env: silent.env }))).message).toBe(`${name} printed no token`);
    using loud = install(name, "head -c 100000 /dev/zero | tr '\\0' a");
    const error = await failureOf(create({ env: loud.env }));
    expect(error.message).toBe(`${name} printed more than 64 KiB`);
    expect(error.retryable).toBe(true);
  });

  test("that hangs is killed at the limit, or with the caller's signal", async () => {
    using world = install(name, "exec sleep 600");
    const late = await failureOf(create({ timeoutMs: 200, env: world.env }));
    expect(late).toMatchObject({ retryable: true, message: "no token within 200 ms" });
    const { signal, reason } = abortSoon();
    await expect(callSource(create({ env: world.env }), signal)).rejects.toBe(reason);
  });

  test("that prints a token and a secret and fails shows neither in the error", async () => {
    using world = install(name, `echo ${TOKEN}; echo "${TOKEN} ${SECRET}" >&2; exit 1`);
    const shown = everythingOf(await failureOf(create({ env: world.env })));
    expect(shown).not.toContain(TOKEN);
    expect(shown).not.toContain(SECRET);
  });
});

test("buildkite requests the given lifetime", async () => {
  using world = install("buildkite-agent", `echo ${TOKEN}`);
  await callSource(buildkite({ lifetimeSeconds: 600, env: world.env }));
  expect((await argumentsOf(world)).slice(-2)).toEqual(["--lifetime", "600"]);
});
