import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { redact } from "../../src/runtime/redact.js";
import { type DoctorWorld, startDoctorWorld } from "../support/doctor-world.js";
import { secretsOf } from "../support/leak-search.js";
import { finished, runCli, startCli } from "./run-cli.js";

/** Colors, C1 controls, characters that reorder or hide text, and the special characters of a shell. */
const NOISE = "\u001b[31m\u009b2J\u202e\u2066\u200b\u061c\u2028'\"$(id)`id`;\n";
/** Percent-encoded throughout, in lines of 64. */
const wrapped = (token: string) =>
  token
    .replace(/./g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
    .replace(/.{64}/g, "$&\r\n  ");

const WORLDS: Readonly<Record<string, (world: DoctorWorld) => unknown>> = {
  "without faults": () => {},
  "that echoes the token": ({ sts, token }) =>
    sts.setFault({ code: "InvalidIdentityToken", httpStatus: 400, message: `no: ${token}` }),
  "whose discovery document contains the token": ({ idp, token }) =>
    idp.setDiscovery((right) => ({ ...right, issuer: token, jwks_uri: `${idp.issuer}/${token}` })),
  "that echoes the token in another spelling": ({ sts, token }) =>
    sts.setFault({ code: "AccessDenied", httpStatus: 403, message: `no: ${wrapped(token)}` }),
  "whose documents contain characters that a terminal acts on": ({ idp }) => {
    idp.setDiscovery((right) => ({
      ...right,
      issuer: NOISE,
      jwks_uri: `${right.jwks_uri}#${NOISE}`,
    }));
    idp.setJwks((right) => ({ ...right, keys: [{ kty: NOISE, kid: NOISE, use: NOISE }] }));
  },
  "whose headers contain the token": ({ idp, token }) =>
    idp.setHeaders({ etag: token, "cache-control": token }),
};

describe("no output of the doctor contains a token, signature or secret in a world", () => {
  test.each(Object.entries(WORLDS))("%s", async (_name, spoil) => {
    await using world = await startDoctorWorld();
    await spoil(world);
    const html = join(world.folder, "report.html");
    const args = ["doctor", "--allow-private-issuers"];
    const options = { env: world.env };
    const runs = await Promise.all([
      runCli([...args, "--html", html], options),
      runCli([...args, "--json"], options),
      runCli([...args, "--commands"], options),
      runCli([...args, "--json", "--token", "-"], { ...options, stdin: world.token }),
      watchOnce([...args, "--watch", "60s"], options.env),
    ]);
    const texts = [
      ...runs.flatMap(({ stdout, stderr }) => [stdout, stderr]),
      await readFile(html, "utf8"),
    ];
    const { token = "", signature = "", payload = "" } = secretsOf(world.token);
    for (const secret of [token, signature, payload]) {
      expect(secret.length).toBeGreaterThan(20);
      expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    }
    for (const text of texts) {
      expect(redact(text)).toBe(text);
      expect(text.match(/[^\P{C}\n]/gu) ?? []).toEqual([]);
    }
    expect(texts.filter((text) => /<SessionToken>|SecretAccessKey":/.test(text))).toEqual([]);
  });
});

async function watchOnce(args: string[], env: DoctorWorld["env"]) {
  const child = startCli(args, { env });
  const end = finished(child);
  child.stdout?.on("data", (piece) => {
    if (/healthy|degraded|broken/.test(String(piece))) child.kill("SIGINT");
  });
  return await end;
}
