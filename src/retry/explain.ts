import { type TokenFacts, WebIdentityError, type WebIdentityErrorCode } from "../model/errors.js";
import type { Failure, Verdict } from "../model/failure.js";
import { type Finding, type FindingId, firstFatal } from "../model/findings.js";
import { safeText } from "../runtime/redact.js";
import type { AttemptsFailed } from "./retry-loop.js";
import { isAboutClaims } from "./verdict.js";

interface Explanation {
  readonly code: WebIdentityErrorCode;
  /** What failed. */
  readonly what: string;
  /** What to do next, and who must do it. */
  readonly hint: string;
}

const EXPLANATIONS: Readonly<Record<Verdict, Explanation>> = {
  "idp-unreachable": {
    code: "ERR_IDP_UNREACHABLE",
    what: "STS could not get the verification key from the identity provider",
    hint: "Check from outside your network that the issuer's /.well-known/openid-configuration and its jwks_uri answer 200 within 5 s, without a login, a rate limit or a firewall in the way, and that the JWKS has the token's key.",
  },
  throttled: {
    code: "ERR_THROTTLED",
    what: "STS kept answering that there are too many requests",
    hint: "Share one provider among all clients of this process, spread the start of your workloads, or ask for longer sessions (durationSeconds).",
  },
  "sts-unavailable": {
    code: "ERR_STS_UNAVAILABLE",
    what: "STS gave no usable answer",
    hint: "Check the way from here to the STS endpoint of this region: DNS, proxy, firewall, VPC endpoint, and whether the region name is right.",
  },
  "token-unavailable": {
    code: "ERR_TOKEN_UNAVAILABLE",
    what: "There is no token to send",
    hint: "Make sure that the token file or source gives a token: path, mount, permissions, the service that mints it.",
  },
  "token-invalid": {
    code: "ERR_TOKEN_INVALID",
    what: "STS is certain to refuse this token, so it was not sent",
    hint: "Have the identity provider issue a token that STS takes.",
  },
  "token-expired": {
    code: "ERR_TOKEN_EXPIRED",
    what: "The token has expired and no newer one is to be had",
    hint: "Get a new token, and find out why the old one was not replaced in time; check this machine's clock too.",
  },
  "token-early": {
    code: "ERR_TOKEN_INVALID",
    what: "The token is not valid yet",
    hint: "Set the clock of the identity provider (or of this machine).",
  },
  "token-rejected": {
    code: "ERR_TOKEN_REJECTED",
    what: "STS refused the token",
    hint: "Compare the token's issuer, audience and key with the IAM OIDC provider in the role's account: its URL must equal the issuer exactly and its client ids must contain the audience.",
  },
  "access-denied": {
    code: "ERR_ACCESS_DENIED",
    what: "The role may not be assumed with this token",
    hint: "Check that the role exists in that account and that its trust policy names this OIDC provider and the token's sub and aud, letter for letter. A role or provider made seconds ago answers like this for up to 12 s: retryAccessDenied waits for it.",
  },
  "region-disabled": {
    code: "ERR_REGION_DISABLED",
    what: "STS is switched off in this region for the role's account",
    hint: "Activate STS for the region in the account settings of IAM, or choose another region.",
  },
  "request-invalid": {
    code: "ERR_REQUEST_INVALID",
    what: "The request is one that STS refuses",
    hint: "Correct the option that the message names.",
  },
  unknown: {
    code: "ERR_STS_UNAVAILABLE",
    what: "STS (or something in front of it) answered in a way nobody has seen",
    hint: "Read the answer's own words in the error's `attempts`; if it is not from AWS, look at the proxy or the endpoint.",
  },
};

/** The unknown that STS has nothing to do with. */
const ON_THIS_SIDE: Explanation = {
  code: "ERR_STS_UNAVAILABLE",
  what: "Something on this side of the STS call threw",
  hint: "Look at the error's `cause`: a client plugin, a request handler, a role assumer or an option of `clientConfig` is the likely place.",
};

/** A permanent fault of the token that looks like one of the server. */
const CLAIMS_UNREADABLE: Explanation = {
  code: "ERR_STS_UNAVAILABLE",
  what: "STS failed over the token's claims",
  hint: "IdP: issue tokens whose sub is a text; STS is known to answer like this when it is null. If it is one, try again later.",
};

