import type { RoleArn } from "./assume-role-request.js";
import type { SessionAttributes } from "./session-tags.js";
import type { Session } from "./sessions.js";
import type { WebIdentity } from "./trust.js";
import type { XmlContent } from "./xml.js";

/** What AssumeRoleWithWebIdentity came to. */
export interface AssumeRoleAnswer extends SessionAttributes {
  readonly role: RoleArn;
  readonly identity: WebIdentity;
  readonly session: Session;
  /** Percent. */
  readonly packedSize: number;
}

/** A part of the answer that another implementation may leave out. */
export type AnswerField =
  | "AssumedRoleUser"
  | "Audience"
  | "Credentials"
  | "Expiration"
  | "PackedPolicySize"
  | "Provider"
  | "SubjectFromWebIdentityToken";

/** How the answers look. AWS's own shape is the default; Ceph RGW, MinIO and others differ. */
export interface AnswerShape {
  /** @default none */
  readonly omit?: readonly AnswerField[] | undefined;
  /** How finely `Expiration` is printed. @default "seconds" */
  readonly expirationPrecision?: "seconds" | "milliseconds" | "nanoseconds" | undefined;
}

/** Writes the result element's content. */
export function assumeRoleResult(answer: AssumeRoleAnswer, shape: AnswerShape): XmlContent {
  const { role, identity, session, packedSize, sourceIdentity } = answer;
  const omitted = new Set(shape.omit);
  const unless = (field: AnswerField, content: XmlContent) =>
    omitted.has(field) ? undefined : content;
  return {
    SubjectFromWebIdentityToken: unless("SubjectFromWebIdentityToken", identity.subject),
    Audience: unless("Audience", identity.audience),
    AssumedRoleUser: unless("AssumedRoleUser", {
      AssumedRoleId: session.assumedRoleId,
      Arn: session.arn,
    }),
    Credentials: unless("Credentials", {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: unless("Expiration", printTime(session.expiresAt, shape)),
    }),
    PackedPolicySize: unless("PackedPolicySize", packedSize),
    Provider: unless("Provider", providerArn(role, identity.issuer)),
    SourceIdentity: sourceIdentity,
  };
}

/** The provider's ARN is its issuer without the scheme. */
function providerArn({ partition, accountId }: RoleArn, issuer: string): string {
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuer.replace(/^https?:\/\//, "")}`;
}

function printTime(epochMs: number, { expirationPrecision }: AnswerShape): string {
  const text = new Date(epochMs).toISOString();
  if (expirationPrecision === "milliseconds") return text;
  return text.replace(/\.(\d+)Z$/, expirationPrecision === "nanoseconds" ? ".$1456789Z" : "Z");
}
