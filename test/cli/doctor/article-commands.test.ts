import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { articleCommands } from "../../../src/cli/doctor/article-commands.js";
import type { Facts, IssuerFacts } from "../../../src/doctor/diagnosis.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

interface Received {
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

/** A server that records its requests, and whose responses are hostile. */
async function startHostileServer(respond: (url: string, origin: string) => string) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "" } = request;
    received.push({ method, url, body: await text(request) });
    response.setHeader("cache-control", "no-cache");
    response.end(respond(url, origin));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    received,
    origin,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What the commands for curl print in a shell that finds only the standard programs. */
async function run(shell: string, script: string, folder: string, tokenFile: string) {
  const [posix = ""] = script.split("# ==== Windows");
  const env = { PATH: "/usr/bin:/bin", AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile };
  return await new Promise<string>((resolve) => {
    const child = execFile(shell, { cwd: folder, env }, (_error, stdout) => resolve(stdout));
    child.stdin?.end(posix);
  });
}

function factsOf(issuer: Partial<IssuerFacts>, sts: string, settings: Facts["settings"]): Facts {
  const { facts } = sampleDiagnosis();
  const known = { issuer: "", addresses: [], requests: [], latency: [], ...issuer };
  const endpoint = { region: "eu-west-1", regionSource: "option", url: sts, host: "h", totalMs: 1 };
  const kind = { kind: "custom", isFips: false, isDualStack: false, isPrivate: true } as const;
  return { ...facts, issuer: known, sts: [{ ...endpoint, ...kind, addresses: [] }], settings };
}

/** Creates files if a shell interprets it, and has all special characters of shells and curl. */
const HOSTILE =
  "/a'$(touch$IFS./pwned1)`touch$IFS./pwned2`;touch$IFS./pwned3;&|x\"<y>*?[z]{1,2}!\\#~";
const ARN = `arn:aws:iam::123456789012:role/a'$(touch ./pwned4)\`touch ./pwned5\`"`;
const TOKEN = "eyJhbGciOiJub25lIn0.'$(touch ./pwned6)`touch ./pwned7`\"&x=1%41.c2ln";
const ESCAPES = "\u001b]0;owned\u0007\u001b[2J\u009b31m";

