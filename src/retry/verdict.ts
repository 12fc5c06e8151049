import type { Failure, Verdict } from "../model/failure.js";
import type { Finding, KeyRefusal } from "../model/findings.js";
import { isCertificateFault } from "../runtime/system-errors.js";

/**
 * What happened in a failed attempt, and who says so: STS, a server that responded in its place, the
 * proxy before it, this machine, or the local checks. Each situation leads to one verdict, and to
 * one sentence (`sentences.ts`).
 */
const VERDICTS = {
  "no-token": "token-unavailable",
  "token-invalid": "token-invalid",
  "token-expired": "token-expired",
  "token-early": "token-early",
  "request-unsendable": "request-invalid",
  "issuer-unusable": "idp-unreachable",
  "verification-key": "idp-unreachable",
  "provider-missing": "token-rejected",
  thumbprint: "token-rejected",
  "audience-ambiguous": "token-rejected",
  "audience-refused": "token-rejected",
  "token-form": "token-rejected",
  "not-oidc": "token-rejected",
  "claim-rejected": "token-rejected",
  "token-refused": "unknown",
  "claims-unreadable": "unknown",
  "access-denied": "access-denied",
  "region-disabled": "region-disabled",
  "request-refused": "request-invalid",
  throttled: "throttled",
  "sts-error": "sts-unavailable",
  "other-server-failed": "sts-unavailable",
  "other-server-refused": "sts-blocked",
  "other-aws-server": "sts-blocked",
  "action-unknown": "request-invalid",
  "response-hidden": "unknown",
  "no-credentials": "sts-unavailable",
  "response-too-long": "sts-unavailable",
  unreachable: "sts-unavailable",
  timeout: "sts-unavailable",
  "tls-handshake": "sts-unavailable",
  "certificate-untrusted": "sts-blocked",
  "certificate-dates": "sts-blocked",
  "certificate-name": "sts-blocked",
  "proxy-refused": "sts-blocked",
  "proxy-credentials": "sts-blocked",
  "proxy-failed": "sts-unavailable",
  "thrown-here": "unknown",
  unrecognized: "unknown",
} as const satisfies Readonly<Record<string, Verdict>>;

export type Situation = keyof typeof VERDICTS;

/** What a failed attempt means. Pure: the same failure always gives the same verdict. */
export function judge(failure: Failure): Verdict {
  return VERDICTS[situationOf(failure)];
}

/** What happened, by the facts of the failure. Pure. */
export function situationOf(failure: Failure): Situation {
  switch (failure.kind) {
    case "token":
      return checkedToken(failure);
    case "request":
      return "request-unsendable";
    case "preflight":
      return "issuer-unusable";
    case "bad-response":
      return failure.code === "ResponseTooLong" ? "response-too-long" : "no-credentials";
    case "timeout":
      return "timeout";
    case "network":
      return withoutResponse(failure);
    case "proxy":
      return refusedByProxy(failure);
    case "local":
      return "thrown-here";
    case "response":
      return ofResponse(failure);
  }
}

/** A fault that the local checks found. A token that may become valid, or be replaced, has its own verdict. */
function checkedToken({ findings = [] }: Failure): Situation {
  const fatal = findings.filter((finding) => finding.severity === "fatal").map(({ id }) => id);
  if (fatal.length === 0 || fatal.includes("token-unreadable")) return "no-token";
  if (fatal.every((id) => id === "token-expired")) return "token-expired";
  if (fatal.every((id) => id === "token-not-yet-valid")) return "token-early";
  return "token-invalid";
}

/** Codes for a certificate that is not valid today, and for one of another host name. */
const DATES = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"];
const NAMES = ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"];

/** There was no response. A fault of a certificate lasts until someone corrects it; the others may pass. */
function withoutResponse({ code = "", message }: Failure): Situation {
  if (NAMES.includes(code)) return "certificate-name";
  if (DATES.includes(code)) return "certificate-dates";
  if (isCertificateFault(code)) return "certificate-untrusted";
  if (/TIMED?_?OUT/i.test(code) || /\btimeout of \d/i.test(message)) return "timeout";
  if (/^(ERR_(TLS|SSL|OSSL)|EPROTO$)/.test(code)) return "tls-handshake";
  // Runtimes and handlers without OpenSSL's codes.
  if (/certificate has expired|certificate is not yet valid|ERR_CERT_DATE/i.test(message)) {
    return "certificate-dates";
  }
  if (/does not match certificate|ERR_CERT_COMMON_NAME/i.test(message)) return "certificate-name";
  if (
    /self[- ]signed certificate|local issuer certificate|unknown ?issuer|verify the first certificate|ERR_CERT_/i.test(
      message,
    )
  ) {
    return "certificate-untrusted";
  }
  return "unreachable";
}

/** `PROXY_STATUS_403`: what the proxy returned for CONNECT; without a status, it did not respond. */
function refusedByProxy({ code = "" }: Failure): Situation {
  const status = Number(/\d{3}$/.exec(code)?.[0] ?? 502);
  if (status === 407) return "proxy-credentials";
  return mayPass(status) ? "proxy-failed" : "proxy-refused";
}

/** HTTP statuses that say "later": RFC 9110, section 15, and RFC 6585, section 4. */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

/**
 * `InvalidIdentityToken` is one code for many causes, which differ only in the message. The rules match
 * the subject of a message and not its exact text, so that a reworded message is still recognized. The
 * first rule that matches counts.
 */
