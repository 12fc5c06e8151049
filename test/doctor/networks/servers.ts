import type { TlsIdentity } from "../../../src/testing/index.js";
import { createCertificateAuthority } from "../../support/certificate-authority.js";
import type { Site } from "../../support/matrix-world.js";
import { makeTlsIdentity } from "../../support/tls-identity.js";
import { startTlsServer, startTunnelProxy } from "../odd-servers.js";
import { type Addresses, HOSTS } from "./addresses.js";
import { startNameServer, type Zone } from "./name-server.js";
import { startRelay } from "./relay.js";

const STS_NAMES = ["sts", "otherSts", "globalSts"] as const;

/** What the servers of every world are known by. */
export interface Certificates extends Disposable {
  /** Of the CA that every workload trusts, PEM. */
  readonly caFile: string;
  readonly ca: Buffer;
  readonly issuer: TlsIdentity;
  readonly sts: Readonly<Record<(typeof STS_NAMES)[number], TlsIdentity>>;
  /** No client trusts its certificate. */
  readonly portal: TlsIdentity;
}

export function makeCertificates(): Certificates {
  const authority = createCertificateAuthority();
  return {
    caFile: authority.caFile,
    ca: authority.ca,
    issuer: authority.chain({ host: "*.issuer.example" }),
    sts: {
      sts: authority.chain({ host: HOSTS.sts }),
      otherSts: authority.chain({ host: HOSTS.otherSts }),
      globalSts: authority.chain({ host: HOSTS.globalSts }),
    },
    portal: makeTlsIdentity(),
    [Symbol.dispose]: () => authority[Symbol.dispose](),
  };
}

/** Starts the issuer, STS, proxy, portal and resolver of one world; returns a token of the issuer. */
export async function startServers(
  site: Site,
  at: Addresses,
  { ca, issuer: issuerTls, sts: stsTls, portal: portalTls }: Certificates,
  names: Zone,
): Promise<string> {
  const relay = async (port: number, to: number, ...addresses: string[]) => {
    for (const address of addresses) site.keep(await startRelay(address, port, to));
  };
  const issuer = `https://${at.issuerHost}`;
  const idp = await site.idp({ tls: issuerTls });
  // It listens on another port than its visitors see.
  idp.setDiscovery((right) => ({ ...right, issuer, jwks_uri: `${issuer}/jwks` }));
  await relay(443, idp.port, at.issuer, at.issuerToo, at.issuerV6);

  for (const name of STS_NAMES) {
    const sts = await site.sts({ tls: stsTls[name], ca, providers: [{ issuer }] });
    await relay(443, sts.port, at[name]);
    if (name === "sts") await relay(443, sts.port, at.stsV6);
  }
  const proxy = site.keep(await startTunnelProxy(idp.port));
  await relay(3128, proxy.port, at.proxy);
  const versions = { min: "TLSv1.2", max: "TLSv1.3" } as const;
  const portal = site.keep(await startTlsServer(portalTls, versions, () => "{}"));
  await relay(443, portal.port, at.portal);

  site.keep(await startNameServer(at.resolver, { ...truth(at), ...names }));
  return await idp.issueToken({ claims: { iss: issuer } });
}

function truth(at: Addresses): Zone {
  const names = Object.keys(HOSTS) as (keyof typeof HOSTS)[];
  return {
    [at.issuerHost]: [at.issuer],
    ...Object.fromEntries(names.map((name) => [HOSTS[name], [at[name]]])),
  };
}
