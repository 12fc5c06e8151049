import type { Finding, FindingId, RequestTiming } from "../../src/model/findings.js";
import {
  notCacheable,
  problemFinding,
  proxyInUse,
  slow,
  statusFinding,
} from "../../src/preflight/document-findings.js";
import type { FetchProblem } from "../../src/preflight/fetch-document.js";
import {
  keyAmbiguous,
  keyNotFound,
  keyUnusable,
  signatureInvalid,
  tooManyKeys,
} from "../../src/preflight/token-key.js";
import { check, makeToken, NOW_SECONDS } from "../support/make-token.js";

/** A finding, with the words in its title and detail, the words in its remedy, and a value in its evidence. */
export type TextRow = readonly [FindingId, () => Finding, RegExp, RegExp, object];

const URL_OF_KEYS = "https://id.example/keys";

const timing = (changes: Partial<RequestTiming> = {}): RequestTiming => ({
  ...{ document: "jwks", url: URL_OF_KEYS, fromCache: false, bytes: 0, headers: {}, totalMs: 1 },
  ...changes,
});

function problem(kind: FetchProblem, document: "jwks" | "discovery" = "jwks", proxy?: URL) {
  return problemFinding(kind, {
    ...{ document, timing: timing({ document }), timeoutMs: 5_000, proxy },
  });
}

const status = (code: number, headers = {}, document: "jwks" | "discovery" = "jwks") =>
  statusFinding(document, timing({ document, status: code, headers }), 0);

export const one = (findings: readonly Finding[]): Finding => {
  const [first] = findings;
  if (first === undefined) throw new Error("expected a finding");
  return first;
};
const inToken = (claims: object, header: object = {}) =>
  one(
    check(makeToken(claims as Record<string, unknown>, header as Record<string, unknown>)).findings,
  );

const proxy = new URL("http://proxy.example:3128");

