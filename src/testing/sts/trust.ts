import type { RoleArn } from "./assume-role-request.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** An OIDC provider of the account. A {@link LocalIdp} is one as it is. */
export interface TrustedProvider {
  /** Exactly the `iss` of its tokens. */
  readonly issuer: string;
  /** The client ids that are registered. @default any */
  readonly audiences?: readonly string[];
}

/** A role that tokens can assume. */
export interface TrustedRole {
  readonly arn: string;
  /** @default every valid token */
  readonly trust?: RoleTrust;
  /** @default 3600 */
  readonly maxSessionDurationSeconds?: number;
  /** Milliseconds since the epoch; before, the role has not spread yet: access is denied. @default always */
  readonly usableFrom?: number;
}

/** The conditions of a trust policy; all that are there have to hold. */
export interface RoleTrust {
  readonly issuer?: string;
  /** One has to match: a string with `*` and `?` as in `StringLike`, or a regular expression. */
  readonly subjects?: readonly (string | RegExp)[];
  readonly audiences?: readonly string[];
  /**
   * What the policy allows besides `sts:AssumeRoleWithWebIdentity`: a token with session tags needs
   * `sts:TagSession`, one with a source identity `sts:SetSourceIdentity`. @default both
   */
  readonly allowedActions?: readonly TrustedAction[];
}

/** An action that a trust policy has to allow for what a token carries. */
export type TrustedAction = "sts:TagSession" | "sts:SetSourceIdentity";

/** Who a valid token stands for. */
export interface WebIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  /** What the token's session tags and source identity need. */
  readonly actions: readonly TrustedAction[];
}

/** The longest session any role allows (API model). */
const MAX_SESSION_SECONDS = 43_200;
const DEFAULT_MAX_SESSION_SECONDS = 3600;

/**
 * Finds the provider of an issuer. Where none is configured, any issuer on the loopback address is
 * one: nothing here may call out to the internet because a token says so.
 *
 * @throws StsRefusal when there is none.
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

/**
 * The longest session that the role allows to this identity, in seconds. Where no roles are
 * configured, every role exists and trusts every valid token.
 *
 * @throws StsRefusal when the role does not trust it, or does not exist: STS says the same.
 */
export function authorizeRole(
  roles: readonly TrustedRole[] | undefined,
  { arn }: RoleArn,
  identity: WebIdentity,
  now: number,
): number {
  if (!roles) return MAX_SESSION_SECONDS;
  const role = roles.find((each) => each.arn === arn);
  if (!role || now < (role.usableFrom ?? 0) || !isTrusted(role.trust ?? {}, identity)) {
    throw new StsRefusal(WIRE_ERRORS.accessDenied);
  }
  return role.maxSessionDurationSeconds ?? DEFAULT_MAX_SESSION_SECONDS;
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
  // A new one, since a global or sticky expression remembers where it stopped.
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
