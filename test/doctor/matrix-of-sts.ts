import type { FindingId } from "../../src/model/findings.js";
import type { StsFault } from "../../src/testing/index.js";
import { ENV, healthy, settingsFor } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";
import {
  closedPort,
  type OddServer,
  startFirewalledPort,
  startLyingFront,
  startResettingServer,
  startSilentServer,
} from "./odd-servers.js";

/** A world in which nothing but the response of STS is wrong. */
function said(
  name: string,
  fault: StsFault,
  cause: FindingId,
  verdict: Row["verdict"] = "broken",
): Row {
  return {
    name,
    async build(site) {
      const { sts, options } = await healthy(site);
      sts.setFault(fault);
      return { options };
    },
    cause,
    verdict,
  };
}

function instead(name: string, start: () => Promise<OddServer>, cause: FindingId): Row {
  return {
    name,
    async build(site) {
      const idp = await site.idp();
      const { port } = site.keep(await start());
      const sts = { url: `http://127.0.0.1:${port}` };
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause,
    verdict: "broken",
  };
}

/** A resolver that knows no name. */
async function noName(host: string) {
  if (host === "127.0.0.1") return [{ address: host, family: 4 }];
  throw Object.assign(new Error(), { code: "ENOTFOUND" });
}

/** A machine whose clock is off, with tokens and an STS on true time. */
function clockOff(name: string, offMs: number, cause: FindingId | null): Row {
  return {
    name,
    async build(site) {
      const { options } = await healthy(site, { sts: { now: () => Date.now() + offMs } });
      return { options: { ...options, assume: false } };
    },
    cause,
    verdict: cause === null ? "healthy" : "broken",
    also: ["clock-skew"],
  };
}

export const STS_ROWS: readonly Row[] = [
  said(
    "STS can't get the key, though all is well from here",
    "idp-unreachable",
    "sts-verification-key",
  ),
  said("the role trusts another subject", "access-denied", "sts-access-denied"),
  said("STS throttles", "throttled", "sts-throttled"),
  said("STS returns 503", "sts-unavailable", "sts-unavailable"),
  said("a page instead of STS's response", "html", "sts-unavailable"),
  said("a success without credentials", "empty-200", "sts-unavailable"),
  said("STS is disabled in the region", "region-disabled", "sts-region-disabled"),
  said("STS calls the token expired", "token-expired", "sts-token-expired"),
  said("STS calls the token early", "token-early", "sts-token-early"),
  said("STS finds a parameter invalid", "request-invalid", "sts-request-invalid"),
  said("STS returns an unrecognized error", "unknown", "sts-unknown"),
  said(
    "the thumbprint is an old one",
    {
      code: "InvalidIdentityToken",
      message: "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
      httpStatus: 400,
    },
    "sts-thumbprint",
  ),
  said(
    "STS does not accept the token's form",
    {
      code: "InvalidIdentityToken",
      message: "Invalid timestamp in token claims.",
      httpStatus: 400,
    },
    "sts-token-refused",
  ),
  {
    name: "the account has no provider for the issuer",
    async build(site) {
      const idp = await site.idp();
      const sts = await site.sts({ providers: [] });
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause: "sts-provider-missing",
    verdict: "broken",
  },
  {
    name: "the audience is not registered",
    async build(site) {
      const idp = await site.idp();
      const { issuer } = idp;
      const sts = await site.sts({ providers: [{ issuer, audiences: ["sts.amazonaws.com"] }] });
      return { options: settingsFor(sts, await idp.issueToken({ audience: "vault" })) };
    },
    cause: "sts-audience-refused",
    verdict: "broken",
    also: ["token-audience-unexpected"],
  },
  {
    name: "STS refuses connections",
    async build(site) {
      const idp = await site.idp();
      const sts = { url: `http://127.0.0.1:${await closedPort()}` };
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause: "sts-unreachable",
    verdict: "broken",
  },
  {
    name: "the STS endpoint's name does not exist",
    async build(site) {
      const idp = await site.idp();
      const sts = { url: "https://sts.nowhere.invalid" };
      const options = settingsFor(sts, await idp.issueToken());
      return { options, runtime: { resolve: noName } };
    },
    cause: "sts-unreachable",
    verdict: "broken",
  },
  {
    name: "the global endpoint of STS is chosen, and its name does not resolve here",
    async build(site) {
      const { options } = await healthy(site);
      const env = { ...ENV, AWS_STS_REGIONAL_ENDPOINTS: "legacy" };
      return {
        options: { ...options, endpointUrl: undefined, assume: false },
        runtime: { env, resolve: noName },
      };
    },
    cause: "sts-unreachable",
    verdict: "broken",
    also: ["endpoint-global"],
    says: /^sts\.amazonaws\.com \(eu-west-1\): its name does not resolve/,
  },
  instead("STS resets connections", startResettingServer, "sts-unreachable"),
  instead("STS accepts connections and never responds", startSilentServer, "sts-timeout"),
  instead("a firewall drops what goes to STS", startFirewalledPort, "sts-timeout"),
  clockOff("this machine's clock is ten minutes behind", 600_000, "clock-skew"),
  clockOff("this machine's clock is two minutes ahead", -120_000, null),
  {
    name: "STS, or a proxy in front of it, responds with a Date of 1970",
    async build(site) {
      const { idp, sts } = await healthy(site);
      const { port } = site.keep(await startLyingFront(sts));
      return { options: settingsFor({ url: `http://127.0.0.1:${port}` }, await idp.issueToken()) };
    },
    cause: null,
    verdict: "healthy",
    also: ["sts-date-wrong"],
  },
  {
    name: "STS responds slowly",
    async build(site) {
      const { sts, options } = await healthy(site);
      sts.setFault("slow", { delayMs: 2_500 });
      return { options };
    },
    cause: null,
    verdict: "healthy",
    also: ["sts-slow"],
  },
];
