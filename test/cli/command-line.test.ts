import { describe, expect, it } from "vitest";
import { runCli } from "./run-cli.js";

const JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl";

describe.concurrent("wrong usage ends with 2 and one line that says what to do", () => {
  it.each([
    [
      ["bogus"],
      /only doctor, explain, exec, serve, credential-process, emulate; see resilient-sts --help/,
    ],
    [[JWT], /there is no command "\[redacted\]"/],
    [["--nope"], /Unknown option '--nope'; see resilient-sts --help/],
    [["doctor", "--nope"], /see resilient-sts doctor --help/],
    [["doctor", JWT], /Unexpected argument '\[redacted\]'/],
    [["doctor", "--token", JWT], /pipe it in \(--token -\) or name its file/],
    [["doctor", "--token-file", JWT], /pipe it in \(--token -\) or name its file/],
    [["doctor", "--token-file", `${JWT}/${"a".repeat(600)}`], /aaa…": \S/],
    [["doctor", "--token", "-", "--token-file", "a"], /leave one out/],
    [["doctor", "--json", "--watch", "5s"], /leave one out/],
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
    [["doctor", "--html", "/nonexistent/report.html"], /its folder does not exist/],
    [["doctor", "--html", "/tmp"], /is a directory/],
    [["doctor", "--html", "package.json/report.html"], /its folder does not exist/],
    [["doctor", "--token-file", "package.json/token"], /a part of its path is no directory/],
    [["look"], /is not for people/],
    [["emulate", "--fault", "idp:sulk"], /emulate --help lists them/],
    [["emulate", "--role-arn", ""], /--role-arn is empty/],
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

describe.concurrent("help goes to standard output with 0", () => {
  it.each([[["--help"]], [["doctor", "--help"]], [["emulate", "-h"]]])("%j", async (args) => {
    const { exitCode, stdout, stderr } = await runCli(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: resilient-sts/);
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it("but without a command to standard error with 2", async () => {
    const { exitCode, stdout, stderr } = await runCli([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/^Usage/);
  });

  it("and so does the version", async () => {
    const { exitCode, stdout } = await runCli(["--version"]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
