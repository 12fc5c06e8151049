import type { LookupAddress } from "node:dns";
import type { LookupFunction } from "node:net";
import { isPublicAddress } from "./public-address.js";

/** Resolves a host name to all its addresses. */
export type ResolveHost = (hostname: string) => Promise<readonly LookupAddress[]>;

/** A connection was about to go, or went, to an address that is not public. */
export class AddressRefused extends Error {
  constructor(readonly address: string) {
    super(`${address} is no public address`);
  }
}

/**
 * Asks once for a name that is asked for again meanwhile. A process resolves two names at a time
 * (libuv's slow tasks have half of its threads), for ten seconds and more where the resolver is
 * silent: two looks at such an issuer would keep the calls to STS from their own name.
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

/** As the process resolves any other name: hosts file, resolver, in the order they come. */
export const resolveHost: ResolveHost = oncePerName(async (hostname) => {
  const { lookup } = await import("node:dns/promises");
  return await lookup(hostname, { all: true });
});

/**
 * The `lookup` of a connection: what it returns is what is connected to, so a name that resolves
 * differently a moment later gains nothing. One address that is not public refuses the name: names
 * that mix the two exist to slip past such checks.
 */
export function guardedLookup(resolve: ResolveHost, allowPrivate: boolean): LookupFunction {
  return (hostname, options, callback) => {
    // Thrown synchronously or not, a resolver's failure goes to the callback.
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
