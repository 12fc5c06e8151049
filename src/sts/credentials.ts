import type { AssumeRoleWithWebIdentityCommandOutput } from "@aws-sdk/client-sts";
import type { AwsCredentialIdentity } from "@smithy/types";
import type { RejectedDate } from "./server-clock.js";

/**
 * Credentials as the SDK's own providers give them: with `$source`, the marks that tell AWS in the
 * user agent how they were obtained.
 */
export type AttributedCredentials = AwsCredentialIdentity & { $source?: Record<string, string> };

/** Credentials whose expiration is by this machine's clock: what whoever holds them compares it with. */
export interface IssuedCredentials {
  readonly credentials: AttributedCredentials;
  /** The answer's `Date`, where it cannot be right. */
  readonly rejectedDate?: RejectedDate | undefined;
}

/** Session length when none is asked for (AWS STS API reference, DurationSeconds). */
export const DEFAULT_DURATION_SECONDS = 3600;

/**
 * The credentials in an STS answer; `undefined` when it has none. Lenient where other
 * implementations leave things out: no `AssumedRoleUser`, no session token, no expiration.
 */
export function toCredentials(
  answer: AssumeRoleWithWebIdentityCommandOutput,
  durationSeconds: number | undefined,
  now: number,
): AttributedCredentials | undefined {
  const { Credentials: issued, AssumedRoleUser: user } = answer;
  if (!issued?.AccessKeyId || !issued.SecretAccessKey) return undefined;

  const accountId = accountOf(user?.Arn);
  const scope = (issued as { CredentialScope?: string }).CredentialScope;
  return {
    accessKeyId: issued.AccessKeyId,
    secretAccessKey: issued.SecretAccessKey,
    ...(issued.SessionToken && { sessionToken: issued.SessionToken }),
    expiration:
      issued.Expiration ?? new Date(now + (durationSeconds ?? DEFAULT_DURATION_SECONDS) * 1000),
    ...(scope && { credentialScope: scope }),
    ...(accountId && { accountId }),
    $source: {
      ...(accountId && { RESOLVED_ACCOUNT_ID: "T" }),
      CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: "k",
    },
  };
}

/** `arn:aws:sts::123456789012:assumed-role/…` names the account in its fifth part. */
function accountOf(arn: string | undefined): string | undefined {
  return arn?.split(":")[4] || undefined;
}
