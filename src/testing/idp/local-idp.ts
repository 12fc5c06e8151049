import { createHash } from "node:crypto";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { checkKeys } from "../../runtime/validators.js";
import { createRateLimit, FaultScript } from "../fault-script.js";
import {
  type Exchange,
  type LocalServer,
  sendResponse,
  startLoopbackServer,
  type TlsIdentity,
} from "../loopback-server.js";
import { checkIdpFault, type IdpFault, playIdpFault } from "./idp-fault.js";
import {
  type AddKeyOptions,
  discoveryDocument,
  documentUrl,
  type IdpDocumentName,
  issueToken,
  KeyRing,
  type RotateKeysOptions,
  type SigningAlgorithm,
  type TokenRequest,
} from "./issuer.js";

/*
 * The local identity provider: this file responds to the requests. `issuer.ts` makes the documents, the keys
 * and the tokens, and `idp-fault.ts` plays the faults.
 */

/**
 * A document that the IdP serves in place of the correct one: a value (as JSON), a string (byte for
 * byte), or a function that receives the correct document and returns the one to serve.
 */
export type IdpDocument =
  | string
  | Readonly<Record<string, unknown>>
  | ((right: Readonly<Record<string, unknown>>) => unknown);

/** An identity provider on a loopback port. */
export interface LocalIdp extends LocalServer {
  /** The issuer URL, exactly as in the `iss` of the tokens. */
  readonly issuer: string;
  /** URL of the discovery document. */
  readonly discoveryUrl: string;
  /** URL of the JWKS. */
  readonly jwksUrl: string;
  /** The discovery document as the IdP serves it now, byte for byte. */
  readonly discoveryText: string;
  /** The JWKS as the IdP serves it now, byte for byte. */
  readonly jwksText: string;
  /** The `kid` of the current key, which signs the tokens. */
  readonly kid: string;
  /** The requests received, oldest first. */
  readonly requests: readonly IdpRequest[];
  /** The number of requests for each document, including those to which a fault responded. */
  readonly counts: Readonly<Record<IdpDocumentName, number>>;
  /**
   * Makes a signed token.
   *
   * @throws TypeError when the key is unknown or can't sign with the algorithm.
   */
  issueToken(request?: TokenRequest): Promise<string>;
  /** Adds a key for tokens that name it; the current key stays current. Returns the new `kid`. */
  addKey(options?: AddKeyOptions): Promise<string>;
  /** Makes a new key the current key. Returns its `kid`. */
  rotateKeys(options?: RotateKeysOptions): Promise<string>;
  /**
   * Adds to the JWKS a key that was made with `publish: false`.
   *
   * @throws TypeError when the key is unknown.
   */
  publishKey(kid: string): void;
  /** Serves this discovery document; without an argument, the correct one again. */
  setDiscovery(document?: IdpDocument): void;
  /** Serves this JWKS; without an argument, the correct one again. */
  setJwks(document?: IdpDocument): void;
  /** Changes the headers of the documents; `null` removes a header. */
  setHeaders(headers: Readonly<Record<string, string | null>>): void;
  /**
   * Sets a fault for the next `times` requests; without `times`, until {@link LocalIdp.clearFaults}.
   *
   * @throws TypeError for a fault that the IdP can't play.
   */
  setFault(fault: IdpFault): void;
  /** Sets a fault for the next request, or for the next `times` requests. */
  failNext(fault: IdpFault): void;
  /** Ends every fault of {@link LocalIdp.setFault} and {@link LocalIdp.failNext}. */
  clearFaults(): void;
  /** Clears `requests` and `counts`. */
  resetRequests(): void;
}

/** How to start a {@link LocalIdp}. */
export interface LocalIdpOptions {
  /** The path of the issuer: `"/realms/acme"`, or `"/"` for an issuer that ends in a slash. @default "" */
  readonly path?: string;
  /** The host name in the issuer URL; it must resolve to 127.0.0.1. @default "127.0.0.1" */
  readonly host?: string;
  /** Port to listen on. @default an ephemeral port */
  readonly port?: number;
  /** Serves HTTPS. @default HTTP */
  readonly tls?: TlsIdentity;
  /** Algorithm of the first key. @default "RS256" */
  readonly algorithm?: SigningAlgorithm;
  /** The `kid` of the first key. @default its thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Headers of the documents. @default \{ "cache-control": "public, max-age=3600" \} */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch: for `iat`, the `Date` header and rate limits. @default Date.now */
  readonly now?: () => number;
  /** Returns a number from 0 to 1, for faults with a probability. @default Math.random */
  readonly random?: () => number;
}

/** One request that the IdP received. */
export interface IdpRequest {
  /** Path of the request. */
  readonly path: string;
  /** The document at that path; `undefined` for any other path. */
  readonly document: IdpDocumentName | undefined;
  /** Headers of the request. */
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The number of its connection, from 1 in the order of arrival. */
  readonly connection: number;
}

/** A record, so that the compiler reports a missing name. */
const IDP_KEYS: Readonly<Record<keyof LocalIdpOptions, true>> = {
  path: true,
  host: true,
  port: true,
  tls: true,
  algorithm: true,
  kid: true,
  headers: true,
  now: true,
  random: true,
};

const DEFAULT_HEADERS = { "cache-control": "public, max-age=3600" };

/**
 * Starts an OpenID Connect identity provider on a loopback port: a discovery document, a JWKS,
 * tokens signed with its keys, and faults on demand.
 *
 * @throws TypeError for an option out of its range, and the system error (`EADDRINUSE`) when another
 * process uses the port.
 *
 * @example
 * ```ts
 * import { startLocalIdp, startLocalSts } from "resilient-sts/testing";
 *
 * await using idp = await startLocalIdp();
 * await using sts = await startLocalSts({ providers: [idp] });
 * const token = await idp.issueToken({ subject: "system:serviceaccount:default:app" });
 * idp.setFault({ kind: "rate-limit", retryAfterSeconds: 2, times: 5, on: "jwks" });
 * ```
 */
