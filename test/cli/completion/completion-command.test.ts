import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../../../src/cli/commands.js";
import { TOKEN_SOURCE_NAMES } from "../../../src/token-sources/source-names.js";
import { findProgram, leaveOut } from "../../support/program.js";
import { runCli } from "../run-cli.js";
import { type CompletingShell, startShell } from "./shells.js";

describe.each(["bash", "zsh", "fish"] as const)("%s completes", (name) => {
  if (findProgram(name) === undefined) return leaveOut(`completion in ${name}`, name);

  let shell: CompletingShell;
  beforeAll(async () => {
    shell = await startShell(name);
    await writeFile(join(shell.folder, "token.txt"), "");
    await mkdir(join(shell.folder, "tokens"));
  });
  afterAll(() => {
    shell[Symbol.dispose]();
  });

  const candidates = async (line: string) => {
    const found = await shell.candidates(`resilient-sts ${line}`);
    // Shells differ in whether they show the slash after a directory and the equals sign of an option.
    return found.map((word) => word.replace(/(?<=.)[/=]$/, ""));
  };

  test("commands", async () => {
    expect(await candidates("")).toEqual(expect.arrayContaining(Object.keys(COMMANDS)));
    expect(await candidates("e")).toEqual(["emulate", "exec", "explain"]);
  });

  test("the options of every command", async () => {
    for (const [command, { load }] of Object.entries(COMMANDS)) {
      const { spec } = await load();
      const options = Object.keys(spec.options).map((option) => `--${option}`);
      const found = await candidates(`${command} --`);
      expect(found.filter((word) => word !== "--")).toEqual(options.toSorted());
    }
  });

  test("an option by its beginning", async () => {
    expect(await candidates("exec --role-")).toEqual(["--role-arn", "--role-session-name"]);
  });

  test("an option after others with values", async () => {
    const line = "exec --role-arn arn:aws:iam::123456789012:role/app --no-wait --regi";
    expect(await candidates(line)).toEqual(["--region"]);
  });

  test.each(["exec --token-source ", "exec --token-source="])(
    "token sources after %j",
    async (line) => {
      const found = await candidates(line);
      expect(found.map((word) => word.replace(/^--token-source=/, "")).toSorted()).toEqual(
        ["auto", ...TOKEN_SOURCE_NAMES].toSorted(),
      );
    },
  );

  test("regions", async () => {
    expect(await candidates("doctor --region eu-west-")).toEqual([
      "eu-west-1",
      "eu-west-2",
      "eu-west-3",
    ]);
    expect(await candidates("serve --failover-region sa-")).toEqual(["sa-east-1"]);
  });

  test("values with colons", async () => {
    const found = await candidates("emulate --fault sts:token-");
    // Bash completes what follows the last colon.
    expect(found.map((word) => word.replace(/^(sts:)?/, "sts:"))).toEqual([
      "sts:token-early",
      "sts:token-expired",
      "sts:token-rejected",
    ]);
  });

  test("files and directories", async () => {
    expect(await candidates("exec --token-file tok")).toEqual(["token.txt", "tokens"]);
    expect(await candidates("serve --token-dir tok")).toEqual(["tokens"]);
  });

  test("nothing for a value of free text", async () => {
    expect(await candidates("exec --role-arn ")).toEqual([]);
  });

  test("the argument of a command", async () => {
    expect(await candidates("completion z")).toEqual(["zsh"]);
  });

  test("the command after --, and not the options before it", async () => {
    expect(await candidates("exec --no-wait -- envsub")).toEqual(["envsubst"]);
    expect(await candidates("exec -- cat tok")).toEqual(["token.txt", "tokens"]);
    expect(await candidates("emulate -- resilient-st")).toEqual([]);
  });
});

test.each([[[]], [["powershell"]], [["bash", "zsh"]]])(
  "completion %j ends with 2 and names the shells",
  async (args) => {
    const { exitCode, stderr } = await runCli(["completion", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/takes the name of one shell: bash, zsh, fish/);
  },
);
