import type { QueryRequest } from "./query-request.js";
import type { Session, Sessions } from "./sessions.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";
import type { XmlContent } from "./xml.js";

/**
 * GetCallerIdentity. The signature has to be there and is not verified.
 *
 * @throws StsRefusal unless the request is signed with credentials that were issued here and hold.
 */
export function callerIdentity(request: QueryRequest, sessions: Sessions, now: number): XmlContent {
  const { accountId, arn, assumedRoleId } = findSession(request, sessions, now);
  return { UserId: assumedRoleId, Account: accountId, Arn: arn };
}

/** The access key and the region of a signed request, from its header or its presigned URL. */
export function readCredentialScope({
  headers,
  parameters,
}: QueryRequest): { accessKeyId: string; region: string } | undefined {
  const header = /^AWS4-HMAC-SHA256 .*?Credential=([^\s,]+)/.exec(headers.authorization ?? "");
  const scope = header?.[1] ?? parameters.get("X-Amz-Credential") ?? "";
  const [accessKeyId, , region, , terminator] = scope.split("/");
  return accessKeyId && region && terminator === "aws4_request"
    ? { accessKeyId, region }
    : undefined;
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
