import type { LookupAddress } from "node:dns";
import { BlockList, isIPv4, isIPv6, type LookupFunction } from "node:net";

/** Resolves a host name to all its addresses. */
export type ResolveHost = (hostname: string) => Promise<readonly LookupAddress[]>;

/** A connection would go, or went, to an address that is not public. */
export class AddressRefused extends Error {
  constructor(readonly address: string) {
    super(`${address} is no public address`);
  }
}

/**
 * Shares one lookup between all callers that ask for the same name at the same time. Node resolves
 * two names at a time (libuv gives half of its threads to slow tasks), and each takes ten seconds or
 * more when the resolver is silent: two checks of such an issuer would block the lookup of STS.
 */
export function oncePerName(resolve: ResolveHost): ResolveHost {
  const running = new Map<string, Promise<readonly LookupAddress[]>>();
  return (hostname) => {
    const known = running.get(hostname);
    if (known !== undefined) return known;
    const started = resolve(hostname).finally(() => running.delete(hostname));
    running.set(hostname, started);
    return started;
  };
}

/** Resolves a name as Node does by default: hosts file, then resolver, without reordering. */
export const resolveHost: ResolveHost = oncePerName(async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return await lookup(hostname, { all: true });
});

/**
 * The `lookup` function of a connection. The connection goes to the address that it returns, so a
 * name that resolves differently a moment later cannot evade the check. One address that is not
 * public is enough to refuse the name: names that mix both exist to evade such checks.
 */
export function guardedLookup(resolve: ResolveHost, allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    // A resolver may throw or reject; both go to the callback.
    Promise.resolve()
      .then(() => resolve(hostname))
      .then((addresses) => {
        const refused = allowPrivate
          ? undefined
          : addresses.find(({ address }) => !isPublicAddress(address));
        if (refused) throw new AddressRefused(refused.address);
        const [first] = addresses;
        if (!first) throw Object.assign(new Error("no address"), { code: "ENODATA" });
        return [first, addresses] as const;
      })
      .then(
        ([first, addresses]) => {
          if (options.all === true) callback(null, [...addresses]);
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, options.all === true ? [] : "", 0),
      );
  };
}

/**
 * Whether an IP address is public: not private, loopback, link-local (where cloud metadata services
 * are), shared, reserved or multicast. An IPv4 address inside an IPv6 address (mapped, NAT64) is
 * judged as that IPv4 address.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !RESERVED_IPV4.check(address, "ipv4");
  const bare = address.split("%", 1)[0] as string;
  if (!isIPv6(bare)) return false;
  const groups = groupsOf(bare);
  const embedded = embeddedIpv4(groups);
  if (embedded !== undefined) return isPublicAddress(embedded);
  // Only 2000::/3 is assigned for public use (IANA IPv6 address space registry).
  const isGlobal = ((groups[0] as number) & 0xe000) === 0x2000;
  return isGlobal && !RESERVED_IPV6.check(bare, "ipv6");
}

/** IANA IPv4 special-purpose registry (RFC 6890), multicast and class E. */
const RESERVED_IPV4 = blockList("ipv4", [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
]);

/** Of 2000::/3: protocol assignments with Teredo, documentation, 6to4 (it carries any IPv4 address). */
const RESERVED_IPV6 = blockList("ipv6", [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
]);

function blockList(family: "ipv4" | "ipv6", subnets: readonly [string, number][]): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}

/** The IPv4 address in ::ffff:0:0/96 (mapped) or 64:ff9b::/96 (NAT64, RFC 6052). */
function embeddedIpv4(groups: readonly number[]): string | undefined {
  const start = groups.slice(0, 6).join();
  if (start !== "0,0,0,0,0,65535" && start !== `${0x64},${0xff9b},0,0,0,0`) return undefined;
  const [high, low] = groups.slice(6) as [number, number];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** The eight 16-bit groups of an IPv6 address; the URL parser writes every form in hexadecimal. */
function groupsOf(address: string): number[] {
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
}
