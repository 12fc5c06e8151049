import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DoctorWorld, startDoctorWorld } from "../support/doctor-world.js";
import { secretsOf } from "../support/leak-search.js";
import { finished, runCli, startCli } from "./run-cli.js";

const WORLDS: Readonly<Record<string, (world: DoctorWorld) => unknown>> = {
  healthy: () => {},
  "that echoes the token": ({ sts, token }) =>
    sts.setFault({ code: "InvalidIdentityToken", httpStatus: 400, message: `no: ${token}` }),
  "whose discovery document holds the token": ({ idp, token }) =>
    idp.setDiscovery((right) => ({ ...right, issuer: token, jwks_uri: `${idp.issuer}/${token}` })),
  "whose headers hold the token": ({ idp, token }) =>
    idp.setHeaders({ etag: token, "cache-control": token }),
};

describe("no token, signature or secret is in any output of a world", () => {
  it.each(Object.entries(WORLDS))("%s", async (_name, spoil) => {
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
