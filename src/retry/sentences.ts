import type { WebIdentityErrorCode } from "../model/errors.js";
import type { Failure } from "../model/failure.js";
import { type FindingId, firstFatal, type Severity } from "../model/findings.js";
import {
  EXPIRED_TOKEN_REMEDY,
  isForKubernetesApi,
  POD_TOKEN,
  type TokenFacts,
} from "../model/jwt.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import { judge, type Situation, situationOf } from "./verdict.js";

/** A situation in words. The errors of the provider and the findings of the doctor use the same sentences. */
export interface Sentence {
  /** The code of the error that the provider throws. */
  readonly code: WebIdentityErrorCode;
  /** The finding that the doctor reports. */
  readonly id: FindingId;
  readonly severity: Severity;
  /** What failed: a sentence without its full stop. */
  readonly what: string;
  /** What to do, and who must do it. */
  readonly remedy: string;
}

const ISSUER_LIMIT = `${STS_ISSUER_TIMEOUT_MS / 1000} s`;

const FIND_THE_OTHER_SERVER =
  "Network: find the proxy, gateway or firewall that responds in place of the STS endpoint of this region, and let the request through. Workload: check the region and any custom endpoint.";

const CORRECT_THE_ENDPOINT =
  "Workload: correct the endpoint of STS (clientConfig.endpoint, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, or endpoint_url in the profile), which leads to another service such as S3 or API Gateway. Network: if no endpoint is configured, check which VPC endpoint the private DNS names for STS.";

const ALLOW_THE_CONNECTION =
  "Network: let this machine connect to the STS endpoint of this region on port 443 (DNS, route, firewall, VPC endpoint, proxy). Workload: check that the region is right.";

