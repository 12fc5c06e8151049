import { createHash, randomBytes } from "node:crypto";
import { STS_DURATION_SECONDS } from "../../model/sts-limits.js";
import { isLoopbackUrl } from "../../runtime/url-host.js";
import {
  type AssumeRoleRequest,
  packedPolicySize,
  type RoleArn,
  readAssumeRoleRequest,
} from "./assume-role-request.js";
import { type KeySource, selectVerificationKey, verifySignature } from "./issuer-keys.js";
import { type QueryRequest, readCredentialScope } from "./query-protocol.js";
import {
  checkRequiredClaims,
  checkTimes,
  type JsonWebToken,
  readAudience,
  readJsonWebToken,
  readSessionAttributes,
  readSubject,
  type SessionAttributes,
} from "./web-identity-token.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/*
 * The account behind the local STS: its two actions, AssumeRoleWithWebIdentity and GetCallerIdentity,
 * the providers and roles that say which tokens it trusts, and the sessions that it granted.
 */

/** The account that the action belongs to. */
interface Account {
  readonly now: () => number;
  readonly providers: readonly TrustedProvider[] | undefined;
  readonly roles: readonly TrustedRole[] | undefined;
  readonly keySource: KeySource;
  readonly sessions: Sessions;
}

/** The outcome of an AssumeRoleWithWebIdentity call. */
export interface AssumeRoleOutcome extends SessionAttributes {
  readonly role: RoleArn;
  readonly identity: WebIdentity;
  readonly session: Session;
  /** Percent. */
  readonly packedSize: number;
}

