import type { StoredCredentials, StoredRefusal } from "../model/credential-store.js";
import type { Failure, Verdict } from "../model/failure.js";
import { judge } from "../retry/verdict.js";
import { safeText } from "../runtime/redact.js";
import type { AttributedCredentials } from "../sts/assume-role.js";
import type { StsTarget } from "../sts/target.js";

/** Credentials of STS, and the region that issued them. */
export interface Issued {
  readonly credentials: AttributedCredentials;
  readonly region: string | undefined;
}

/** What another process got from STS: credentials, or a permanent refusal. */
export type SharedResult = Issued | { readonly refused: Failure };

/** The fields that every stored value of one refresh has. */
export type CommonFields = Pick<StoredCredentials, "key" | "roleArn" | "issuedAt">;

/** How long a permanent refusal is shared, in milliseconds. */
const REFUSAL_MS = 5_000;

/** Refusals that do not depend on one token: every process that shares the key would get the same one. */
const SHARED_REFUSALS: readonly Verdict[] = [
  "access-denied",
  "region-disabled",
  "request-invalid",
  "token-rejected",
];

/** The stored form of credentials; `undefined` if they have expired or never expire. */
export function toStoredCredentials(
  { credentials, region }: Issued,
  common: CommonFields,
  now: number,
): StoredCredentials | undefined {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  const { accountId, credentialScope } = credentials;
  const leftMs = (expiration?.getTime() ?? Number.NaN) - now;
  if (!Number.isFinite(leftMs) || leftMs < 1) return undefined;
  return {
    kind: "credentials",
    ...common,
    expiresAt: Math.floor(common.issuedAt + leftMs),
    accessKeyId,
    secretAccessKey,
    sessionToken,
    accountId,
    credentialScope,
    region,
  };
}

/** Stored credentials in the form in which a call to STS returns them. */
export function toCredentials(stored: StoredCredentials, expiration: Date): AttributedCredentials {
  const { accessKeyId, secretAccessKey, sessionToken, accountId, credentialScope } = stored;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    expiration,
    ...(credentialScope !== undefined && { credentialScope }),
    ...(accountId !== undefined && { accountId }),
    $source: {
      ...(accountId !== undefined && { RESOLVED_ACCOUNT_ID: "T" }),
      CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: "k",
    },
  };
}

/** The stored form of a refusal; `undefined` if it is temporary, or concerns only this token. */
export function toStoredRefusal(failure: Failure, common: CommonFields): StoredRefusal | undefined {
  const { kind, code = "", message, httpStatus, requestId } = failure;
  if (kind !== "response" || code === "" || message === "") return undefined;
  if (!SHARED_REFUSALS.includes(judge(failure))) return undefined;
  const expiresAt = common.issuedAt + REFUSAL_MS;
  return { kind: "refusal", ...common, expiresAt, code, message, httpStatus, requestId };
}

interface RefusalContext {
  /** STS's time, in milliseconds since the epoch. */
  readonly now: number;
  readonly retryAccessDenied: boolean;
}

/** The failure that a stored refusal stands for; `undefined` if this process must call STS instead. */
export function toFailure(
  { code, message, httpStatus, requestId, expiresAt }: StoredRefusal,
  { now, retryAccessDenied }: RefusalContext,
): Failure | undefined {
  const leftMs = expiresAt - now;
  if (leftMs <= 0 || leftMs > REFUSAL_MS) return undefined;
  const failure: Failure = {
    kind: "response",
    code: safeText(code, 100),
    message: safeText(message),
    httpStatus,
    requestId: requestId && safeText(requestId, 100),
  };
  const verdict = judge(failure);
  if (verdict === "access-denied" && retryAccessDenied) return undefined;
  return SHARED_REFUSALS.includes(verdict) ? failure : undefined;
}

/** A name of the STS endpoint, the same in every process; `undefined` if only this process knows the endpoint. */
export function endpointName({ config, region, customEndpoint }: StsTarget): string | undefined {
  const { endpoint, useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint } = config;
  if (customEndpoint) return typeof endpoint === "string" ? endpoint : undefined;
  const flags = [useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint];
  return JSON.stringify([region, ...flags.map((flag) => flag === true)]);
}
