import { isIPv4, isIPv6 } from "node:net";
import { type Environment, readVariable } from "../runtime/environment.js";
import { isLoopbackUrl } from "../runtime/loopback.js";
import { isPublicAddress } from "./guarded-lookup.js";

/**
 * Which addresses requests for an issuer's documents may go to, besides public ones: none, those of
 * this machine, or all.
 */
export type Reach = "public" | "loopback" | "any";

/**
 * Set by `resilient-sts emulate`, so that a service treats a local issuer as it treats its own issuer
 * in production. A loopback issuer leads to loopback addresses alone; all other issuers to public ones.
 */
const LOOPBACK_VARIABLE = "RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS";

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
