import { describe, expect, test } from "vitest";
import { nearestName } from "../../src/cli/command-spec.js";
import { COMMANDS } from "../../src/cli/commands.js";
import { runCli } from "./run-cli.js";

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";

describe.concurrent("wrong usage ends with 2 and one line that says what to do", () => {
  test.each([
    [["bogus"], /the commands are doctor, explain, exec, .*completion; see resilient-sts --help/],
    [["docter"], /there is no command "docter"; did you mean doctor\? See resilient-sts --help/],
    [["credential_process"], /did you mean credential-process\?/],
    [[JWT], /there is no command "\[redacted\]"/],
    [["__proto__"], /there is no command "__proto__"/],
    [["--nope"], /there is no option --nope; see resilient-sts --help/],
    [["--versoin"], /there is no option --versoin; did you mean --version\? See/],
    [["doctor", "--nope"], /there is no option --nope; see resilient-sts doctor --help/],
    [["doctor", "--tokenfile", "a"], /did you mean --token-file\? See resilient-sts doctor --help/],
    [["doctor", "--ROLE-ARN", "a"], /did you mean --role-arn\?/],
    [["doctor", "--role=a"], /there is no option --role; did you mean --role-arn\?/],
    [["doctor", `--${JWT}`], /there is no option --\[redacted\]/],
    [["exec", "--no-wiat", "--", "true"], /did you mean --no-wait\?/],
    [["doctor", JWT], /Unexpected argument '\[redacted\]'/],
    [["doctor", "--token", JWT], /pipe it in \(--token -\) or name its file/],
    [["doctor", "--token-file", JWT], /pipe it in \(--token -\) or name its file/],
    [["doctor", "--token-file", `${JWT}/${"a".repeat(600)}`], /aaa…": \S/],
    [["doctor", "--token", "-", "--token-file", "a"], /leave one out/],
    [["doctor", "--html", "a", "--watch", "5s"], /leave one out/],
    [["doctor", "--issuer", "example"], /such as https:\/\/example\.com/],
    [["doctor", "--issuer", "https://a:b@example.com"], /without a password/],
    [["doctor", "--issuer", "https:example.com"], /such as https:\/\/example\.com/],
    [
      ["doctor", "--issuer", "https://example.com", "--region", "eu-west-1"],
      /leave one out; --issuer/,
    ],
    [
      ["doctor", "--issuer", "https://a.invalid", "--endpoint-url", "http://b.invalid"],
      /leave one/,
    ],
    [["doctor", "--endpoint-url", "ftp://example.com"], /takes a URL/],
    [["doctor", "--region", "EU WEST"], /such as eu-west-1/],
    [["doctor", "--failover-region", "eu-west-1,/"], /such as eu-west-1/],
    [["doctor", "--watch", "soon"], /such as 30s/],
    [["doctor", "--timeout", "1h"], /from 1 s to 60 s/],
    [["doctor", "--token-file", ""], /is empty/],
    [["doctor", "--html", "/nonexistent/report.html"], /its directory does not exist/],
    [["doctor", "--html", "/tmp"], /is a directory/],
    [["doctor", "--html", "package.json/report.html"], /its directory does not exist/],
    [["doctor", "--token-file", "package.json/token"], /a part of its path is not a directory/],
    [["diagnosis-process"], /is internal; run resilient-sts doctor/],
    [["endpoint-credentials"], /is internal; run resilient-sts exec/],
    [["emulate", "--fault", "idp:sulk"], /emulate --help lists the faults/],
    [["emulate", "--role-arn", ""], /--role-arn is empty/],
    [["emulate", "--region", "  "], /--region is empty/],
    [["emulate", "--token-file", "a\nb"], /--token-file has a control character/],
    [["emulate", "--idp-port", "99999"], /from 0 to 65535/],
  ])("%j", async (args, words) => {
    const { exitCode, stdout, stderr } = await runCli(args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^resilient-sts: [^\n]+\n$/);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("c2lnbmF0dXJl");
  });
});

const NAMES = ["doctor", "explain", "exec", "serve", "credential-process", "emulate", "completion"];

describe.concurrent("help goes to standard output, and the exit code is 0", () => {
  test.each([[["--help"]], [["-h"]], ...NAMES.map((name) => [[name, "--help"]])])(
    "%j fits into 80 columns and has examples",
    async (args) => {
      const { exitCode, stdout, stderr } = await runCli(args);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
      expect(stdout).toMatch(/^Usage: resilient-sts/);
      expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
      expect(stdout).toMatch(/\nExamples:\n {2}# \S.*\n {2}(source <\()?resilient-sts /);
    },
  );

  test("the program's help lists every command", async () => {
    const { stdout } = await runCli(["--help"]);
    const listed = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map(([, name]) => name);
    expect(listed).toEqual(NAMES);
  });

  test("help goes to standard error without a command, and the exit code is 2", async () => {
    const { exitCode, stdout, stderr } = await runCli([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^Usage/);
  });
});

test.each([[["--version"]], [["-v"]], [["doctor", "--version"]], [["exec", "--version"]]])(
  "%j prints the version alone",
  async (args) => {
    const { exitCode, stdout } = await runCli(args);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  },
);

describe("the suggested name", () => {
  const names = ["doctor", "exec", "serve", "credential-process", "role-arn", "role-session-name"];

  test.each([
    ["doctro", "doctor"],
    ["doc", "doctor"],
    ["Exec", "exec"],
    ["sreve", "serve"],
    ["role", "role-arn"],
    ["credentials-process", "credential-process"],
  ])("for %s is %s", (given, meant) => expect(nearestName(given, names)).toBe(meant));

  test.each(["", "d", "terraform", "xx", "roles-arns-x"])("is unknown for %j", (given) => {
    expect(nearestName(given, names)).toBeUndefined();
  });
});

test("every option of a command is in one group of its help", async () => {
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    const { spec } = await load();
    expect(spec.name).toBe(name);
    expect(Object.values(spec.groups).flat().toSorted()).toEqual(
      Object.keys(spec.options).toSorted(),
    );
  }
});