describe.each(["bash", "dash"])("the commands for curl, in %s", (shell) => {
  test("request exactly these URLs, run no text of a server, and print nothing that a terminal acts on", async () => {
    const folder = await mkdtemp(join(tmpdir(), "commands-"));
    const tokenFile = join(folder, "a 'token' $(touch pwned8)");
    await writeFile(tokenFile, `${TOKEN}\r\n`);
    await using sts = await startHostileServer(
      () => `<a><SecretAccessKey>secret1</SecretAccessKey><SessionToken>secret2</SessionToken></a>`,
    );
    await using issuer = await startHostileServer((url, origin) =>
      JSON.stringify({ a: ESCAPES, jwks_uri: `${origin}/keys${HOSTILE}`, url }).replaceAll(
        "/",
        "\\/",
      ),
    );
    const discoveryUrl = `${issuer.origin}${HOSTILE}/.well-known/openid-configuration`;
    const settings = [
      { name: "roleArn", value: ARN, source: "option" },
      { name: "roleSessionName", value: "o'$(id)", source: "option" },
      { name: "token", value: tokenFile, source: "option" },
    ] as const;
    const facts = factsOf({ discoveryUrl }, sts.origin, settings);
    const script = articleCommands(sampleDiagnosis({ facts })) ?? "";
    const printed = await run(shell, script, folder, "/nonexistent/token");

    const path = (url: string) => new URL(url, "http://a").pathname;
    const wanted = new URL(discoveryUrl);
    const urls = new Set(issuer.received.map(({ url }) => url));
    expect(urls.size).toBe(2);
    expect([...urls].map(path)).toContain(wanted.pathname);
    expect([...urls].some((url) => decodeURI(url).startsWith(`/keys/a'$(touch$IFS`))).toBe(true);
    const body = new URLSearchParams(sts.received.find(({ method }) => method === "POST")?.body);
    expect(Object.fromEntries(body)).toMatchObject({
      RoleArn: ARN,
      RoleSessionName: "o'$(id)",
      WebIdentityToken: TOKEN,
    });
    expect(printed).toContain("cache-control: no-cache");
    expect(printed).toContain("<SecretAccessKey>hidden<");
    expect(printed).toMatch(/^status 200$/m);
    expect(printed).not.toMatch(/secret\d/);
    expect(printed.replace(/[\t\n]/g, "")).not.toMatch(/[^\x20-\x7e]/);
    const made = Array.from({ length: 8 }, (_, index) => join(folder, `pwned${index + 1}`));
    expect(made.filter((file) => existsSync(file))).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe("the commands for both shells", () => {
  const { facts } = sampleDiagnosis();

  test("read the token file that the environment names, unless an option names one", () => {
    const role = { name: "roleArn", value: "arn:aws:iam::1:role/a", source: "option" } as const;
    const source = "AWS_WEB_IDENTITY_TOKEN_FILE";
    const issuer = { discoveryUrl: "https://a.example/.well-known/openid-configuration" };
    const settings = [role, { name: "token", value: "/a", source }] as const;
    const script = articleCommands(
      sampleDiagnosis({ facts: factsOf(issuer, "https://sts.example", settings) }),
    );
    expect(script).toContain(`<"$${source}" |`);
    expect(script).toContain(`-LiteralPath $env:${source})`);
  });

  test("print the status of STS in PowerShell too, and read the body as each version provides it", () => {
    const settings = [
      { name: "roleArn", value: "arn:aws:iam::1:role/a", source: "option" },
    ] as const;
    const masked = factsOf(facts.issuer ?? {}, "https://sts.example", settings);
    const script = articleCommands(sampleDiagnosis({ facts: masked })) ?? "";
    const [line = ""] = script.match(/^.*-Method Post.*$/m) ?? [];
    expect(line).toContain("catch { $_.Exception.Message; ");
    // The responses of PowerShell 7 have no such method.
    expect(line).toMatch(/-is \[Net\.WebResponse\]\) \{ [^{}]*\.GetResponseStream\(\)/);
    expect(line).toMatch(/ -replace '\[\^\S+\]', '' \}$/);
  });

  test("read the JWKS URL from the discovery document if the diagnosis does not know it", () => {
    const { issuer } = facts;
    if (issuer === undefined) throw new Error("the sample has an issuer");
    for (const jwksUrl of [undefined, "https://a.example/cut…"]) {
      const script = articleCommands(
        sampleDiagnosis({ facts: { ...facts, issuer: { ...issuer, jwksUrl } } }),
      );
      expect(script).toContain("jwks=$(curl");
      expect(script).toContain("$jwks = (Invoke-RestMethod");
      expect(script).not.toContain("…");
    }
  });

  test("say that an account ID is masked, which STS would refuse", () => {
    const issuer = { discoveryUrl: "https://a.example/.well-known/openid-configuration" };
    const scripts = ["123456789012", "************"].map((account) => {
      const value = `arn:aws:iam::${account}:role/a`;
      const settings = [{ name: "roleArn", value, source: "option" }] as const;
      const masked = factsOf(issuer, "https://sts.example", settings);
      return articleCommands(sampleDiagnosis({ facts: masked })) ?? "";
    });
    expect(scripts.map((script) => /^# Account IDs are masked/m.test(script))).toEqual([
      false,
      true,
    ]);
  });

  test("have comments that are harmless even in a shell that runs them as commands", () => {
    const comments = (articleCommands(sampleDiagnosis()) ?? "").match(/^#.*$/gm) ?? [];
    expect(comments.filter((line) => /['"`$;&|<>(){}!\\]/.test(line))).toEqual([]);
  });

  test("do not exist without an issuer", () => {
    expect(articleCommands(sampleDiagnosis({ facts: { ...facts, issuer: undefined } }))).toBe(
      undefined,
    );
  });
});
