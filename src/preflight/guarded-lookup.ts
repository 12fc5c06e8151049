/**
 * Guards the requests for an issuer's documents, whose URLs come from untrusted tokens: which addresses
 * they may go to, and how their names are resolved.
 */
import type { LookupAddress } from "node:dns";
import { BlockList, isIPv4, isIPv6, type LookupFunction } from "node:net";
import { untilAborted } from "../runtime/abort.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { isLoopbackUrl } from "../runtime/url-host.js";

/**
 * Which addresses requests for an issuer's documents may go to, besides public ones: none, those of
 * this machine, or all.
 */
export type Reach = "public" | "loopback" | "any";

/**
 * Set by `resilient-sts emulate`, so that a service treats a local issuer as it treats its issuer in
 * production. Requests for a loopback issuer may then go to loopback addresses as well.
 */
export const LOOPBACK_VARIABLE = "RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS";

/** @param allowPrivate - the option, which overrules the environment */
export function reachOf(
  issuer: string,
  allowPrivate: boolean | undefined,
  env: Environment,
): Reach {
  if (allowPrivate !== undefined) return allowPrivate ? "any" : "public";
  const isAllowed = readVariable(env, LOOPBACK_VARIABLE)?.toLowerCase() === "true";
  const isLoopback = isAllowed && URL.canParse(issuer) && isLoopbackUrl(new URL(issuer));
  return isLoopback ? "loopback" : "public";
}

/** Whether a request may go to an IP address. */
export function isWithin(reach: Reach, address: string): boolean {
  if (reach === "any" || isPublicAddress(address)) return true;
  return reach === "loopback" && isLoopbackAddress(address);
}

function isLoopbackAddress(address: string): boolean {
  if (isIPv4(address)) return address.startsWith("127.");
  if (!isIPv6(address) || address.includes("%")) return false;
  // The URL parser writes every form of an address in one way.
  return /^\[::(1|ffff:7f[\da-f]{2}:[\da-f]+)\]$/.test(new URL(`http://[${address}]`).hostname);
}

/** One caller's wait for a name. A resolver without a queue may ignore it. */
export interface LookupWait {
  /** Ends the wait. A name that no caller waits for leaves the queue. */
  readonly signal?: AbortSignal | undefined;
  /** Called when another name is resolved before this one. */
  readonly onQueued?: (() => void) | undefined;
  /** Called when the resolver starts to resolve this name. */
  readonly onStarted?: (() => void) | undefined;
}

/** Resolves a host name to all its addresses. */
export type ResolveHost = (
  hostname: string,
  wait?: LookupWait,
) => Promise<readonly LookupAddress[]>;

/** A connection would lead, or led, to an address that is not public. */
export class AddressRefused extends Error {
  constructor(readonly address: string) {
    super(`${address} is not a public address`);
  }
}

/** A name in the queue or in resolution, shared by all callers that need it at the same time. */
interface Lookup {
  readonly hostname: string;
  readonly addresses: Promise<readonly LookupAddress[]>;
  readonly start: () => void;
  readonly waits: Set<LookupWait>;
}

/**
 * Resolves one name at a time, first come, first served. A process has two threads for names (half of
 * libuv's four). If the resolver does not respond, each name occupies a thread for ten seconds or more,
 * even when no caller waits for it any longer. Tokens name the issuers: without the queue, two names from
 * hostile tokens would keep the name of STS from being resolved.
 */
export function oneAtATime(resolve: ResolveHost): ResolveHost {
  const queue = new Map<string, Lookup>();
  let running: Lookup | undefined;

  const startNext = () => {
    const [first] = queue.values();
    running = first;
    if (first === undefined) return;
    queue.delete(first.hostname);
    for (const { onStarted } of first.waits) onStarted?.();
    first.start();
  };
  const enqueue = (hostname: string): Lookup => {
    let start = () => {};
    const started = new Promise<void>((begin) => {
      start = begin;
    });
    const addresses = started.then(() => resolve(hostname)).finally(startNext);
    const lookup = { hostname, addresses, start, waits: new Set<LookupWait>() };
    queue.set(hostname, lookup);
    return lookup;
  };

  return async (hostname, wait = {}) => {
    const { signal } = wait;
    signal?.throwIfAborted();
    const known = running?.hostname === hostname ? running : queue.get(hostname);
    const lookup = known ?? enqueue(hostname);
    lookup.waits.add(wait);
    if (running === undefined) startNext();
    else if (running !== lookup) wait.onQueued?.();
    try {
      return await (signal ? untilAborted(lookup.addresses, signal) : lookup.addresses);
    } finally {
      lookup.waits.delete(wait);
      const isUnwanted = lookup.waits.size === 0 && queue.get(hostname) === lookup;
      // A lookup that has begun can't be cancelled.
      if (isUnwanted) queue.delete(hostname);
    }
  };
}

const resolveByNode: ResolveHost = async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return await lookup(hostname, { all: true });
};

/** Resolves the names of issuers as the process resolves any other name: by hosts file and resolver. */
export const resolveHost: ResolveHost = oneAtATime(resolveByNode);

/** Resolves the names of STS endpoints, which never wait for an issuer's name. */
export const resolveStsHost: ResolveHost = oneAtATime(resolveByNode);

/**
 * The `lookup` function of a connection. The connection goes to the checked addresses, so a name that
 * resolves differently a moment later gains nothing. One address that is not allowed refuses the whole
 * name, because attackers mix allowed and forbidden addresses to evade such checks.
 */
export function guardedLookup(
  resolve: ResolveHost,
  isAllowed: (address: string) => boolean,
  wait?: LookupWait,
): LookupFunction {
  return (hostname, options, callback) => {
    // A resolver's failure goes to the callback, even if the resolver throws synchronously.
    Promise.resolve()
      .then(() => resolve(hostname, wait))
      .then((addresses) => {
        const refused = addresses.find(({ address }) => !isAllowed(address));
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

/** Reserved in 2000::/3: protocol assignments with Teredo, documentation, 6to4 (which carries any IPv4 address). */
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
