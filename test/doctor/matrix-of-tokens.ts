import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FindingId } from "../../src/model/findings.js";
import type { TokenRequest } from "../../src/testing/index.js";
import { healthy, ROLE_ARN, settingsFor, TO_LOOPBACK } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";

/** A world in which nothing but the token is wrong. */
function token(name: string, request: TokenRequest, cause: FindingId): Row {
  return {
    name,
    async build(site) {
      const { idp, sts } = await healthy(site);
      return { options: settingsFor(sts, await idp.issueToken(request)) };
    },
    cause,
    verdict: "broken",
  };
}

/** The same with a text in the token's place. */
function text(name: string, content: string, cause: FindingId): Row {
  return {
    name,
    build: async (site) => ({ options: settingsFor((await healthy(site)).sts, content) }),
    cause,
    verdict: "broken",
  };
}

function file(name: string, content: string | Buffer | undefined, cause: FindingId): Row {
  return {
    name,
    async build(site) {
      const { sts } = await healthy(site);
      const folder = mkdtempSync(join(tmpdir(), "resilient-sts-"));
      site.onEnd(() => rmSync(folder, { recursive: true }));
      const tokenFile = join(folder, "token");
      if (content !== undefined) writeFileSync(tokenFile, content);
      const { token: _, ...options } = settingsFor(sts, "");
      return { options: { ...options, tokenFile } };
    },
    cause,
    verdict: "broken",
  };
}

export const TOKEN_ROWS: readonly Row[] = [
  {
    name: "nothing is configured",
    build: async () => ({ options: {}, runtime: TO_LOOPBACK }),
    cause: "token-unreadable",
    verdict: "broken",
    also: ["role-arn-invalid", "region-defaulted"],
  },
  file("the token file is missing", undefined, "token-unreadable"),
  file("the token file is empty", "", "token-unreadable"),
  file("the token file is not text", Buffer.from([0xff, 0xfe, 0x00, 0x80]), "token-unreadable"),
  file("the token file has 20 MB", Buffer.alloc(20_000_000, "a"), "token-too-large"),
  text(
    "the token is an opaque access token",
    "gho_16C7e42F292c6912E7710c838347Ae178B4a",
    "token-malformed",
  ),
  text("the token is wrapped in JSON", '{"value":"eyJ"}', "token-malformed"),
  text("the token is far too long", `eyJ${"a".repeat(20_001)}`, "token-too-large"),
  token("the token has no sub", { claims: { sub: undefined } }, "token-claim-missing"),
  token("the token's sub is null", { claims: { sub: null } }, "token-claim-invalid"),
  token("the token's exp is a fraction", { claims: { exp: 1e10 + 0.5 } }, "token-claim-invalid"),
  token(
    "the token is signed with HS256",
    { header: { alg: "HS256" } },
    "token-algorithm-unsupported",
  ),
  token(
    "the token has two audiences and no azp",
    { audience: ["sts.amazonaws.com", "other"] },
    "token-audience-ambiguous",
  ),
  token("the token has expired", { expiresInSeconds: -3_600 }, "token-expired"),
  token(
    "the token is issued in the future",
    { claims: { iat: Math.floor(Date.now() / 1000) + 1_000 } },
    "token-not-yet-valid",
  ),
  token("the token's signature is invalid", { breakSignature: true }, "signature-invalid"),
  token(
    "the token names a key that is not published",
    { header: { kid: "nobody" } },
    "jwks-key-not-found",
  ),
  {
    name: "the role ARN is a role name",
    async build(site) {
      const { idp } = await healthy(site);
      const { endpointUrl: _, ...options } = settingsFor({ url: "" }, await idp.issueToken());
      return { options: { ...options, roleArn: "app" }, runtime: TO_LOOPBACK };
    },
    cause: "role-arn-invalid",
    verdict: "broken",
  },
  {
    name: "the role is in another partition",
    async build(site) {
      const { idp } = await healthy(site);
      const { endpointUrl: _, ...options } = settingsFor({ url: "" }, await idp.issueToken());
      return {
        options: { ...options, roleArn: ROLE_ARN.replace("aws", "aws-cn") },
        runtime: TO_LOOPBACK,
      };
    },
    cause: "role-partition-mismatch",
    verdict: "broken",
  },
  {
    name: "the session name has a space",
    async build(site) {
      const { idp } = await healthy(site);
      const { endpointUrl: _, ...options } = settingsFor({ url: "" }, await idp.issueToken());
      return { options: { ...options, roleSessionName: "my app" }, runtime: TO_LOOPBACK };
    },
    cause: "session-name-invalid",
    verdict: "broken",
  },
];
