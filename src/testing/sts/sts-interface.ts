import type { LocalServer, TlsIdentity } from "../loopback-server.js";
import type { AnswerShape } from "./assume-role-answer.js";
import type { StsRequest } from "./request-log.js";
import type { StsFault, StsFaultOptions } from "./sts-fault.js";
import type { TrustedProvider, TrustedRole } from "./trust.js";

/** An STS on a loopback port. */
export interface LocalSts extends LocalServer {
  /** The endpoint for an SDK client, the AWS CLI or botocore. */
  readonly url: string;
  /** What was asked and what came of it, oldest first. It holds no token and no secret. */
  readonly requests: readonly StsRequest[];
  /**
   * Fails the next request, or the next `times` ones.
   *
   * @throws TypeError for options that make no sense.
   */
  failNext(fault: StsFault, options?: StsFaultOptions): void;
  /**
   * Fails every request, or those that the options choose, until {@link LocalSts.clearFaults}.
   *
   * @throws TypeError for options that make no sense.
   */
  setFault(fault: StsFault, options?: StsFaultOptions): void;
  /** Ends every fault that was scripted. */
  clearFaults(): void;
  /** Changes how the answers look from now on; what is not named stays. */
  configure(answers: StsAnswerOptions): void;
  /** Forgets the requests seen so far. */
  resetRequests(): void;
}

/** What the local STS answers with. */
export interface StsAnswerOptions extends AnswerShape {
  /**
   * The lifetime of credentials in place of the one that was asked for; a negative one makes answers
   * that have expired already. @default what the request asks for
   */
  readonly credentialLifetimeSeconds?: number | undefined;
}

/** How to start a {@link LocalSts}. */
export interface LocalStsOptions extends StsAnswerOptions {
  /**
   * The OIDC providers of the account; a `LocalIdp` is one as it is.
   * @default every issuer on the loopback address, with any audience
   */
  readonly providers?: readonly TrustedProvider[];
  /** @default every role exists and trusts every valid token */
  readonly roles?: readonly TrustedRole[];
  /** @default an ephemeral port */
  readonly port?: number;
  /** Serves HTTPS. @default HTTP */
  readonly tls?: TlsIdentity;
  /** The host name in `url`; it has to resolve to 127.0.0.1. @default "127.0.0.1" */
  readonly host?: string;
  /** PEM certificates to trust when asking an HTTPS issuer. @default Node's own */
  readonly ca?: string | Buffer;
  /** How long discovery and JWKS may take together, in milliseconds. @default 5000 */
  readonly idpTimeoutMs?: number;
  /** Keeps a JWKS for this long whatever its headers say; 0 never keeps it. @default as the headers say */
  readonly jwksCacheSeconds?: number;
  /** Milliseconds since the epoch: for tokens, credentials, caches and `Date`. @default Date.now */
  readonly now?: () => number;
  /** From 0 to 1: for faults with a probability. @default Math.random */
  readonly random?: () => number;
}