/** The findings of the local checks and the issuer check. */
export const PROVIDER_ROWS: readonly TextRow[] = [
  [
    "token-malformed",
    () => one(check("opaque").findings),
    /not a JWT that STS can read.*one opaque string/,
    /^Workload: pass the ID token/,
    { length: 6 },
  ],
  [
    "token-too-large",
    () => one(check("x".repeat(20_001)).findings),
    /longer than STS accepts.*20001.*20000/,
    /^IdP: put fewer claims/,
    { length: 20_001, maximum: 20_000 },
  ],
  [
    "token-algorithm-unsupported",
    () => inToken({}, { alg: "PS256" }),
    /does not verify.*"PS256".*RS256, RS384/,
    /^IdP: sign .*RS256 or ES256/,
    { alg: "PS256" },
  ],
  [
    "token-claim-missing",
    () => inToken({ aud: undefined }),
    /lacks a claim.*no `aud`/,
    /^Workload: use an ID token .*legacy Kubernetes secret/,
    { claim: "aud" },
  ],
  [
    "token-claim-invalid",
    () => inToken({ azp: "" }),
    /value that STS refuses.*`azp` is empty/,
    /^IdP: .*valid `azp`/,
    { claim: "azp", problem: "is empty" },
  ],
  [
    "token-audience-ambiguous",
    () => inToken({ aud: ["a", "b"] }),
    /several audiences.*\["a","b"\].*no `azp`/,
    /^Workload: request a token with one audience.*IdP: /,
    { audiences: ["a", "b"] },
  ],
  [
    "token-audience-unexpected",
    () => inToken({ aud: "vault" }),
    /not the usual one.*vault.*sts\.amazonaws\.com/,
    /^AWS account: .*client IDs.*trust policy/,
    { audiences: ["vault"] },
  ],
  [
    "token-audience-unexpected",
    () => inToken({ aud: "sts.amazonaws.com", azp: "client" }),
    /compares the token's azp.*azp client and aud sts\.amazonaws\.com/,
    /^AWS account: .*azp client among its client IDs/,
    { azp: "client", audiences: ["sts.amazonaws.com"] },
  ],
  [
    "token-audience-unexpected",
    () => inToken({ aud: "https://kubernetes.default.svc" }),
    /pod's own token for the Kubernetes API/,
    /^Workload: mount the projected service account token with audience sts\.amazonaws\.com/,
    { audiences: ["https://kubernetes.default.svc"] },
  ],
  ["token-expired", () => inToken({ exp: NOW_SECONDS - 7_207 }), /expired/, /^Workload: /, {}],
  ["token-not-yet-valid", () => inToken({ nbf: NOW_SECONDS + 900 }), /not valid/, /clock/, {}],
  ["token-expires-soon", () => inToken({ exp: NOW_SECONDS + 30 }), /expire/, /^Workload: /, {}],
  [
    "issuer-private",
    () => problem({ kind: "not-public", address: "10.0.0.1" }, "discovery"),
    /can't reach.*10\.0\.0\.1, which is not public/,
    /^Network: publish .*allowPrivateIssuers/,
    { address: "10.0.0.1" },
  ],
  [
    "issuer-dns-failure",
    () => problem({ kind: "network", code: "ENOTFOUND", phase: "dns" }),
    /does not resolve.*id\.example.*ENOTFOUND/,
    /^Network: check the name in `iss`/,
    { code: "ENOTFOUND" },
  ],
  [
    "issuer-connection-refused",
    () => problem({ kind: "network", code: "ECONNREFUSED", phase: "connect" }),
    /refused or cut.*ECONNREFUSED in phase "connect"/,
    /^IdP and network: make sure that the issuer is up/,
    { code: "ECONNREFUSED", phase: "connect" },
  ],
  [
    "issuer-connection-refused",
    () => problem({ kind: "network", code: "PROXY_STATUS_403", phase: "connect" }, "jwks", proxy),
    /proxy did not connect.*http:\/\/proxy\.example:3128.*PROXY_STATUS_403/,
    /^Network: make sure that the proxy is up.*Workload: correct HTTPS_PROXY.*NO_PROXY/,
    { code: "PROXY_STATUS_403" },
  ],
  [
    "issuer-connection-refused",
    () =>
      problem(
        { kind: "network", code: "PROXY_UNSUPPORTED", phase: "connect" },
        "jwks",
        new URL("socks5://proxy.example:1080"),
      ),
    /not checked.*not an HTTP proxy.*socks5:\/\/proxy\.example:1080, and only http:\/\/ and https:\/\/.*no request/,
    /^Workload: set HTTPS_PROXY to an http:\/\/ proxy, or name .* in NO_PROXY/,
    { proxy: "proxy.example:1080" },
  ],
  [
    "issuer-timeout",
    () => problem({ kind: "timeout", phase: "connect" }, "discovery"),
    /firewall that drops packets.*within 5000 ms/,
    /^Network: let this machine, and STS, reach/,
    { phase: "connect" },
  ],
  [
    "discovery-slow",
    () => problem({ kind: "timeout", phase: "response" }, "discovery"),
    /discovery document did not arrive in time; STS also stops waiting after 5 s/,
    /^IdP: serve the document .*5 s/,
    { phase: "response" },
  ],
  [
    "jwks-timeout",
    () => problem({ kind: "timeout", phase: "response" }),
    /JWKS did not arrive in time; STS also stops waiting after 5 s/,
    /^IdP: serve the JWKS .*5 s/,
    { url: URL_OF_KEYS },
  ],
  [
    "issuer-tls-untrusted",
    () => problem({ kind: "tls", code: "SELF_SIGNED_CERT_IN_CHAIN" }),
    /not trusted.*chain ends in a CA that this machine does not trust/,
    /^IdP: serve a certificate of a public CA.*NODE_EXTRA_CA_CERTS/,
    { code: "SELF_SIGNED_CERT_IN_CHAIN" },
  ],
  [
    "issuer-tls-untrusted",
    () => problem({ kind: "tls", code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" }),
    /handshake .* failed/,
    /^IdP: support TLS 1\.2.*Network: /,
    { code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" },
  ],
  [
    "jwks-not-json",
    () => problem({ kind: "encoded", encoding: "br" }),
    /compresses.*content-encoding br/,
    /^IdP: serve the document unencoded/,
    { encoding: "br" },
  ],
  ["jwks-too-large", () => problem({ kind: "too-large" }), /too large/, /^IdP: /, {}],
  [
    "issuer-redirects",
    () => status(302, { location: "https://other.example/" }),
    /redirects.*302 to https:\/\/other\.example\//,
    /^IdP: serve the document with status 200/,
    { status: 302 },
  ],
  [
    "jwks-http-status",
    () => status(500),
    /does not serve its document with status 200.*returns 500/,
    /^IdP: serve .* 200, without a login/,
    { status: 500 },
  ],
  ["discovery-http-status", () => status(404, {}, "discovery"), /404/, /^IdP: serve/, {}],
  [
    "jwks-rate-limited",
    () => status(429, { "retry-after": "7" }),
    /limits the rate.*429 and asks clients to wait 7 s/,
    /^IdP: raise the limit/,
    { status: 429, retryAfterMs: 7_000 },
  ],
  [
    "jwks-slow",
    () => one(slow([timing({ status: 200, totalMs: 6_000 })])),
    /too late for STS, which stops waiting after 5 s.*6000 ms/,
    /^IdP: serve the document .*cache or CDN/,
    { ms: 6_000, limitMs: 5_000 },
  ],
  [
    "discovery-slow",
    () => one(slow([timing({ document: "discovery", status: 200, totalMs: 3_000 })])),
    /responds slowly; STS stops waiting after 5 s/,
    /^IdP: serve the document .*cache or CDN/,
    { ms: 3_000 },
  ],
  [
    "jwks-not-cacheable",
    () => notCacheable(timing({ headers: { "cache-control": "no-cache" } })),
    /forbids caching.*headers no-cache/,
    /^IdP: allow caching/,
    { headers: ["no-cache"] },
  ],
  [
    "proxy-in-use",
    () => proxyInUse(proxy),
    /through a proxy.*http:\/\/proxy\.example:3128/,
    /^Network: nothing to do/,
    { proxy: "proxy.example:3128" },
  ],
  [
    "jwks-too-many-keys",
    () => tooManyKeys("RSA", 101, "fatal"),
    /more keys of one type.*101 RSA.*100/,
    /^IdP: publish at most 100 RSA keys/,
    { keyType: "RSA", count: 101, maximum: 100 },
  ],
  [
    "jwks-key-not-found",
    () => keyNotFound("a", ["b"], 2),
    /does not publish the token's key.*"a".*"b"/,
    /^IdP: publish a key before signing.*Workload: /,
    { kid: "a", kids: ["b"] },
  ],
  [
    "jwks-key-ambiguous",
    () => keyAmbiguous(2, undefined, true),
    /which of several keys.*has no kid.*2 keys/,
    /^IdP: put the key's `kid`/,
    { keys: 2 },
  ],
  [
    "jwks-key-unusable",
    () => keyUnusable("a", { words: "its `use` is enc", isCertain: true }),
    /"a".*`use` is enc/,
    /^IdP: publish the key/,
    { kid: "a" },
  ],
  [
    "signature-invalid",
    () => signatureInvalid("a", "RS256"),
    /signature.*"a"/,
    /^IdP: give every new key a new kid.*Workload: /,
    { kid: "a" },
  ],
];
