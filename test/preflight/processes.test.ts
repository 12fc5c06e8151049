import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { IssuerReport } from "../../src/model/findings.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { createCertificateAuthority } from "../support/certificate-authority.js";
import { found } from "./check-world.js";

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const NODE = ["--no-warnings", "--import", "tsx"];

for (const [name, isTrusted, expected] of [
  ["oidc-provider behind a CA of NODE_EXTRA_CA_CERTS has no findings", true, []],
  ["that CA is not trusted without NODE_EXTRA_CA_CERTS", false, ["suspect issuer-tls-untrusted"]],
] as const) {
  test(name, async () => {
    using authority = createCertificateAuthority();
    const folder = mkdtempSync(join(tmpdir(), "resilient-sts-oidc-"));
    const files = [join(folder, "key.pem"), join(folder, "cert.pem")] as const;
    const { key, cert } = authority.chain();
    writeFileSync(files[0], key);
    writeFileSync(files[1], cert);
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    // The token request of the process itself has to pass either way.
    const env = isTrusted
      ? { ...inherited, NODE_EXTRA_CA_CERTS: authority.caFile }
      : { ...inherited, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    try {
      const args = [...NODE, script("./oidc-provider-process.ts"), ...files];
      const { stdout } = await promisify(execFile)(process.execPath, args, { env });
      const report = JSON.parse(stdout.split("\n").at(-1) ?? "") as IssuerReport;
      expect(found(report)).toEqual(expected);
      if (isTrusted) expect(report.keys).toMatchObject([{ usable: true, matchesToken: true }]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("an abandoned check does not keep the process alive", async () => {
  await using idp = await startLocalIdp();
  idp.setFault({ kind: "hang" });
  const args = [...NODE, script("./abandoned-check-process.ts"), await idp.issueToken()];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  await expect.poll(() => idp.counts.discovery, { timeout: 15_000 }).toBe(1);
  child.stdin.write("go\n");
  const [code] = await once(child, "exit");
  expect([code, output]).toEqual([0, "checking\nresponded\n"]);
});
