import type { Finding } from "../model/findings.js";
import type { IssuerFacts } from "./facts.js";

/** The codes of a connection that nobody answers. */
const LATE: readonly (string | undefined)[] = ["timeout", "ETIMEDOUT"];

/**
 * Some of the issuer's addresses take connections and others do not: this look went well because
 * Node goes on to the next address. Of one family, because IPv6 may be broken here alone.
 */
export function addressFindings({ addresses, host = "the issuer" }: IssuerFacts): Finding[] {
  const dead = addresses.filter(
    ({ error, family }) =>
      error !== undefined &&
      addresses.some((other) => other.family === family && other.connectMs !== undefined),
  );
  if (dead.length === 0) return [];
  const told = dead.map(({ address, error }) => `${address} (${error})`);
  return [
    {
      id: dead.every(({ error }) => LATE.includes(error))
        ? "issuer-timeout"
        : "issuer-connection-refused",
      severity: "suspect",
      title: "Some of the issuer's addresses accept no connections, so requests fail at random.",
      detail: `${host} has ${addresses.length} addresses; these accept no connection: ${told.join(", ")}.`,
      remedy: "IdP: restore the servers at these addresses, or remove the addresses from DNS.",
      evidence: { host, addresses: dead.map(({ address, error }) => ({ address, error })) },
    },
  ];
}