/** Found at the issuer, but the token is what is wrong: it is signed by a key that is not published. */
const TOKEN_AT_FAULT: readonly FindingId[] = ["jwks-key-not-found", "signature-invalid"];

interface ExplainContext {
  readonly roleArn: string;
  readonly token: TokenFacts | undefined;
}

/** The one error that tells an engineer at 3 a.m. what failed, how often it was tried, and what to do. */
export function explain(
  outcome: AttemptsFailed,
  { roleArn, token }: ExplainContext,
): WebIdentityError {
  const { verdict, failure, attempts } = outcome;
  const fatal = firstFatal(failure.findings ?? []);
  const telling = fatal ?? failure.findings?.find((finding) => mayExplain(finding, verdict));
  const { code, what, hint } = explanationOf(verdict, failure, fatal);
  const message = [
    `${what}: ${words(failure, telling)}`,
    `(role ${safeText(roleArn)}${aboutToken(token)}${aboutAttempts(outcome)}).`,
  ].join(" ");
  return new WebIdentityError({
    code,
    message,
    hint: telling?.remedy ?? hint,
    cause: failure.cause,
    attempts,
    token,
    findings: failure.findings,
  });
}

/** A token that STS has read and refused says nothing of the way to its issuer, only of its key. */
function mayExplain({ id, severity }: Finding, verdict: Verdict): boolean {
  return severity === "suspect" && (verdict !== "token-rejected" || id.startsWith("jwks-key-"));
}

function explanationOf(
  verdict: Verdict,
  { kind, code = "", message, httpStatus = 0 }: Failure,
  fatal: Finding | undefined,
): Explanation {
  const explanation = EXPLANATIONS[verdict];
  const lookedAt = verdict === "idp-unreachable" || verdict === "token-rejected";
  if (lookedAt && fatal !== undefined) {
    if (TOKEN_AT_FAULT.includes(fatal.id)) return EXPLANATIONS["token-rejected"];
    const what = "STS cannot use what the identity provider publishes";
    return { ...explanation, code: "ERR_IDP_UNUSABLE", what };
  }
  if (verdict !== "unknown") return explanation;
  if (kind === "local") return ON_THIS_SIDE;
  if (isAboutClaims(message)) return CLAIMS_UNREADABLE;
  if (/^invalididentitytoken/i.test(code)) {
    return {
      ...EXPLANATIONS["token-rejected"],
      what: "STS refused the token, in words nobody has seen",
    };
  }
  const isRefusal = httpStatus >= 400 && httpStatus < 500;
  return isRefusal ? { ...explanation, code: "ERR_REQUEST_INVALID" } : explanation;
}

/** A finding says more than the answer, which for local faults there is none of. */
function words(failure: Failure, finding: Finding | undefined): string {
  const said = failure.code === undefined ? failure.message : `${failure.code}: ${failure.message}`;
  if (finding === undefined) return said;
  const detail = finding.detail.replace(/\.$/, "");
  if (failure.kind !== "answer") return detail;
  return finding.severity === "fatal"
    ? `${detail}; STS said ${said}`
    : `${said}; seen from here: ${detail}`;
}

function aboutToken(token: TokenFacts | undefined): string {
  if (token === undefined) return "";
  const { issuer = "unknown", audience, kid } = token;
  const shownAudience = audience?.length ? `, audience ${[audience].flat().join(" and ")}` : "";
  return `, issuer ${issuer}${shownAudience}, ${kid === undefined ? "no kid" : `kid ${kid}`}`;
}

function aboutAttempts({ attempts, elapsedMs }: AttemptsFailed): string {
  const seconds = (elapsedMs / 1000).toFixed(1);
  const count = attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`;
  const last = attempts.at(-1);
  const asked = new Set(attempts.flatMap(({ region }) => region ?? []));
  const region = asked.size === 0 ? "" : ` in ${[...asked].join(", ")}`;
  const request = last?.requestId === undefined ? "" : `, last request id ${last.requestId}`;
  return `, ${count} in ${seconds} s${region}${request}`;
}
