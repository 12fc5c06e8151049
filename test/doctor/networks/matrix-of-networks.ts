import { FIREWALL_ROWS } from "./matrix-of-firewalls.js";
import { LINK_ROWS } from "./matrix-of-links.js";
import { RESOLVER_ROWS } from "./matrix-of-resolvers.js";
import type { NetworkRow } from "./network-row.js";

/** Every world of network namespaces that the doctor is tried on. */
export const NETWORK_ROWS: readonly NetworkRow[] = [
  ...RESOLVER_ROWS,
  ...FIREWALL_ROWS,
  ...LINK_ROWS,
];