/** One call of the action. */
interface AssumeRoleCall {
  readonly parameters: ReadonlyMap<string, string>;
  /** Replaces the requested duration. */
  readonly credentialLifetimeSeconds: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * AssumeRoleWithWebIdentity in one account. The order of the checks is known only in part: STS checks
 * the required claims before the provider (legacy Kubernetes tokens show this), and trust last.
 *
 * @throws StsRefusal with the error that STS would send.
 */
export async function assumeRole(
  account: Account,
  { parameters, credentialLifetimeSeconds, signal }: AssumeRoleCall,
): Promise<AssumeRoleOutcome> {
  const request = readAssumeRoleRequest(parameters);
  const token = readToken(request);
  const verified = await verifyToken(token, account, signal);
  const attributes = readSessionAttributes(token.claims);
  const identity = { ...verified, actions: actionsFor(attributes) };
  const packedSize = packedPolicySize(request.policies, attributes.tags);

  const { role, sessionName, durationSeconds } = request;
  const now = account.now();
  const maximum = authorizeRole(account.roles, { role, identity, now });
  if (durationSeconds > maximum) throw new StsRefusal(WIRE_ERRORS.durationTooLong);
  const lifetime = credentialLifetimeSeconds ?? durationSeconds;
  const session = account.sessions.issue(role, sessionName, now + lifetime * 1000);
  return { role, identity, session, packedSize, ...attributes };
}

function actionsFor({
  tags,
  transitiveTagKeys,
  sourceIdentity,
}: SessionAttributes): TrustedAction[] {
  const hasTags = Object.keys(tags).length > 0 || transitiveTagKeys.length > 0;
  return [
    ...(hasTags ? (["sts:TagSession"] as const) : []),
    ...(sourceIdentity === undefined ? [] : (["sts:SetSourceIdentity"] as const)),
  ];
}

function readToken({ providerId, token }: AssumeRoleRequest): JsonWebToken {
  switch (providerId) {
    case undefined:
      return readJsonWebToken(token);
    case "www.amazon.com":
      throw new StsRefusal(WIRE_ERRORS.notLoginWithAmazon);
    case "graph.facebook.com":
      throw new StsRefusal(WIRE_ERRORS.rejectedClaim);
    default:
      throw new StsRefusal(WIRE_ERRORS.accessDenied);
  }
}

async function verifyToken(
  token: JsonWebToken,
  { now, providers, keySource }: Account,
  signal: AbortSignal,
): Promise<Omit<WebIdentity, "actions">> {
  const { claims } = token;
  checkRequiredClaims(claims);
  const subject = readSubject(claims);
  const provider = findProvider(providers, claims.iss);
  checkTimes(claims, Math.floor(now() / 1000));
  const audience = readAudience(claims);
  checkAudience(provider, audience);
  const { issuer } = provider;
  const cached = findCachedKey(keySource.cached(issuer), token);
  // Keys rotate: STS fetches the JWKS again when the cached one has no key for the token.
  const key = cached ?? selectVerificationKey(await keySource.fetch(issuer, signal), token);
  verifySignature(key, token);
  return { issuer, subject, audience };
}

function findCachedKey(
  keys: readonly unknown[] | undefined,
  token: JsonWebToken,
): ReturnType<typeof selectVerificationKey> | undefined {
  try {
    return keys && selectVerificationKey(keys, token);
  } catch {
    return undefined;
  }
}

/** An OIDC provider of the account. A `LocalIdp` can be passed as one. */
export interface TrustedProvider {
  /** Exactly the `iss` of its tokens. */
  readonly issuer: string;
  /** The registered client IDs. @default any */
  readonly audiences?: readonly string[];
}

/** A role that tokens can assume. */
export interface TrustedRole {
  /** ARN of the role. */
  readonly arn: string;
  /** The tokens that may assume the role. @default every valid token */
  readonly trust?: RoleTrust;
  /** Longest session of the role, in seconds. @default 3600 */
  readonly maxSessionDurationSeconds?: number;
  /**
   * Milliseconds since the epoch. Before this time, STS denies access, as it does while a new role
   * propagates. @default always
   */
  readonly usableFrom?: number;
}

/** The conditions of a trust policy. All that are given must hold. */
export interface RoleTrust {
  /** Issuer whose tokens the role accepts. */
  readonly issuer?: string;
  /** One must match: a string with `*` and `?` as in `StringLike`, or a regular expression. */
  readonly subjects?: readonly (string | RegExp)[];
  /** Audiences that the role accepts. */
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
interface WebIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  /** The actions that the token's session tags and source identity need. */
  readonly actions: readonly TrustedAction[];
}

/** The longest session of a role for which no maximum is set. */
const DEFAULT_MAX_SESSION_SECONDS = 3600;

/**
 * Finds the provider of an issuer. Without configured providers, any issuer on the loopback address
 * is one: a token must not make the local STS call a host on the internet.
 *
 * @throws StsRefusal when the account has no such provider.
 */
function findProvider(
  providers: readonly TrustedProvider[] | undefined,
  issuer: unknown,
): TrustedProvider {
  const name = String(issuer);
  const found = providers
    ? providers.find((provider) => provider.issuer === issuer)
    : URL.canParse(name) && isLoopbackUrl(new URL(name)) && { issuer: name };
  if (!found) throw new StsRefusal(WIRE_ERRORS.providerNotFound(name));
  return found;
}

/** @throws StsRefusal when the audience is not registered. */
function checkAudience(provider: TrustedProvider, audience: string): void {
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
function authorizeRole(
  roles: readonly TrustedRole[] | undefined,
  { role: { arn }, identity, now }: RoleSession,
): number {
  if (!roles) return STS_DURATION_SECONDS.max;
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

/** Issued credentials, and the role session they belong to. */
interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly accountId: string;
  /** `AROA…:session-name` */
  readonly assumedRoleId: string;
  /** `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION` */
  readonly arn: string;
}

/** Issues credentials and keeps them, so that a later request can be signed with them. */
export class Sessions {
  readonly #byAccessKeyId = new Map<string, Session>();

  issue(role: RoleArn, sessionName: string, expiresAt: number): Session {
    const { partition, accountId, name } = role;
    const session = {
      accessKeyId: `ASIA${base32(randomBytes(16))}`,
      secretAccessKey: randomBytes(30).toString("base64"),
      sessionToken: randomBytes(270).toString("base64"),
      expiresAt,
      accountId,
      assumedRoleId: `AROA${base32(createHash("sha256").update(role.arn).digest()).slice(0, 17)}:${sessionName}`,
      arn: `arn:${partition}:sts::${accountId}:assumed-role/${name}/${sessionName}`,
    };
    this.#byAccessKeyId.set(session.accessKeyId, session);
    return session;
  }

  find(accessKeyId: string): Session | undefined {
    return this.#byAccessKeyId.get(accessKeyId);
  }
}

/** One character for each byte, from the alphabet of AWS IDs. */
function base32(bytes: Buffer): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return [...bytes].map((byte) => alphabet.charAt(byte % 32)).join("");
}

/** The result of GetCallerIdentity, element by element. */
type CallerIdentity = { readonly [element in "UserId" | "Account" | "Arn"]: string };

/**
 * GetCallerIdentity. The request must carry a signature; the local STS doesn't verify it.
 *
 * @throws StsRefusal unless the request is signed with valid credentials of this local STS.
 */
export function callerIdentity(
  request: QueryRequest,
  sessions: Sessions,
  now: number,
): CallerIdentity {
  const { accountId, arn, assumedRoleId } = findSession(request, sessions, now);
  return { UserId: assumedRoleId, Account: accountId, Arn: arn };
}

function findSession(request: QueryRequest, sessions: Sessions, now: number): Session {
  const { headers, parameters } = request;
  const authorization = headers.authorization;
  if (authorization === undefined && !parameters.has("X-Amz-Signature")) {
    throw new StsRefusal(WIRE_ERRORS.missingAuthentication);
  }
  const scope = readCredentialScope(request);
  const signature =
    /Signature=([^\s,]+)/.exec(authorization ?? "")?.[1] ?? parameters.get("X-Amz-Signature") ?? "";
  if (!scope || !/^[0-9a-f]{64}$/.test(signature)) {
    throw new StsRefusal(WIRE_ERRORS.incompleteSignature);
  }
  const session = sessions.find(scope.accessKeyId);
  const token = headers["x-amz-security-token"] ?? parameters.get("X-Amz-Security-Token");
  if (!session || token !== session.sessionToken) {
    throw new StsRefusal(WIRE_ERRORS.invalidClientToken);
  }
  if (now >= session.expiresAt) throw new StsRefusal(WIRE_ERRORS.expiredCredentials);
  return session;
}
