import type { Failure, Verdict } from "../model/failure.js";
import type { Finding, FindingId, Severity } from "../model/findings.js";
import { judge } from "../retry/verdict.js";

interface Reading {
  readonly id: FindingId;
  readonly severity: Severity;
  readonly title: string;
  readonly remedy: string;
}

const UNKNOWN: Reading = {
  id: "sts-unknown",
  severity: "fatal",
  title: "STS (or something in front of it) refused in words nobody has seen.",
  remedy: "AWS account: read the answer's own words; AWS Support knows it by the request id.",
};

const PROVIDER_MISSING: Reading = {
  id: "sts-provider-missing",
  severity: "fatal",
  title: "The role's account has no IAM OIDC provider for this issuer.",
  remedy:
    "AWS account: create an IAM OIDC provider whose URL equals the token's `iss` to the letter (case, path and trailing slash), in the account of the role.",
};

const THUMBPRINT: Reading = {
  id: "sts-thumbprint",
  severity: "fatal",
  title: "The issuer's certificate does not match the thumbprints of the IAM OIDC provider.",
  remedy:
    "AWS account: put the thumbprint of the issuer's present top intermediate into the IAM OIDC provider, or IdP: use a certificate of a public CA.",
};

const REFUSED: Reading = {
  id: "sts-audience-refused",
  severity: "fatal",
  title: "STS could not validate the token; most often its audience is not registered.",
  remedy:
    "AWS account: add the token's audience (its `azp`, where it has one) to the client ids of the IAM OIDC provider, or Workload: ask for a token with a registered audience.",
};

const READINGS: Readonly<Record<Verdict, Reading>> = {
  "idp-unreachable": {
    id: "sts-verification-key",
    severity: "suspect",
    title: "STS could not get the verification key from the identity provider.",
    remedy:
      "Network and IdP: see that the issuer's documents answer 200 within 5 s from everywhere, without a rate limit or a firewall in the way; then retry.",
  },
  throttled: {
    id: "sts-throttled",
    severity: "suspect",
    title: "STS answers that there are too many requests.",
    remedy:
      "Workload: share one provider among all clients, spread the start of your workloads, ask for longer sessions.",
  },
  "sts-unavailable": {
    id: "sts-unavailable",
    severity: "suspect",
    title: "STS gave no usable answer.",
    remedy:
      "Workload: retry, or fail over to another region; if the answer is not from AWS, look at the proxy or the endpoint.",
  },
  "token-expired": {
    id: "sts-token-expired",
    severity: "fatal",
    title: "STS calls the token expired.",
    remedy: "Workload: get a new token, and find out why the old one was not replaced in time.",
  },
  "token-early": {
    id: "sts-token-early",
    severity: "fatal",
    title: "STS calls the token not valid yet.",
    remedy: "IdP: set the clock that stamps the tokens.",
  },
  "access-denied": {
    id: "sts-access-denied",
    severity: "fatal",
    title: "The role may not be assumed with this token.",
    remedy:
      "AWS account: see that the role exists in that account and that its trust policy names this OIDC provider and the token's sub and aud to the letter. A role made seconds ago answers like this for up to 12 s.",
  },
  "region-disabled": {
    id: "sts-region-disabled",
    severity: "fatal",
    title: "STS is switched off in this region for the role's account.",
    remedy:
      "AWS account: activate STS for the region in the account settings of IAM, or Workload: choose another region.",
  },
  "request-invalid": {
    id: "sts-request-invalid",
    severity: "fatal",
    title: "The request is one that STS refuses.",
    remedy: "Workload: correct the parameter that the answer names.",
  },
  "token-rejected": UNKNOWN,
  "token-unavailable": UNKNOWN,
  "token-invalid": UNKNOWN,
  unknown: UNKNOWN,
};

/** A refused token, by its words; asked in order. */
const REJECTIONS: readonly (readonly [RegExp, Reading])[] = [
  [/no\s+open\s?id\s?connect\s+provider/i, PROVIDER_MISSING],
  [/thumbprint|certificate/i, THUMBPRINT],
  [/could\s+not\s+be\s+validated|audience/i, REFUSED],
];

/** What STS itself answered, with its words. Where no answer came: the way to it, as it was then. */
export function answerFinding(failure: Failure): Finding {
  const { kind, code, message, httpStatus, requestId, region } = failure;
  const where = region === undefined ? "" : ` in ${region}`;
  const status = httpStatus === undefined ? "" : ` (HTTP ${httpStatus})`;
  const request = requestId === undefined ? "" : ` (request id ${requestId})`;
  const isAnswer = kind === "answer" || kind === "bad-answer";
  // What comes without a code has no words of STS's, but ours for it.
  const told =
    code === undefined
      ? `${isAnswer ? `STS${where} gave` : `The call to STS${where} failed:`} ${message}`
      : `${isAnswer ? `STS${where} said` : `The call to STS${where} failed`}${status}: ${code}: ${message}`;
  return {
    ...read(failure),
    detail: `${told}${request}`,
    evidence: { kind, code, message, httpStatus, requestId, region },
  };
}

function read(failure: Failure): Reading {
  const { kind, message, code = "" } = failure;
  if (kind === "timeout") return way("sts-timeout", "STS did not answer in time.");
  if (kind === "network") {
    const isTls = /^(CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|ERR_(TLS|SSL))/.test(code);
    return isTls
      ? way("sts-tls-untrusted", "The TLS certificate of the STS endpoint is not trusted.")
      : way("sts-unreachable", "STS cannot be reached from here.");
  }
  const verdict = judge(failure);
  if (verdict !== "token-rejected") return READINGS[verdict];
  return REJECTIONS.find(([pattern]) => pattern.test(message))?.[1] ?? UNKNOWN;
}

function way(id: FindingId, title: string): Reading {
  const remedy =
    "Network: let this machine reach the STS endpoint of its region on port 443 (DNS, firewall, VPC endpoint, TLS inspection).";
  return { id, severity: "fatal", title, remedy };
}
