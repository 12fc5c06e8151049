import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { COMMANDS } from "../../src/cli/commands.js";
import { runCli } from "../cli/run-cli.js";
import { ROOT } from "../support/sources.js";
import { CODE_BLOCKS, callsOfProgram, PAGES, readPage } from "./code-blocks.js";

/** The options that `--help` of each command names. */
const options = new Map<string, readonly string[]>();

beforeAll(async () => {
  for (const command of Object.keys(COMMANDS)) {
    const { stdout } = await runCli([command, "--help"]);
    options.set(command, stdout.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []);
  }
}, 60_000);

const of = (...languages: string[]) =>
  CODE_BLOCKS.filter(({ language }) => languages.includes(language)).map(
    (block) => [block.place, block.text] as const,
  );

describe("a shell script of the documentation", () => {
  test.each(of("sh"))("%s has a syntax that bash accepts", (_, text) => {
    expect(() => execFileSync("bash", ["-n"], { input: text, stdio: "pipe" })).not.toThrow();
  });

  test.each(of("sh"))("%s runs only npm scripts that exist", (_, text) => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = [...text.matchAll(/npm (?:run )?(demo|test|run [\w:]+)/g)].map(
      ([, name]) => name,
    );
    expect(named.filter((name) => !(name ?? "" in scripts))).toEqual([]);
  });
});

describe("a call of the program in a code block", () => {
  const calls = CODE_BLOCKS.filter(({ language }) => language !== "text").flatMap(
    ({ place, text }) => callsOfProgram(text).map((words) => [place, words] as const),
  );

  test("is found in each kind of code block", () => {
    const pages = new Set(calls.map(([place]) => place.split(":")[0]));
    expect([...pages]).toEqual(expect.arrayContaining(["README.md", "docs/reach.md"]));
    expect(calls.length).toBeGreaterThan(10);
  });

  test.each(calls)("at %s (%j) names a command and options that exist", (_, words) => {
    const [command = "", ...rest] = words;
    expect(Object.keys(COMMANDS)).toContain(command);
    const end = rest.indexOf("--");
    const own = end === -1 ? rest : rest.slice(0, end);
    const named = own.filter((word) => /^--[a-z]/.test(word)).map((word) => word.split("=")[0]);
    expect(named.filter((name) => !options.get(command)?.includes(name ?? ""))).toEqual([]);
  });
});

/** Options of other programs; the pages may name them. */
const FOREIGN = [
  "--service-account-issuer",
  "--service-account-jwks-uri",
  "--provenance",
  "--package-lock-only",
  "--query",
  "--raw",
  "--global",
  // Deno's permissions.
  ...["--allow-env", "--allow-read", "--allow-net", "--allow-sys"],
];

test.each(PAGES)("%s names only options that a command has", (page) => {
  const named = [...readPage(page).matchAll(/`[^`\n]*`/g)].flatMap(
    ([code]) => code.match(/(?<![\w-])--[a-z][\w-]*/g) ?? [],
  );
  const all = [...options.values()].flat();
  const unknown = named.filter((name) => !all.includes(name) && !FOREIGN.includes(name));
  expect(unknown).toEqual([]);
});

describe("data in the documentation", () => {
  test.each(of("json"))("at %s is JSON", (_, text) => {
    expect(JSON.parse(text)).toBeTypeOf("object");
  });

  test.each(of("yaml"))("at %s is YAML", (_, text) => {
    expect(parseYaml(text)).toBeTypeOf("object");
  });

  test.each(of("ini"))("%s contains only sections and settings", (_, text) => {
    for (const line of text.trim().split("\n")) expect(line).toMatch(/^(\[[\w -]+\]|\w+ = \S.*)$/);
  });
});
