import {
  type AssumeRoleRequest,
  packedPolicySize,
  readAssumeRoleRequest,
} from "./assume-role-request.js";
import type { KeySource } from "./key-source.js";
import type { Sessions } from "./sessions.js";
import type { AssumeRoleAnswer } from "./sts-answer.js";
import {
  authorizeRole,
  checkAudience,
  findProvider,
  type TrustedAction,
  type TrustedProvider,
  type TrustedRole,
  type WebIdentity,
} from "./trust.js";
import { selectVerificationKey, verifySignature } from "./verification-key.js";
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

/** The account that the action belongs to. */
export interface Account {
  readonly now: () => number;
  readonly providers: readonly TrustedProvider[] | undefined;
  readonly roles: readonly TrustedRole[] | undefined;
  readonly keySource: KeySource;
  readonly sessions: Sessions;
}

/** One call of the action. */
export interface AssumeRoleCall {
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
): Promise<AssumeRoleAnswer> {
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
