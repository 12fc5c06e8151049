import type { AssumeRoleAnswer } from "./assume-role-answer.js";
import { type AssumeRoleRequest, readAssumeRoleRequest } from "./assume-role-request.js";
import { type JsonWebToken, readJsonWebToken } from "./json-web-token.js";
import type { KeySource } from "./key-source.js";
import { packedPolicySize } from "./session-policies.js";
import { readSessionAttributes, type SessionAttributes } from "./session-tags.js";
import type { Sessions } from "./sessions.js";
import { checkRequiredClaims, checkTimes, readAudience, readSubject } from "./token-claims.js";
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
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/** What the action works with. */
export interface AssumeRoleContext {
  readonly now: () => number;
  readonly providers: readonly TrustedProvider[] | undefined;
  readonly roles: readonly TrustedRole[] | undefined;
  readonly keySource: KeySource;
  readonly sessions: Sessions;
  /** Overrides the duration that was asked for. */
  readonly credentialLifetimeSeconds: number | undefined;
}

/**
 * AssumeRoleWithWebIdentity. The order of the checks is known only in part: required claims come
 * before the provider (legacy Kubernetes tokens show it), and trust comes last.
 *
 * @throws StsRefusal with what STS would answer.
 */
export async function assumeRole(
  parameters: ReadonlyMap<string, string>,
  context: AssumeRoleContext,
  signal: AbortSignal,
): Promise<AssumeRoleAnswer> {
  const request = readAssumeRoleRequest(parameters);
  const token = readToken(request);
  const verified = await verifyToken(token, context, signal);
  const attributes = readSessionAttributes(token.claims);
  const identity = { ...verified, actions: actionsFor(attributes) };
  const packedSize = packedPolicySize(request.policies, attributes.tags);

  const { role, sessionName, durationSeconds } = request;
  const maximum = authorizeRole(context.roles, role, identity, context.now());
  if (durationSeconds > maximum) throw new StsRefusal(WIRE_ERRORS.durationTooLong);
  const lifetime = context.credentialLifetimeSeconds ?? durationSeconds;
  const session = context.sessions.issue(role, sessionName, context.now() + lifetime * 1000);
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
  { now, providers, keySource }: AssumeRoleContext,
  signal: AbortSignal,
): Promise<Omit<WebIdentity, "actions">> {
  const { claims } = token;
  checkRequiredClaims(claims);
  const subject = readSubject(claims);
  const provider = findProvider(providers, claims.iss);
  checkTimes(claims, Math.floor(now() / 1000));
  const audience = readAudience(claims);
  checkAudience(provider, audience);
  verifySignature(await findKey(provider.issuer, token, keySource, signal), token);
  return { issuer: provider.issuer, subject, audience };
}

/** Looks again, once, when a key set that was kept has no key for the token: keys rotate. */
async function findKey(
  issuer: string,
  token: JsonWebToken,
  keySource: KeySource,
  signal: AbortSignal,
): Promise<ReturnType<typeof selectVerificationKey>> {
  const cached = keySource.cached(issuer);
  if (cached) {
    try {
      return selectVerificationKey(cached, token);
    } catch {
      // Falls through to a fresh look.
    }
  }
  return selectVerificationKey(await keySource.fetch(issuer, signal), token);
}
