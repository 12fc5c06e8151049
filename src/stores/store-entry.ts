import { createHmac } from "node:crypto";
import type {
  StoredCredentials,
  StoredRefusal,
  StoredSample,
  StoredValue,
} from "../model/credential-store.js";
import { FOR_HEADERS, STS_DURATION_SECONDS } from "../model/sts-limits.js";
import { readField } from "../runtime/redact.js";
import { isRegionName } from "../runtime/validators.js";

/*
 * The content of a store: values of one form, which is checked whenever one is read, under keys that
 * are derived from everything that decides which credentials a workload gets.
 */

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
  /** Names the STS that is called: a URL, or a region with its endpoint flags. */
  readonly endpoint: string;
}

/** Separates these keys from every other use of HMAC-SHA-256; a new version of the facts changes it. */
const DOMAIN = "resilient-sts store key v1";

/** The default session names of AWS's SDKs: the time makes each one different. */
const DEFAULT_SESSION_NAME = /^(?:aws-sdk-js-session|botocore-session)-\d+$/;

/**
 * The claims that a trust policy can test (IAM User Guide, available keys for AWS OIDC federation:
 * of every provider, then of GitHub, Google, CircleCI and Oracle Cloud). All other claims may differ
 * between the pods of one workload, such as the name of the pod.
 */
const CLAIMS_THAT_DECIDE = new Set([
  ...["iss", "sub", "aud", "azp", "amr"],
  ...["actor", "actor_id", "job_workflow_ref", "repository", "repository_id"],
  ...["workflow", "ref", "environment", "enterprise_id"],
  ...["oidc.circleci.com/project-id", "rpst_id"],
]);

/** Session tags and the source identity, which become part of the session. */
const AWS_CLAIM = /^https:\/\/(?:[\w-]+\.)*(?:aws\.amazon\.com|amazonaws\.com)\//;

/**
 * The key of a workload in a store: an HMAC-SHA-256 over everything that decides the credentials, so
 * that it contains no claim in clear text. Its HMAC key is a constant that separates domains, and not a
 * secret. A store that others can read (Redis) derives its own names from it with a secret key.
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

/** The longest stored value, in bytes: STS's session tokens are far shorter. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** The longest session, and a minute for clocks that differ. */
const MAX_LIFETIME_MS = STS_DURATION_SECONDS.max * 1000 + 60_000;

type Kind = StoredValue["kind"];

/** The text fields of each kind: the required ones, and the optional ones. */
const TEXTS: Readonly<Record<Kind, readonly [required: string[], optional: string[]]>> = {
  credentials: [
    ["key", "roleArn", "accessKeyId", "secretAccessKey"],
    ["sessionToken", "accountId", "credentialScope", "region"],
  ],
  refusal: [["key", "roleArn", "code", "message"], ["requestId"]],
};

/**
 * Whether a text is valid for its field. With an invalid one, every request that is signed with these
 * credentials would fail until they expire.
 */
const FORMS: Readonly<Record<string, (text: string) => boolean>> = {
  accessKeyId: (text) => FOR_HEADERS.test(text),
  sessionToken: (text) => FOR_HEADERS.test(text),
  secretAccessKey: (text) => text.trim() !== "",
  accountId: (text) => FOR_HEADERS.test(text),
  credentialScope: (text) => FOR_HEADERS.test(text),
  region: isRegionName,
};

/**
 * Checks a stored value. If it is complete and possible, returns its known fields, otherwise the problem
 * with it. The problem contains no part of the value.
 */
export function readStoredValue(stored: unknown): StoredValue | { readonly problem: string } {
  const kind = readField(stored, "kind");
  if (kind !== "credentials" && kind !== "refusal") return { problem: "it is not a stored value" };
  const [required, optional] = TEXTS[kind];
  const fields: Record<string, unknown> = { kind };
  let length = 0;
  for (const name of [...required, ...optional]) {
    const value = readField(stored, name);
    if (value === undefined && optional.includes(name)) continue;
    if (typeof value !== "string" || value === "")
      return { problem: `its ${name} is not a string` };
    length += value.length;
    if (length > MAX_VALUE_BYTES) return { problem: "it is too long" };
    if (FORMS[name]?.(value) === false) return { problem: `its ${name} can't be used` };
    fields[name] = value;
  }
  for (const name of ["issuedAt", "expiresAt"]) {
    const value = readField(stored, name);
    if (!Number.isSafeInteger(value)) return { problem: `its ${name} is not a time` };
    fields[name] = value;
  }
  const lifetimeMs = (fields.expiresAt as number) - (fields.issuedAt as number);
  if (lifetimeMs <= 0 || lifetimeMs > MAX_LIFETIME_MS) {
    return { problem: `its lifetime of ${lifetimeMs} ms is impossible` };
  }
  const status = readField(stored, "httpStatus");
  if (kind === "refusal" && Number.isSafeInteger(status)) fields.httpStatus = status;
  return fields as unknown as StoredCredentials | StoredRefusal;
}

/** How many stored values are read for a {@link StoredSample}. */
export const MAX_SAMPLE = 40;

/** Counts values with the same key ID and problem. */
export function countSample(values: readonly Omit<StoredSample, "count">[]): StoredSample[] {
  const counts = new Map<string, StoredSample>();
  for (const { keyId, problem } of values) {
    const kind = JSON.stringify([keyId, problem]);
    counts.set(kind, { keyId, problem, count: (counts.get(kind)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

/** The value in a JSON text. */
export function parseStoredValue(text: string): StoredValue | { readonly problem: string } {
  if (text.length > MAX_VALUE_BYTES) return { problem: "it is too long" };
  const parsed = parseJson(text);
  return parsed === undefined ? { problem: "it is not JSON" } : readStoredValue(parsed);
}

/** The value of a JSON text; `undefined` if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
