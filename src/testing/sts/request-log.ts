import { readCredentialScope } from "./caller-identity.js";
import { type TokenFacts, tokenFacts } from "./json-web-token.js";
import type { QueryRequest } from "./query-request.js";

/** One request that STS saw, without the token. */
export interface StsRequest {
  /** The `Action` parameter. */
  readonly action: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly host: string;
  /** The path of the URL: lets one server stand for several endpoints. */
  readonly path: string;
  /** The region it was signed for; an unsigned request names none. */
  readonly region: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly userAgent: string | undefined;
  /** All but `WebIdentityToken`, and without what signs a presigned URL. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly token: TokenFacts | undefined;
  /** Numbers the connection it came over, from 1. */
  readonly connection: number;
  /**
   * `"ok"`, the wire code of the error, the name of the transport fault, `"pending"` while there is
   * no answer, `"aborted"` when the client went before there was one, or `"failed"` when a function
   * of the test's own threw.
   */
  readonly outcome: string;
  /** The session that was granted. */
  readonly granted: GrantedSession | undefined;
}

/** What a session was granted with. Never its secrets. */
export interface GrantedSession {
  readonly accessKeyId: string;
  /** The assumed-role ARN. */
  readonly arn: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
}

/** The same, still to be completed. */
export type OpenStsRequest = { -readonly [field in keyof StsRequest]: StsRequest[field] };

const SECRET = /^(WebIdentityToken|X-Amz-Security-Token|X-Amz-Signature)$/i;

/** Describes a request for the log. */
export function recordRequest(
  request: QueryRequest,
  at: number,
  connection: number,
): OpenStsRequest {
  const { parameters, headers, path } = request;
  const token = parameters.get("WebIdentityToken");
  const scope = readCredentialScope(request);
  return {
    action: parameters.get("Action") ?? "",
    at,
    host: headers.host ?? "",
    path,
    region: scope?.region,
    accessKeyId: scope?.accessKeyId,
    userAgent: headers["user-agent"],
    parameters: Object.fromEntries([...parameters].filter(([name]) => !SECRET.test(name))),
    token: token === undefined ? undefined : tokenFacts(token),
    connection,
    outcome: "pending",
    granted: undefined,
  };
}
