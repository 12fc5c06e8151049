import type { RoleArn } from "./assume-role-request.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** An OIDC provider of the account. A `LocalIdp` can be passed as one. */
export interface TrustedProvider {
  /** Exactly the `iss` of its tokens. */
  readonly issuer: string;
  /** The registered client IDs. @default any */
  readonly audiences?: readonly string[];
}

/** A role that tokens can assume. */
export interface TrustedRole {
  readonly arn: string;
  /** @default every valid token */
  readonly trust?: RoleTrust;
  /** @default 3600 */
  readonly maxSessionDurationSeconds?: number;
  /**
   * Milliseconds since the epoch. Before this time, STS denies access, as it does while a new role
   * propagates. @default always
   */
  readonly usableFrom?: number;
}

/** The conditions of a trust policy. All that are given must hold. */
export interface RoleTrust {
  readonly issuer?: string;
  /** One must match: a string with `*` and `?` as in `StringLike`, or a regular expression. */
  readonly subjects?: readonly (string | RegExp)[];
  readonly audiences?: readonly string[];
  /**
   * The actions that the policy allows in addition to `sts:AssumeRoleWithWebIdentity`. A token with
   * session tags needs `sts:TagSession`; one with a source identity needs `sts:SetSourceIdentity`.
   * @default both
   */
  readonly allowedActions?: readonly TrustedAction[];
}

/** An action that a trust policy must allow because of a claim of the token. */
export type TrustedAction = "sts:TagSession" | "sts:SetSourceIdentity";

/** The identity in a valid token. */
export interface WebIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  /** The actions that the token's session tags and source identity need. */
  readonly actions: readonly TrustedAction[];
}

/** The longest session any role allows (API model). */
const MAX_SESSION_SECONDS = 43_200;
const DEFAULT_MAX_SESSION_SECONDS = 3600;

/**
 * Finds the provider of an issuer. Without configured providers, any issuer on the loopback address
 * is one: a token must not make the local STS call a host on the internet.
 *
 * @throws StsRefusal when the account has no such provider.
 */
export function findProvider(
  providers: readonly TrustedProvider[] | undefined,
  issuer: unknown,
): TrustedProvider {
  const name = String(issuer);
  const found = providers
    ? providers.find((provider) => provider.issuer === issuer)
    : isLoopback(name) && { issuer: name };
  if (!found) throw new StsRefusal(WIRE_ERRORS.providerNotFound(name));
  return found;
}

/** @throws StsRefusal when the audience is not registered. */
export function checkAudience(provider: TrustedProvider, audience: string): void {
  if (provider.audiences && !provider.audiences.includes(audience)) {
    throw new StsRefusal(WIRE_ERRORS.notValidated);
  }
}

/** The session that a caller requests. */
interface RoleSession {
  readonly role: RoleArn;
  readonly identity: WebIdentity;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The longest session that a role allows this identity, in seconds. Without configured roles, every
 * role exists and trusts every valid token.
 *
 * @throws StsRefusal when the role doesn't exist or doesn't trust the identity; STS sends the same
 * error for both.
 */
export function authorizeRole(
  roles: readonly TrustedRole[] | undefined,
  { role: { arn }, identity, now }: RoleSession,
): number {
  if (!roles) return MAX_SESSION_SECONDS;
  const found = roles.find((each) => each.arn === arn);
  if (!found || now < (found.usableFrom ?? 0) || !isTrusted(found.trust ?? {}, identity)) {
    throw new StsRefusal(WIRE_ERRORS.accessDenied);
  }
  return found.maxSessionDurationSeconds ?? DEFAULT_MAX_SESSION_SECONDS;
}

function isTrusted(trust: RoleTrust, { issuer, subject, audience, actions }: WebIdentity): boolean {
  return (
    (trust.issuer ?? issuer) === issuer &&
    (trust.audiences?.includes(audience) ?? true) &&
    actions.every((action) => trust.allowedActions?.includes(action) ?? true) &&
    (trust.subjects?.some((pattern) => matches(pattern, subject)) ?? true)
  );
}

function matches(pattern: string | RegExp, subject: string): boolean {
  // A copy, because a global or sticky expression keeps its last position.
  if (typeof pattern !== "string") return new RegExp(pattern.source, pattern.flags).test(subject);
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(subject);
}

function isLoopback(issuer: string): boolean {
  const host = URL.canParse(issuer) ? new URL(issuer).hostname : "";
  return /^(127(\.\d+){3}|\[::1\]|localhost|.+\.localhost)$/.test(host);
}
