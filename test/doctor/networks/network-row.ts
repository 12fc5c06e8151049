import type { Expectation } from "../matrix-row.js";
import type { Addresses } from "./addresses.js";
import type { Zone } from "./name-server.js";

/** One world of two network namespaces, and what the doctor must say of it. */
export interface NetworkRow extends Expectation {
  /** nftables rules for packets to the servers, from any sender. */
  readonly incoming?: (at: Addresses) => readonly string[];
  /** nftables rules for packets from the servers, to whomever they go. */
  readonly outgoing?: (at: Addresses) => readonly string[];
  /** Arguments of `tc` that change the link to the workload. */
  readonly link?: (at: Addresses) => string;
  /** Arguments of `ip` that change the workload's own routes, a line each. */
  readonly routes?: (at: Addresses) => readonly string[];
  /** What the workload's resolver says of names, where it is not the truth. */
  readonly names?: (at: Addresses) => Zone;
  /** The workload's environment, beyond what every workload has. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of the doctor. */
  readonly args?: readonly string[];
  /** Whether STS knows a way of its own to the issuer's name. @default true */
  readonly stsResolvesIssuer?: boolean;
}
