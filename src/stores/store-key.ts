import { createHmac } from "node:crypto";
import { readField } from "../runtime/redact.js";

/** Everything that decides which credentials STS returns, or whether it returns any. */
export interface KeyFacts {
  /** The claims of a token that passed the local checks. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly roleArn: string;
  /** Absent when the session name is the SDK's default. */
  readonly roleSessionName: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly policy: string | undefined;
  readonly policyArns: readonly { readonly arn?: string | undefined }[] | undefined;
  /** Names the STS that is asked: a URL, or a region with its endpoint flags. */
  readonly endpoint: string;
}

/** Separates these keys from every other use of HMAC-SHA-256; a new version of the facts changes it. */
const DOMAIN = "resilient-sts store key v1";

/** What AWS's SDKs call a session by default: the time makes each one different. */
const DEFAULT_SESSION_NAME = /^(?:aws-sdk-js-session|botocore-session)-\d+$/;

/**
 * The claims that a trust policy can ask for (IAM User Guide, available keys for AWS OIDC federation:
 * of every provider, then of GitHub, Google, CircleCI and Oracle Cloud). All other claims may differ
 * between the pods of one workload, such as the name of the pod.
 */
const CLAIMS_THAT_DECIDE = new Set([
  ...["iss", "sub", "aud", "azp", "amr"],
  ...["actor", "actor_id", "job_workflow_ref", "repository", "repository_id"],
  ...["workflow", "ref", "environment", "enterprise_id"],
  ...["oidc.circleci.com/project-id", "rpst_id"],
]);

/** Session tags and the source identity: they end up in the session. */
const AWS_CLAIM = /^https:\/\/(?:[\w-]+\.)*(?:aws\.amazon\.com|amazonaws\.com)\//;

/**
 * The key of a workload in a store: an HMAC-SHA-256 over everything that decides the credentials, so
 * that it holds no claim in clear. Its HMAC key is a constant: it separates domains and is no secret.
 * A store that outsiders can read (Redis) derives its own names from it with a secret key.
 */
export function storeKey(facts: KeyFacts): string {
  const { claims, roleSessionName } = facts;
  const hasOwnName = roleSessionName !== undefined && !DEFAULT_SESSION_NAME.test(roleSessionName);
  const decisive = Object.entries(claims).filter(
    ([name]) => CLAIMS_THAT_DECIDE.has(name) || AWS_CLAIM.test(name),
  );
  const text = canonical([
    decisive.sort(([a], [b]) => (a < b ? -1 : 1)),
    readField(claims.google, "organization_number") ?? null,
    facts.roleArn,
    // Quoted by JSON: no session name can look like the default.
    hasOwnName ? { own: roleSessionName } : "default",
    facts.durationSeconds ?? null,
    facts.policy ?? null,
    (facts.policyArns ?? []).map(({ arn = null }) => arn).sort(),
    facts.endpoint,
  ]);
  return createHmac("sha256", DOMAIN).update(text).digest("base64url");
}

/** JSON with the members of every object in one order: equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    const isObject = typeof member === "object" && member !== null && !Array.isArray(member);
    if (!isObject) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
