import { healthy, ROLE_ARN, settingsFor } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";
import { closedPort, startFirewalledPort, startSilentServer } from "./odd-servers.js";

/** Two faults together: the doctor names the one that explains, and hides neither. */
export const PAIR_ROWS: readonly Row[] = [
  {
    name: "a firewalled IdP and no region",
    async build(site) {
      const { port } = site.keep(await startFirewalledPort());
      const issuer = `https://127.0.0.1:${port}`;
      const idp = await site.idp();
      const sts = await site.sts({ providers: [{ issuer }], idpTimeoutMs: 2_000 });
      const token = await idp.issueToken({ claims: { iss: issuer } });
      const { region: _, ...options } = settingsFor(sts, token);
      return { options };
    },
    cause: "issuer-timeout",
    verdict: "broken",
    also: ["region-defaulted", "sts-verification-key"],
  },
  {
    name: "an expired token and a slow JWKS",
    async build(site) {
      const { idp, sts } = await healthy(site);
      idp.setFault({ kind: "slow", delayMs: 2_500, on: "jwks" });
      return { options: settingsFor(sts, await idp.issueToken({ expiresInSeconds: -3_600 })) };
    },
    cause: "token-expired",
    verdict: "broken",
    also: ["jwks-slow", "sts-token-expired"],
  },
  {
    name: "a role that trusts another subject and a JWKS that must not be cached",
    async build(site) {
      const idp = await site.idp({ headers: { "cache-control": "no-cache" } });
      const roles = [{ arn: ROLE_ARN, trust: { subjects: ["somebody-else"] } }];
      const sts = await site.sts({ providers: [idp], roles });
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause: "sts-access-denied",
    verdict: "broken",
    also: ["jwks-not-cacheable"],
  },
  {
    name: "a role that trusts another subject and an issuer that is unreachable from here",
    async build(site) {
      const idp = await site.idp({ host: "localhost" });
      const roles = [{ arn: ROLE_ARN, trust: { subjects: ["somebody-else"] } }];
      const sts = await site.sts({ providers: [idp], roles });
      const resolve = () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" }));
      return { options: settingsFor(sts, await idp.issueToken()), runtime: { resolve } };
    },
    cause: "sts-access-denied",
    verdict: "broken",
    also: ["issuer-dns-failure"],
  },
  {
    name: "no way to STS and an IdP that is down",
    async build(site) {
      const idp = await site.idp();
      const token = await idp.issueToken();
      await idp.refuseConnections();
      return { options: settingsFor({ url: `http://127.0.0.1:${await closedPort()}` }, token) };
    },
    cause: "sts-unreachable",
    verdict: "broken",
    also: ["issuer-connection-refused"],
  },
  {
    name: "a wrong clock and a token that only looks expired",
    async build(site) {
      const behind = () => Date.now() - 3_600_000;
      const { options } = await healthy(site, {
        idp: { now: behind },
        sts: { now: behind },
      });
      return { options };
    },
    cause: "clock-skew",
    verdict: "broken",
  },
  {
    name: "a missing provider and a slow IdP",
    async build(site) {
      const idp = await site.idp();
      idp.setFault({ kind: "slow", delayMs: 2_200, on: "jwks" });
      const sts = await site.sts({ providers: [] });
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause: "sts-provider-missing",
    verdict: "broken",
    also: ["jwks-slow"],
  },
  {
    name: "a throttling STS and an expired token",
    async build(site) {
      const { idp, sts } = await healthy(site);
      sts.setFault("throttled");
      return { options: settingsFor(sts, await idp.issueToken({ expiresInSeconds: -3_600 })) };
    },
    cause: "token-expired",
    verdict: "broken",
    also: ["sts-throttled"],
  },
  {
    name: "a rate-limited JWKS and a key that is not published",
    async build(site) {
      const { idp, sts } = await healthy(site);
      idp.setFault({ kind: "rate-limit", on: "jwks" });
      return { options: settingsFor(sts, await idp.issueToken({ header: { kid: "nobody" } })) };
    },
    cause: "jwks-rate-limited",
    verdict: "broken",
    also: ["sts-verification-key"],
  },
  {
    name: "a resolver that never responds, a silent STS and no other facts",
    async build(site) {
      const idp = await site.idp();
      const { port } = site.keep(await startSilentServer());
      const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
      const resolve = async (host: string) =>
        host === "127.0.0.1" ? [{ address: host, family: 4 }] : await new Promise<never>(() => {});
      return {
        options: settingsFor({ url: `http://127.0.0.1:${port}` }, token),
        runtime: { resolve },
      };
    },
    cause: "sts-timeout",
    verdict: "broken",
    also: ["issuer-dns-failure"],
  },
  {
    name: "a disabled region, and a custom endpoint without another region",
    async build(site) {
      const { sts, options } = await healthy(site);
      sts.setFault("region-disabled");
      return { options: { ...options, failoverRegions: ["eu-central-1"] } };
    },
    cause: "sts-region-disabled",
    verdict: "broken",
  },
];
