import type { FindingId } from "../../src/model/findings.js";
import { healthy, type Patient, type Site, settingsFor } from "../support/matrix-world.js";
import type { Row } from "./matrix-row.js";
import {
  closedPort,
  type OddServer,
  startFirewalledPort,
  startResettingServer,
  startSilentServer,
} from "./odd-servers.js";

const VERIFICATION_KEY: readonly FindingId[] = ["sts-verification-key"];

/** An issuer whose port is something else than an IdP. */
function elsewhere(
  name: string,
  start: () => Promise<OddServer>,
  cause: FindingId,
  also: readonly FindingId[] = VERIFICATION_KEY,
): Row {
  return {
    name,
    build: async (site) => await issuerAt(site, site.keep(await start()).port),
    cause,
    verdict: "broken",
    also,
  };
}

/** A token of an issuer at that port, which the account knows. */
async function issuerAt(site: Site, port: number): Promise<Patient> {
  const issuer = `https://127.0.0.1:${port}`;
  const idp = await site.idp();
  const sts = await site.sts({ providers: [{ issuer }], idpTimeoutMs: 3_000 });
  const token = await idp.issueToken({ claims: { iss: issuer } });
  return { options: settingsFor(sts, token) };
}

const refusing: Patient["runtime"] = {
  resolve: () => Promise.reject(Object.assign(new Error(), { code: "ENOTFOUND" })),
};

export const UNREACHABLE_ROWS: readonly Row[] = [
  elsewhere("a firewall drops what goes to the IdP", startFirewalledPort, "issuer-timeout"),
  elsewhere("the IdP accepts connections and never responds", startSilentServer, "issuer-timeout"),
  elsewhere("the IdP resets connections", startResettingServer, "issuer-connection-refused"),
  {
    name: "the IdP refuses connections",
    build: async (site) => await issuerAt(site, await closedPort()),
    cause: "issuer-connection-refused",
    verdict: "broken",
    also: VERIFICATION_KEY,
  },
  {
    name: "the firewall in front of the JWKS alone drops what goes there",
    async build(site) {
      const { idp, sts, options } = await healthy(site, { sts: { idpTimeoutMs: 3_000 } });
      const { port } = site.keep(await startFirewalledPort());
      idp.setDiscovery((right) => ({ ...right, jwks_uri: `http://127.0.0.1:${port}/jwks` }));
      return { options: { ...options, endpointUrl: sts.url } };
    },
    cause: "issuer-timeout",
    verdict: "broken",
    also: VERIFICATION_KEY,
  },
  {
    name: "the issuer's name does not exist",
    async build(site) {
      const idp = await site.idp();
      const issuer = "https://issuer.invalid";
      const sts = await site.sts({ providers: [{ issuer }] });
      const token = await idp.issueToken({ claims: { iss: issuer } });
      return { options: settingsFor(sts, token), runtime: refusing };
    },
    cause: "issuer-dns-failure",
    verdict: "broken",
    also: VERIFICATION_KEY,
  },
  {
    name: "DNS does not respond, and STS is not called",
    async build(site) {
      const idp = await site.idp();
      const sts = await site.sts();
      const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
      const options = { ...settingsFor(sts, token), assume: false };
      return { options, runtime: { resolve: deadDns } };
    },
    cause: "issuer-dns-failure",
    verdict: "degraded",
  },
  {
    name: "the issuer resolves to a private address",
    async build(site) {
      const idp = await site.idp();
      const sts = await site.sts();
      const token = await idp.issueToken({ claims: { iss: "https://issuer.invalid" } });
      const resolve = async () => [{ address: "10.1.2.3", family: 4 }];
      const options = { ...settingsFor(sts, token), allowPrivateIssuers: false, assume: false };
      return { options, runtime: { resolve } };
    },
    cause: "issuer-private",
    verdict: "degraded",
  },
  {
    name: "the JWKS is at the cluster's internal address",
    async build(site) {
      const { idp, options } = await healthy(site);
      const jwksUri = "https://kubernetes.default.svc/openid/v1/jwks";
      idp.setDiscovery((right) => ({ ...right, jwks_uri: jwksUri }));
      return { options: { ...options, assume: false }, runtime: refusing };
    },
    cause: "issuer-private",
    verdict: "degraded",
    says: /^jwks_uri is https:\/\/kubernetes\.default\.svc\/.*inside the cluster's network/,
  },
  {
    name: "the issuer is unreachable from here only: STS is fine",
    async build(site) {
      const { options } = await healthy(site, { idp: { host: "localhost" } });
      return { options, runtime: refusing };
    },
    cause: "issuer-dns-failure",
    verdict: "degraded",
  },
  {
    name: "an issuer alone refuses connections",
    async build(site) {
      const idp = await site.idp();
      await idp.refuseConnections();
      return { options: { issuer: idp.issuer, allowPrivateIssuers: true } };
    },
    cause: "issuer-connection-refused",
    verdict: "degraded",
  },
];

/** A resolver that responds for nothing but this machine. */
async function deadDns(host: string) {
  return host === "127.0.0.1" ? [{ address: host, family: 4 }] : await new Promise<never>(() => {});
}