const SENTENCES: Readonly<Record<Situation, Sentence>> = {
  "no-token": {
    code: "ERR_TOKEN_UNAVAILABLE",
    id: "token-unreadable",
    severity: "fatal",
    what: "There is no token to send",
    remedy:
      "Workload: make sure that the token file or source provides a token (path, mount, permissions, the service that issues it).",
  },
  "token-invalid": {
    code: "ERR_TOKEN_INVALID",
    id: "token-malformed",
    severity: "fatal",
    what: "STS would not accept the token, so it was not sent",
    remedy: "IdP: issue a token that STS accepts.",
  },
  "token-expired": {
    code: "ERR_TOKEN_EXPIRED",
    id: "sts-token-expired",
    severity: "fatal",
    what: "The token has expired",
    remedy: EXPIRED_TOKEN_REMEDY,
  },
  "token-early": {
    code: "ERR_TOKEN_INVALID",
    id: "sts-token-early",
    severity: "fatal",
    what: "The token is not valid yet",
    remedy:
      "IdP: correct the clock that sets the token's `iat` and `nbf`. Workload: check this machine's clock too.",
  },
  "request-unsendable": {
    code: "ERR_REQUEST_INVALID",
    id: "sts-request-invalid",
    severity: "fatal",
    what: "The request can't be sent as it is configured",
    remedy: "Workload: correct the option that the message names.",
  },
  "issuer-unusable": {
    code: "ERR_IDP_UNUSABLE",
    id: "sts-verification-key",
    severity: "fatal",
    what: "STS can't use what the identity provider publishes",
    remedy: "IdP: publish a discovery document and a JWKS that STS can use.",
  },
  "verification-key": {
    code: "ERR_IDP_UNREACHABLE",
    id: "sts-verification-key",
    severity: "suspect",
    what: "STS could not get the verification key from the identity provider",
    remedy: `IdP and network: make sure that the issuer's /.well-known/openid-configuration and its jwks_uri return 200 to the internet within ${ISSUER_LIMIT}, without a login, a rate limit or a firewall in the way, and that the JWKS has the token's key.`,
  },
  "provider-missing": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-provider-missing",
    severity: "fatal",
    what: "The role's account has no IAM OIDC provider for the token's issuer",
    remedy:
      "AWS account: create an IAM OIDC provider in the account of the role. Its URL must equal the token's `iss` exactly: case, path and trailing slash.",
  },
  thumbprint: {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-thumbprint",
    severity: "fatal",
    what: "The issuer's TLS certificate does not match the thumbprints of the IAM OIDC provider",
    remedy:
      "AWS account: set the thumbprint of the issuer's current top intermediate CA in the IAM OIDC provider. Or, IdP: use a certificate from a public CA.",
  },
  "audience-ambiguous": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-audience-refused",
    severity: "fatal",
    what: "STS refused the token because it has several audiences and no azp",
    remedy:
      "Workload: request a token with one audience. Or, IdP: add an `azp` that is a client ID of the IAM OIDC provider.",
  },
  "audience-refused": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-audience-refused",
    severity: "fatal",
    what: "STS could not validate the token; most often its audience is not registered",
    remedy:
      "AWS account: add the token's audience to the client IDs of the IAM OIDC provider. Or, Workload: request a token with an audience that is registered there.",
  },
  "token-form": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-token-refused",
    severity: "fatal",
    what: "STS refused the token because of its form, its claims or its signature",
    remedy:
      "Workload: send an ID token or a projected service account token, not an access token or a legacy Kubernetes secret. IdP: issue it with iss, sub, aud, iat and exp, and with times in whole seconds.",
  },
  "not-oidc": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-token-refused",
    severity: "fatal",
    what: "STS did not treat the token as an OIDC token",
    remedy: "Workload: leave out `providerId`. It is for OAuth 2.0 access tokens only.",
  },
  "claim-rejected": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-token-refused",
    severity: "fatal",
    what: "The identity provider reported to STS that it rejects the token",
    remedy: "Workload: sign in again and send a new token.",
  },
  "token-refused": {
    code: "ERR_TOKEN_REJECTED",
    id: "sts-unknown",
    severity: "fatal",
    what: "STS refused the token with an unrecognized message",
    remedy:
      "AWS account: compare the token's issuer, audience and key with the IAM OIDC provider in the role's account. AWS Support can look up the response by its request ID.",
  },
  "claims-unreadable": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unknown",
    severity: "fatal",
    what: "STS failed to read the token's claims",
    remedy:
      "IdP: issue `sub` as a string. STS fails this way when it is null; if it already is a string, retry later.",
  },
  "access-denied": {
    code: "ERR_ACCESS_DENIED",
    id: "sts-access-denied",
    severity: "fatal",
    what: "The role can't be assumed with this token",
    remedy:
      "AWS account: check that the role exists in that account, and that its trust policy names this OIDC provider and exactly the token's sub and aud. IAM changes take up to 12 s to take effect; retryAccessDenied waits for them.",
  },
  "region-disabled": {
    code: "ERR_REGION_DISABLED",
    id: "sts-region-disabled",
    severity: "fatal",
    what: "STS is not active in this region for the role's account",
    remedy:
      "AWS account: activate STS for the region in the account settings of IAM. Or, Workload: choose another region.",
  },
  "request-refused": {
    code: "ERR_REQUEST_INVALID",
    id: "sts-request-invalid",
    severity: "fatal",
    what: "STS does not accept a parameter of the request",
    remedy: "Workload: correct the parameter that the message names.",
  },
  throttled: {
    code: "ERR_THROTTLED",
    id: "sts-throttled",
    severity: "suspect",
    what: "STS throttles the requests of this account",
    remedy:
      "Workload: share one provider among all clients of a process, spread the start of your workloads, or request longer sessions (durationSeconds).",
  },
  "sts-error": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "suspect",
    what: "STS failed with an internal error",
    remedy:
      "Workload: retry later, or let the provider call another region (failoverRegions). AWS Support can look up the response by its request ID.",
  },
  "other-server-failed": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "suspect",
    what: "A proxy or another server responded in place of STS",
    remedy: FIND_THE_OTHER_SERVER,
  },
  "other-server-refused": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "fatal",
    what: "A proxy or another server refused the request before it reached STS",
    remedy: FIND_THE_OTHER_SERVER,
  },
  "other-aws-server": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "fatal",
    what: "Another AWS service responded in place of STS",
    remedy: CORRECT_THE_ENDPOINT,
  },
  "action-unknown": {
    code: "ERR_REQUEST_INVALID",
    id: "sts-request-invalid",
    severity: "fatal",
    what: "The service that responded does not offer AssumeRoleWithWebIdentity",
    remedy: CORRECT_THE_ENDPOINT,
  },
  "response-hidden": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unknown",
    severity: "fatal",
    what: "The request handler threw an error for the response's status, so the explanation of STS is lost",
    remedy:
      "Workload: let your request handler return responses of every status (axios: `validateStatus: () => true`; got and ky: `throwHttpErrors: false`), because STS explains a refusal in the body.",
  },
  "no-credentials": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "suspect",
    what: "The response is not from STS: it reports success without credentials",
    remedy: FIND_THE_OTHER_SERVER,
  },
  "response-too-long": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unavailable",
    severity: "suspect",
    what: "The response is not from STS: it is longer than any response of STS",
    remedy: FIND_THE_OTHER_SERVER,
  },
  unreachable: {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unreachable",
    severity: "fatal",
    what: "STS can't be reached from this machine",
    remedy: ALLOW_THE_CONNECTION,
  },
  timeout: {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-timeout",
    severity: "fatal",
    what: "STS did not respond in time",
    remedy: ALLOW_THE_CONNECTION,
  },
  "tls-handshake": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-tls-untrusted",
    severity: "fatal",
    what: "The TLS handshake with the STS endpoint failed",
    remedy:
      "Network: make sure that no proxy or firewall responds on port 443 in place of the STS endpoint. Workload: check the region and any custom endpoint.",
  },
  "certificate-untrusted": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-tls-untrusted",
    severity: "fatal",
    what: "This machine does not trust the TLS certificate that the STS endpoint presents",
    remedy:
      "Workload: if a company proxy inspects TLS, set NODE_EXTRA_CA_CERTS to a PEM file with the proxy's CA certificate before Node starts, or pass a `requestHandler` whose https.Agent has it as `ca`. Or, Network: exempt the STS endpoint from TLS inspection.",
  },
  "certificate-dates": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-tls-untrusted",
    severity: "fatal",
    what: "The TLS certificate that the STS endpoint presents is not valid at this time",
    remedy:
      "Workload: check this machine's clock. Network: have the operator of the server that responds in place of STS (TLS inspection, VPC endpoint, an STS of your own) renew its certificate.",
  },
  "certificate-name": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-tls-untrusted",
    severity: "fatal",
    what: "The TLS certificate that the STS endpoint presents is for another host name",
    remedy:
      "Network: find out which server responds in place of the STS endpoint (DNS, private DNS of a VPC endpoint, TLS inspection). Workload: check the region and any custom endpoint.",
  },
  "proxy-refused": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unreachable",
    severity: "fatal",
    what: "The proxy in front of STS refused the connection",
    remedy:
      "Network: allow CONNECT to the STS endpoint of this region, port 443, on the proxy. Or, Workload: connect without the proxy.",
  },
  "proxy-credentials": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unreachable",
    severity: "fatal",
    what: "The proxy in front of STS requires credentials",
    remedy:
      "Workload: give the proxy agent of your request handler valid credentials for the proxy (user name and password in its URL). Or, Network: let this machine through without them.",
  },
  "proxy-failed": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unreachable",
    severity: "suspect",
    what: "The proxy in front of STS could not connect to it",
    remedy:
      "Network: check that the proxy can resolve and reach the STS endpoint of this region, port 443.",
  },
  "thrown-here": {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unknown",
    severity: "fatal",
    what: "Code in this process threw an error during the STS call",
    remedy:
      "Workload: read the error's `cause`. A client plugin, a request handler, a role assumer or an option of `clientConfig` threw it.",
  },
  unrecognized: {
    code: "ERR_STS_UNAVAILABLE",
    id: "sts-unknown",
    severity: "fatal",
    what: "STS returned an unrecognized error",
    remedy:
      "Workload: read the message of the response and correct what it names. AWS Support can look up the response by its request ID.",
  },
};