export async function startLocalIdp(options: LocalIdpOptions = {}): Promise<LocalIdp> {
  checkKeys("startLocalIdp", options, Object.keys(IDP_KEYS));
  const { path = "", host = "127.0.0.1", now = Date.now, random = Math.random, tls } = options;
  if (path !== "" && !/^\/[^?#\s]*$/.test(path)) {
    throw new TypeError(`Expected \`path\` to start with a slash, got ${JSON.stringify(path)}`);
  }
  const keys = await KeyRing.create(options.algorithm ?? "RS256", options.kid);
  const faults = new FaultScript<IdpFault, IdpDocumentName>(random);
  const overrides: { [name in IdpDocumentName]?: IdpDocument | undefined } = {};
  const requests: IdpRequest[] = [];
  const headers = new Map<string, string | null>();
  const setHeaders = (changes: Readonly<Record<string, string | null>>) => {
    for (const [name, value] of Object.entries(changes)) headers.set(name.toLowerCase(), value);
  };
  setHeaders(DEFAULT_HEADERS);
  setHeaders(options.headers ?? {});

  const server: LocalServer = await startLoopbackServer({ port: options.port, tls, onRequest });
  const issuer = `${tls ? "https" : "http"}://${host}:${server.port}${path}`;
  const paths = {
    discovery: new URL(documentUrl(issuer, "discovery")).pathname,
    jwks: new URL(documentUrl(issuer, "jwks")).pathname,
  };

  function body(name: IdpDocumentName): string {
    const algorithms = [...new Set(keys.jwks.keys.map((key) => String(key.alg)))];
    const right = name === "jwks" ? keys.jwks : discoveryDocument(issuer, algorithms);
    return documentBody(right, overrides[name]);
  }

  async function onRequest(exchange: Exchange): Promise<void> {
    const { request, connection } = exchange;
    const { pathname } = new URL(request.url ?? "/", issuer);
    const name = (["discovery", "jwks"] as const).find((each) => paths[each] === pathname);
    const received = { path: pathname, document: name, headers: { ...request.headers } };
    requests.push({ ...received, at: now(), connection });
    const date = new Date(now()).toUTCString();
    if (name === undefined) {
      sendResponse(exchange, { httpStatus: 404, body: '{"error":"not_found"}', headers: { date } });
      return;
    }
    const text = body(name);
    const tag = entityTag(text);
    const responseHeaders: OutgoingHttpHeaders = {
      date,
      "content-type": "application/json",
      etag: tag,
    };
    for (const [header, value] of headers) {
      if (value === null) delete responseHeaders[header];
      else responseHeaders[header] = value;
    }
    const right = { httpStatus: 200, body: text, headers: responseHeaders };
    const fault = faults.take(name);
    if (fault && (await playIdpFault(fault, exchange, right))) return;
    const unchanged = matchesEntityTag(request.headers["if-none-match"], tag);
    sendResponse(exchange, unchanged ? { ...right, httpStatus: 304 } : right);
  }

  function setFault(fault: IdpFault): void {
    checkIdpFault(fault);
    const overLimit =
      fault.kind === "rate-limit" && fault.limit ? createRateLimit(fault.limit, now) : () => true;
    const when = (name: IdpDocumentName) => (fault.on ?? name) === name && overLimit();
    faults.add(fault, { times: fault.times, probability: fault.probability, when });
  }

  const count = (name: IdpDocumentName) => requests.filter(({ document }) => document === name);
  return {
    issuer,
    port: server.port,
    get connections() {
      return server.connections;
    },
    get discoveryText() {
      return body("discovery");
    },
    get jwksText() {
      return body("jwks");
    },
    discoveryUrl: documentUrl(issuer, "discovery"),
    jwksUrl: documentUrl(issuer, "jwks"),
    get kid() {
      return keys.current.kid;
    },
    requests,
    get counts() {
      return { discovery: count("discovery").length, jwks: count("jwks").length };
    },
    async issueToken(request) {
      return issueToken({ keys, issuer, nowMs: now() }, request);
    },
    async addKey(which) {
      checkKeys("addKey", which, ["algorithm", "kid", "publish"]);
      return (await keys.add(which)).kid;
    },
    async rotateKeys(how) {
      checkKeys("rotateKeys", how, ["algorithm", "kid", "publish", "keepOldKeys"]);
      return (await keys.rotate(how)).kid;
    },
    publishKey: (kid) => keys.publish(kid),
    setDiscovery(document) {
      overrides.discovery = document;
    },
    setJwks(document) {
      overrides.jwks = document;
    },
    setHeaders,
    setFault,
    failNext(fault) {
      checkIdpFault(fault);
      setFault({ ...fault, times: fault.times ?? 1 });
    },
    clearFaults: () => faults.clear(),
    resetRequests() {
      requests.length = 0;
    },
    refuseConnections: server.refuseConnections,
    acceptConnections: server.acceptConnections,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

/** The text of the document as the IdP serves it now. */
function documentBody(
  right: Readonly<Record<string, unknown>>,
  override: IdpDocument | undefined,
): string {
  const served = typeof override === "function" ? override(right) : (override ?? right);
  return typeof served === "string" ? served : (JSON.stringify(served) ?? "");
}

/** A strong validator (RFC 9110, section 8.8.3). */
function entityTag(body: string): string {
  return `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
}

/** Whether `If-None-Match` contains this validator. */
function matchesEntityTag(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((text) => text.trim().replace(/^W\//, ""));
  return tags.includes(tag) || tags.includes("*");
}
