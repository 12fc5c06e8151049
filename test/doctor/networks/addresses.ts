import { REGION } from "../../support/matrix-world.js";

export const OTHER_REGION = "eu-central-1";

/** Names that mean the same in every world; STS's are where the SDK sends its calls by itself. */
export const HOSTS = {
  sts: `sts.${REGION}.amazonaws.com`,
  otherSts: `sts.${OTHER_REGION}.amazonaws.com`,
  globalSts: "sts.amazonaws.com",
  proxy: "proxy.example",
} as const;

/** Who is where in one world: everything but the workload is on the internet's side of one link. */
export interface Addresses {
  /** The network interface on the internet's side. */
  readonly link: string;
  readonly workload: string;
  readonly workloadV6: string;
  readonly resolver: string;
  /** The host name of the issuer. */
  readonly issuerHost: string;
  readonly issuer: string;
  /** The issuer listens here as well. */
  readonly issuerToo: string;
  readonly issuerV6: string;
  /** STS in the called region. */
  readonly sts: string;
  readonly stsV6: string;
  /** STS in the region to fail over to. */
  readonly otherSts: string;
  readonly globalSts: string;
  readonly proxy: string;
  /** A server that responds as every host. */
  readonly portal: string;
}

/** Of the world with this number, from 1 to 250: no two worlds share an address or a name. */
export function addressesOf(number: number): Addresses {
  const v4 = (host: number) => `10.77.${number}.${host}`;
  const v6 = (host: number) => `2001:db8:77:${number}::${host}`;
  return {
    link: `world${number}`,
    workload: v4(100),
    workloadV6: v6(100),
    resolver: v4(1),
    issuerHost: `world${number}.issuer.example`,
    issuer: v4(2),
    issuerToo: v4(3),
    issuerV6: v6(2),
    sts: v4(4),
    stsV6: v6(4),
    otherSts: v4(5),
    globalSts: v4(6),
    proxy: v4(7),
    portal: v4(8),
  };
}

/** Arguments of `ip` for the internet's side of the link. */
export function internetLines(at: Addresses): string[] {
  const { link, resolver, issuer, issuerToo, issuerV6, sts, stsV6, otherSts, globalSts } = at;
  const v4 = [resolver, issuer, issuerToo, sts, otherSts, globalSts, at.proxy, at.portal];
  return interfaceLines(link, v4, [issuerV6, stsV6]);
}

/** The same for the workload's side. */
export function workloadLines({ workload, workloadV6 }: Addresses): string[] {
  return interfaceLines("eth0", [workload], [workloadV6]);
}

function interfaceLines(name: string, v4: readonly string[], v6: readonly string[]): string[] {
  return [
    ...v4.map((address) => `address add ${address}/24 dev ${name}`),
    // No other interface has the address, so `nodad` skips the check for duplicates.
    ...v6.map((address) => `address add ${address}/64 dev ${name} nodad`),
    `link set ${name} up`,
  ];
}
