import type { IncomingHttpHeaders } from "node:http";
import type { LocalServer, TlsIdentity } from "../loopback-server.js";
import type { IdpDocument, IdpDocumentName } from "./idp-document.js";
import type { IdpFault } from "./idp-fault.js";
import type { TokenRequest } from "./issue-token.js";
import type { AddKeyOptions, RotateKeysOptions } from "./key-ring.js";
import type { SigningAlgorithm } from "./signing-key.js";

/** An identity provider on a loopback port. */
export interface LocalIdp extends LocalServer {
  /** The issuer URL, exactly as tokens carry it. */
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly jwksUrl: string;
  /** The discovery document as it is served now, byte for byte. */
  readonly discoveryText: string;
  /** The JWKS as it is served now, byte for byte. */
  readonly jwksText: string;
  /** The `kid` of the key that signs now. */
  readonly kid: string;
  /** What was asked, oldest first. */
  readonly requests: readonly IdpRequest[];
  /** How often each document was asked for, faults included. */
  readonly counts: Readonly<Record<IdpDocumentName, number>>;
  /**
   * Makes a signed token.
   *
   * @throws TypeError when the key is unknown or cannot sign with the algorithm.
   */
  issueToken(request?: TokenRequest): Promise<string>;
  /** Adds a key that tokens can ask for; the current one stays current. Returns its `kid`. */
  addKey(options?: AddKeyOptions): Promise<string>;
  /** Makes a new key the current one. Returns its `kid`. */
  rotateKeys(options?: RotateKeysOptions): Promise<string>;
  /**
   * Shows a key in the JWKS that was added or rotated in unpublished.
   *
   * @throws TypeError when the key is unknown.
   */
  publishKey(kid: string): void;
  /** Serves another discovery document; without an argument the right one again. */
  setDiscovery(document?: IdpDocument): void;
  /** Serves another JWKS; without an argument the right one again. */
  setJwks(document?: IdpDocument): void;
  /** Changes headers of the answers with a document, `null` removes one. */
  setHeaders(headers: Readonly<Record<string, string | null>>): void;
  /**
   * Scripts a fault: for the next `times` requests, or standing until cleared.
   *
   * @throws TypeError for a rule that makes no sense.
   */
  setFault(fault: IdpFault): void;
  /** The same for the next request only, unless `times` says otherwise. */
  failNext(fault: IdpFault): void;
  /** Ends every fault that {@link LocalIdp.setFault} and {@link LocalIdp.failNext} scripted. */
  clearFaults(): void;
  /** Forgets the requests seen so far, and their counts. */
  resetRequests(): void;
}

/** How to start a {@link LocalIdp}. */
export interface LocalIdpOptions {
  /** The path of the issuer: `"/realms/acme"`, or `"/"` for an issuer that ends in a slash. @default "" */
  readonly path?: string;
  /** The host name in the issuer URL; it has to resolve to 127.0.0.1. @default "127.0.0.1" */
  readonly host?: string;
  /** @default an ephemeral port */
  readonly port?: number;
  /** Serves HTTPS. @default HTTP */
  readonly tls?: TlsIdentity;
  /** @default "RS256" */
  readonly algorithm?: SigningAlgorithm;
  /** The first key's id. @default its thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Headers of the answers with a document. @default \{ "cache-control": "public, max-age=3600" \} */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch: for `iat`, the `Date` header and rate limits. @default Date.now */
  readonly now?: () => number;
  /** From 0 to 1: for faults with a probability. @default Math.random */
  readonly random?: () => number;
}

/** One request the IdP saw. */
export interface IdpRequest {
  readonly path: string;
  readonly document: IdpDocumentName | undefined;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Numbers the connection it came over, from 1. */
  readonly connection: number;
}
