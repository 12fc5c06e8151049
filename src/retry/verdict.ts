import type { Failure, Verdict } from "../model/failure.js";
import { identityTokenVerdict } from "./identity-token-verdict.js";

/** What a failed attempt means. Pure: the same failure always gives the same verdict. */
export function judge(failure: Failure): Verdict {
  switch (failure.kind) {
    case "token":
      return tokenVerdict(failure);
    case "request":
      return "request-invalid";
    case "preflight":
      return "idp-unreachable";
    case "network":
    case "timeout":
    case "bad-answer":
      return "sts-unavailable";
    case "local":
      return "unknown";
    case "answer":
      return answerVerdict(failure);
  }
}

/** The local checks found why; a token that may become valid, or be replaced, has a verdict of its own. */
function tokenVerdict({ findings = [] }: Failure): Verdict {
  const fatal = findings.filter((finding) => finding.severity === "fatal").map(({ id }) => id);
  if (fatal.length === 0 || fatal.includes("token-unreadable")) return "token-unavailable";
  if (fatal.every((id) => id === "token-expired")) return "token-expired";
  if (fatal.every((id) => id === "token-not-yet-valid")) return "token-early";
  return "token-invalid";
}

/**
 * Wire codes by rule, since other STS implementations and later API versions spell them their own
 * way: `Throttling`, `ThrottlingException` and `RequestThrottled` are one situation.
 */
const CODE_RULES: readonly (readonly [RegExp, Verdict])[] = [
  [/throttl|toomanyrequests|requestlimitexceeded|slowdown|bandwidthlimit/i, "throttled"],
  [/^idpcommunicationerror/i, "idp-unreachable"],
  [/^idprejectedclaim/i, "token-rejected"],
  [/^expiredtoken/i, "token-expired"],
  [/^regiondisabled/i, "region-disabled"],
  [/^(accessdenied|unauthorized|notauthorized|forbidden)/i, "access-denied"],
  [/^(internal(failure|error|servererror)|serviceunavailable|serviceerror)/i, "sts-unavailable"],
  [/^(requesttimeout|gatewaytimeout|badgateway)/i, "sts-unavailable"],
  [
    /^(validation|malformed|packedpolicytoolarge|invalidparameter|invalidaction)/i,
    "request-invalid",
  ],
  [/^(missing(parameter|action)|invalidquery|invalidrequest|unknownoperation)/i, "request-invalid"],
];

function answerVerdict(failure: Failure): Verdict {
  const { code = "", message, httpStatus = 0 } = failure;
  // Whatever the code: it is the one status that names a verdict.
  if (httpStatus === 429 || /^rate exceeded|too many requests/i.test(message)) return "throttled";
  if (/^invalididentitytoken/i.test(code)) return identityTokenVerdict(message);
  if (isAboutClaims(message)) return "unknown";
  const rule = CODE_RULES.find(([pattern]) => pattern.test(code));
  return rule?.[1] ?? statusVerdict(httpStatus, code);
}

/** A permanent fault in a 500's clothing: `sub: null` gives it, and it never passes. */
export function isAboutClaims(message: string): boolean {
  return /validating third-party token/i.test(message);
}

/** An answer whose code says nothing: a proxy, a broken endpoint, another implementation. */
function statusVerdict(status: number, code: string): Verdict {
  if (status >= 500 || status === 408) return "sts-unavailable";
  if (code === "" && (status === 401 || status === 403)) return "access-denied";
  return "unknown";
}