const TOKEN_MESSAGES: readonly (readonly [RegExp, Situation])[] = [
  // "No OpenIDConnect provider found in your account for ...": first, because what follows is the
  // issuer's URL and may contain any word.
  [/no\s+open\s?id\s?connect\s+provider/i, "provider-missing"],
  // "Couldn't retrieve verification key from your identity provider,  please reference ..."
  [/verification\s+key/i, "verification-key"],
  // "Token issued in the future: ...", "Token not yet valid: ..."
  [/issued\s+in\s+the\s+future|not\s+yet\s+valid|not[-\s]before/i, "token-early"],
  // "Token expired: current date/time ... must be before the expiration date/time ...", but not a message
  // about an expired certificate.
  [/^(?!.*certificate).*\bexpired\b/is, "token-expired"],
  // Any message about reaching the provider.
  [
    /(could\s*n[o'\u2019]?t|unable\s+to|fail(ed|ure)\s+to|cannot|can\s*not|can['\u2019]t)\s+(reach|connect|contact|communicate|retrieve|fetch|download|resolve)\b/i,
    "verification-key",
  ],
  [/timed?[-\s]?out|unreachable|communicat(e|ion)/i, "verification-key"],
  // "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
  [/thumbprint|certificate/i, "thumbprint"],
  // "Provided Token is not a Login With Amazon token"
  [/login\s+with\s+amazon/i, "not-oidc"],
  // "Missing a required claim: aud"
  [/missing\b.*\bclaim/i, "token-form"],
  // "Token audience contains more than one audience while authorized party is not present"
  [/more\s+than\s+one\s+audience/i, "audience-ambiguous"],
  // "Incorrect token audience"; "The web identity token provided could not be validated. ..."
  [/could\s+not\s+be\s+validated|audience/i, "audience-refused"],
  // "The ID Token provided is not a valid JWT. ...", "Invalid timestamp in token claims."
  [/claim|valid\s+jwt|signature|timestamp|issuer/i, "token-form"],
];

/**
 * Error codes by pattern, because other implementations and versions of STS spell them differently:
 * `Throttling`, `ThrottlingException` and `RequestThrottled` are one situation.
 */
const CODES: readonly (readonly [RegExp, Situation])[] = [
  [/throttl|toomanyrequests|requestlimitexceeded|slowdown|bandwidthlimit/i, "throttled"],
  [/^idpcommunicationerror/i, "verification-key"],
  [/^idprejectedclaim/i, "claim-rejected"],
  [/^expiredtoken/i, "token-expired"],
  [/^regiondisabled/i, "region-disabled"],
  [/^(accessdenied|unauthorized|notauthorized|forbidden)/i, "access-denied"],
  [/^(internal(failure|error|servererror)|serviceunavailable|serviceerror)/i, "sts-error"],
  [/^(requesttimeout|gatewaytimeout|badgateway)/i, "sts-error"],
  [/^(validation|malformed|packedpolicytoolarge|invalidparameter)/i, "request-refused"],
  [/^(missing(parameter|action)|invalidquery|invalidrequest)/i, "request-refused"],
  // STS has the action: another service, or an old emulator, responded.
  [/^(invalidaction|unknownoperation)/i, "action-unknown"],
];

/** A response with a code is from STS; one without is from a server in front of it. */
function ofResponse({ code, message, httpStatus = 0, requestId }: Failure): Situation {
  // This status has the same meaning with every code.
  if (httpStatus === 429 || /^rate exceeded|too many requests/i.test(message)) return "throttled";
  if (code === undefined || code === "") return withoutCode(httpStatus, requestId);
  if (code.startsWith("HTTP_STATUS_")) return mayPass(httpStatus) ? "sts-error" : "response-hidden";
  if (/^invalididentitytoken/i.test(code)) {
    return TOKEN_MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? "token-refused";
  }
  // A permanent fault with status 500: STS returns it for a `sub` that is null.
  if (/validating third-party token/i.test(message)) return "claims-unreadable";
  const known = CODES.find(([pattern]) => pattern.test(code))?.[1];
  return known ?? (mayPass(httpStatus) ? "sts-error" : "unrecognized");
}

function withoutCode(status: number, requestId: string | undefined): Situation {
  // Only a proxy returns this status (RFC 9110, section 15.5.8).
  if (status === 407) return "proxy-credentials";
  // AWS's own front end gives every response a request ID, and STS every refusal a code.
  if (requestId !== undefined) return mayPass(status) ? "sts-error" : "other-aws-server";
  return mayPass(status) ? "other-server-failed" : "other-server-refused";
}

/** How STS words each refusal about a key; spaces and case have changed over the years. */
const WORDS: Readonly<Record<KeyRefusal, RegExp>> = {
  "verification-key": /verification\s+key/i,
  "not-validated": /could\s+not\s+be\s+validated/i,
};

/** Which refusal about a key the response is; `undefined` for any other response. */
export function keyRefusalOf({ kind, code = "", message }: Failure): KeyRefusal | undefined {
  if (kind !== "response" || !/^invalididentitytoken/i.test(code)) return undefined;
  return (Object.keys(WORDS) as KeyRefusal[]).find((refusal) => WORDS[refusal].test(message));
}

/**
 * The findings after STS's response. A finding with only one report behind it is a suspicion, and does not
 * stop the call. It becomes certain (`fatal`) when STS refuses the token in the words of that report.
 */
export function confirmFindings(
  findings: readonly Finding[],
  failure: Failure,
): readonly Finding[] {
  const refusal = keyRefusalOf(failure);
  return findings.map((finding) => {
    const { confirmedBy: reported, ...rest } = finding;
    return reported === undefined || reported !== refusal
      ? finding
      : { ...rest, severity: "fatal" };
  });
}
