import type { OutgoingHttpHeaders } from "node:http";
import { sendAnswer } from "../answer.js";
import { FaultScript } from "../fault-script.js";
import { type Exchange, type LocalServer, startLoopbackServer } from "../loopback-server.js";
import { createRateLimit } from "../rate-limit.js";
import { checkIdpFault } from "./check-idp-fault.js";
import {
  discoveryDocument,
  documentBody,
  documentUrl,
  entityTag,
  type IdpDocument,
  type IdpDocumentName,
  matchesEntityTag,
} from "./idp-document.js";
import { type IdpFault, playIdpFault } from "./idp-fault.js";
import type { IdpRequest, LocalIdp, LocalIdpOptions } from "./idp-interface.js";
import { issueToken } from "./issue-token.js";
import { KeyRing } from "./key-ring.js";

const DEFAULT_HEADERS = { "cache-control": "public, max-age=3600" };

/**
 * Starts an OpenID Connect identity provider on a loopback port: a discovery document, a JWKS,
 * tokens signed with its keys, and faults on demand.
 *
 * @throws TypeError for an option that makes no sense, and the system's error (`EADDRINUSE`) when
 * the port is taken.
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
    const asked = { path: pathname, document: name, headers: { ...request.headers } };
    requests.push({ ...asked, at: now(), connection });
    const date = new Date(now()).toUTCString();
    if (name === undefined) {
      sendAnswer(exchange, 404, '{"error":"not_found"}', { date });
      return;
    }
    const text = body(name);
    const tag = entityTag(text);
    const answerHeaders: OutgoingHttpHeaders = {
      date,
      "content-type": "application/json",
      etag: tag,
    };
    for (const [header, value] of headers) {
      if (value === null) delete answerHeaders[header];
      else answerHeaders[header] = value;
    }
    const fault = faults.take(name);
    if (fault && (await playIdpFault(fault, exchange, text, answerHeaders))) return;
    const unchanged = matchesEntityTag(request.headers["if-none-match"], tag);
    sendAnswer(exchange, unchanged ? 304 : 200, text, answerHeaders);
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
      return issueToken(keys, issuer, now(), request);
    },
    addKey: async (which) => (await keys.add(which)).kid,
    rotateKeys: async (how) => (await keys.rotate(how)).kid,
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
