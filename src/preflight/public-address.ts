import { BlockList, isIPv4, isIPv6 } from "node:net";

/**
 * Whether an IP address is one that anybody on the internet may be behind: neither private,
 * loopback, link-local (cloud metadata services live there), shared, reserved nor multicast. An
 * IPv4 address inside an IPv6 one (mapped, NAT64) counts as itself.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !RESERVED_IPV4.check(address, "ipv4");
  const bare = address.split("%", 1)[0] as string;
  if (!isIPv6(bare)) return false;
  const groups = groupsOf(bare);
  const embedded = embeddedIpv4(groups);
  if (embedded !== undefined) return isPublicAddress(embedded);
  // 2000::/3 is all that is assigned to the public (IANA IPv6 address space registry).
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