/** Findings of the issuer check that are faults of the token: the issuer does not publish the key that signed it. */
const TOKEN_AT_FAULT: readonly FindingId[] = ["jwks-key-not-found", "signature-invalid"];

/** The sentence for a failure, by its situation, its findings and the token's claims. Pure. */
export function sentenceFor(failure: Failure, token: TokenFacts = {}): Sentence {
  const situation = situationOf(failure);
  const sentence = SENTENCES[situation];
  const verdict = judge(failure);
  const fatal = firstFatal(failure.findings ?? []);
  if (fatal && (verdict === "idp-unreachable" || verdict === "token-rejected")) {
    if (!TOKEN_AT_FAULT.includes(fatal.id)) return SENTENCES["issuer-unusable"];
    return { ...SENTENCES["token-form"], what: "STS refused the token" };
  }
  switch (situation) {
    case "audience-refused":
      return audienceRefused(sentence, token);
    case "access-denied":
      return { ...sentence, remedy: [sentence.remedy, ...alsoNeeded(token)].join(" ") };
    case "unrecognized":
      return isRefusal(failure) ? { ...sentence, code: "ERR_REQUEST_INVALID" } : sentence;
    default:
      return sentence;
  }
}

function isRefusal({ httpStatus = 0 }: Failure): boolean {
  return httpStatus >= 400 && httpStatus < 500;
}

/** If a token has an `azp`, STS compares it, and not `aud`, with the client IDs; observed 2026-09. */
function audienceRefused(sentence: Sentence, { audience, azp }: TokenFacts): Sentence {
  if (azp !== undefined) {
    return {
      ...sentence,
      what: "STS could not validate the token; most often its azp is not registered",
      remedy: `AWS account: add the token's azp ${JSON.stringify(azp)} to the client IDs of the IAM OIDC provider. Because the token has an azp, STS compares azp with them, and not aud. Or, IdP: issue this client's tokens with a registered azp.`,
    };
  }
  if (isForKubernetesApi(audience)) return { ...sentence, ...POD_TOKEN };
  return sentence;
}

/** What a trust policy must allow or compare besides the usual, depending on the token's claims. */
function alsoNeeded({ azp, hasSessionTags, hasSourceIdentity }: TokenFacts): string[] {
  return [
    ...(azp === undefined
      ? []
      : [
          `The token has the azp ${JSON.stringify(azp)}; the trust policy's condition on aud is compared with it.`,
        ]),
    ...(hasSessionTags
      ? ["The token has session tags, so the trust policy must also allow sts:TagSession."]
      : []),
    ...(hasSourceIdentity
      ? [
          "The token has a source identity, so the trust policy must also allow sts:SetSourceIdentity.",
        ]
      : []),
  ];
}
