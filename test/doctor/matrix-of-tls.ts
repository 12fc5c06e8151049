import type { FindingId } from "../../src/model/findings.js";
import type { LocalStsOptions, TlsIdentity } from "../../src/testing/index.js";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "../support/certificate-authority.js";
import { healthy, settingsFor } from "../support/matrix-world.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import type { Row } from "./matrix-row.js";
import { startTlsServer, startTunnelProxy } from "./odd-servers.js";

interface Served {
  readonly tls: TlsIdentity;
  readonly ca?: Buffer;
}

let shared: CertificateAuthority | undefined;

/** One for all worlds: every process that makes keys would hold up the others. */
function authority(): CertificateAuthority {
  shared ??= createCertificateAuthority();
  return shared;
}

/** When no more worlds are to be built. */
export function removeAuthority(): void {
  shared?.[Symbol.dispose]();
  shared = undefined;
}

/** An IdP over HTTPS that serves a certificate like this; STS trusts what the doctor trusts. */
function served(
  name: string,
  make: (made: CertificateAuthority) => Served,
  cause: FindingId | null,
): Row {
  return {
    name,
    async build(site) {
      const { tls, ca } = make(authority());
      const trust: LocalStsOptions = ca === undefined ? {} : { ca };
      const { options } = await healthy(site, { idp: { tls, host: "localhost" }, sts: trust });
      return { options, runtime: { ca } };
    },
    cause,
    verdict: cause === null ? "healthy" : "broken",
  };
}

/** As openssl writes dates: YYMMDDHHMMSSZ. */
function openSslTime(ms: number): string {
  return new Date(ms).toISOString().replace(/^..|[-T:]|\.\d+/g, "");
}

/** An issuer that supports only these versions. It is checked without a token. */
function speaks(
  name: string,
  versions: Parameters<typeof startTlsServer>[1],
  cause: FindingId | null,
  also: readonly FindingId[],
): Row {
  return {
    name,
    async build(site) {
      const made = authority();
      const idp = await site.idp();
      let issuer = "";
      const bodyFor = (path: string) => {
        if (path === "/jwks") return idp.jwksText;
        const right = JSON.parse(idp.discoveryText) as object;
        return JSON.stringify({ ...right, issuer, jwks_uri: `${issuer}/jwks` });
      };
      const { port } = site.keep(await startTlsServer(made.chain(), versions, bodyFor));
      issuer = `https://localhost:${port}`;
      return { options: { issuer, allowPrivateIssuers: true }, runtime: { ca: made.ca } };
    },
    cause,
    verdict: cause === null ? "healthy" : "degraded",
    also,
  };
}

export const TLS_ROWS: readonly Row[] = [
  served(
    "a chain of a private CA that is trusted",
    (made) => ({ tls: made.chain(), ca: made.ca }),
    null,
  ),
  served(
    "an expired certificate",
    (made) => ({ tls: made.chain({ until: "210101000000Z" }), ca: made.ca }),
    "issuer-tls-untrusted",
  ),
  served(
    "a certificate for another host",
    (made) => ({ tls: made.chain({ host: "other.invalid" }), ca: made.ca }),
    "issuer-tls-untrusted",
  ),
  served(
    "a missing intermediate",
    (made) => ({ tls: made.issue(), ca: made.ca }),
    "issuer-tls-untrusted",
  ),
  served("a self-signed certificate", () => ({ tls: makeTlsIdentity() }), "issuer-tls-untrusted"),
  served("an unknown CA", (made) => ({ tls: made.chain() }), "issuer-tls-untrusted"),
  {
    name: "a chain out of order, which Node sorts",
    async build(site) {
      const made = authority();
      const { key, cert } = made.issue();
      const tls = { key, cert: Buffer.concat([cert, made.ca, made.intermediate]) };
      const idp = await site.idp({ tls, host: "localhost" });
      const sts = await site.sts({ providers: [idp], ca: made.ca });
      return { options: settingsFor(sts, await idp.issueToken()), runtime: { ca: made.ca } };
    },
    cause: "issuer-tls-untrusted",
    verdict: "degraded",
  },
  {
    name: "certificates of the issuer and of STS that expire within two weeks",
    async build(site) {
      const made = authority();
      const tls = made.chain({ until: openSslTime(Date.now() + 10 * 86_400_000) });
      const idp = await site.idp({ tls, host: "localhost" });
      const sts = await site.sts({ tls, host: "localhost" });
      const options = { ...settingsFor(sts, await idp.issueToken()), assume: false };
      return { options, runtime: { ca: made.ca } };
    },
    cause: null,
    verdict: "healthy",
    also: ["certificate-expires-soon"],
  },
  speaks("TLS 1.3 alone", { min: "TLSv1.3", max: "TLSv1.3" }, null, ["issuer-tls13-only"]),
  speaks("nothing newer than TLS 1.1", { min: "TLSv1", max: "TLSv1.1" }, "issuer-tls-old", []),
  {
    name: "a TLS inspection in front of STS",
    async build(site) {
      const idp = await site.idp();
      const sts = await site.sts({ tls: makeTlsIdentity(), host: "localhost" });
      return { options: settingsFor(sts, await idp.issueToken()) };
    },
    cause: "sts-tls-untrusted",
    verdict: "broken",
  },
  {
    name: "a proxy that inspects TLS with a CA of its own",
    async build(site) {
      const made = authority();
      const issuer = "https://issuer.invalid";
      const idp = await site.idp({ tls: made.chain({ host: "issuer.invalid" }) });
      const proxy = site.keep(await startTunnelProxy(idp.port));
      const sts = await site.sts({ providers: [{ issuer }] });
      const token = await idp.issueToken({ claims: { iss: issuer } });
      const env = { HTTPS_PROXY: `http://user:secret@127.0.0.1:${proxy.port}` };
      return { options: { ...settingsFor(sts, token), assume: false }, runtime: { env } };
    },
    cause: "issuer-tls-untrusted",
    verdict: "degraded",
    also: ["proxy-in-use"],
  },
];
