import type { Finding } from "../model/findings.js";
import type { RequestTiming } from "../model/issuer-report.js";
import type { KeySet } from "./key-set.js";

/** What is known of an issuer at one time: everything that does not depend on a token. */
export interface Snapshot {
  readonly findings: readonly Finding[];
  readonly requests: readonly RequestTiming[];
  /** Absent when no key set was reached. */
  readonly keys?: FetchedKeys | undefined;
  /** When the oldest of what it rests on was fetched, in milliseconds since the epoch. */
  readonly fetchedAt: number;
  /** When something is due again: an expired document, or an issuer after a failure's rest. */
  readonly expiresAt: number;
  /** Whether the visit ended without a document: the issuer is left alone until it is due. */
  readonly isFailure: boolean;
}

export interface FetchedKeys {
  readonly keySet: KeySet;
  /** Tells one fetch of the JWKS from the next, whether or not it changed. */
  readonly fetchId: number;
  /** In milliseconds since the epoch. */
  readonly fetchedAt: number;
}
