import type { TokenSource } from "../model/token-source.js";

/** Who the workload is and whom it wants to be: the part in which the three factories differ. */
export interface Identity {
  readonly source: TokenSource;
  /** What the source is called in messages: `the token file /var/run/…`. */
  readonly sourceName: string;
  readonly roleArn: string;
  readonly roleSessionName: string | undefined;
  /** The SDK's marks on credentials obtained this way. */
  readonly marks: Readonly<Record<string, string>>;
}

/**
 * Settles the identity for one refresh: the environment may have changed since the last.
 *
 * @throws WebIdentityError `ERR_NOT_CONFIGURED`
 */
export type IdentityResolver = () => Identity;
