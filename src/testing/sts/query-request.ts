import type { IncomingMessage } from "node:http";
import { type SentToken, sentToken } from "./web-identity-token.js";

/** Far above the limits of STS: a token that is too long must still get the answer of STS. */
const MAX_BODY_BYTES = 1_048_576;

/** A request of the AWS query protocol. */
export interface QueryRequest {
  readonly path: string;
  /** The form fields, and those of the URL for a GET. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Reads a request to its end. Resolves to `undefined` when the body exceeds the limit. */
export async function readQueryRequest(
  request: IncomingMessage,
): Promise<QueryRequest | undefined> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (size > MAX_BODY_BYTES) return undefined;
  const body = new URLSearchParams(Buffer.concat(chunks).toString());
  const headers = Object.entries(request.headers).map(([name, value]) => {
    return [name, Array.isArray(value) ? value.join(", ") : value] as const;
  });
  return {
    path: url.pathname,
    parameters: new Map([...url.searchParams, ...body]),
    headers: Object.fromEntries(headers),
  };
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

/** One request that STS received, without the token. */
export interface StsRequest {
  /** The `Action` parameter. */
  readonly action: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly host: string;
  /** The path of the URL. It lets one server act as several endpoints. */
  readonly path: string;
  /** The region that the request is signed for; none in an unsigned request. */
  readonly region: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly userAgent: string | undefined;
  /** All parameters but `WebIdentityToken` and those that sign a presigned URL. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly token: SentToken | undefined;
  /** The number of its connection, from 1 in the order of arrival. */
  readonly connection: number;
  /**
   * `"ok"`, the wire code of the error, the name of the transport fault, `"pending"` before the
   * answer, `"aborted"` when the client disconnected before the answer, or `"failed"` when a
   * function that the test passed has thrown.
   */
  readonly outcome: string;
  /** The session that STS granted. */
  readonly granted: GrantedSession | undefined;
}

/** What STS granted, without the secrets. */
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

/** A request in progress. */
export type OpenStsRequest = { -readonly [field in keyof StsRequest]: StsRequest[field] };

const SECRET = /^(WebIdentityToken|X-Amz-Security-Token|X-Amz-Signature)$/i;

/** The entry of a request in `LocalSts.requests`. */
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
    token: token === undefined ? undefined : sentToken(token),
    connection,
    outcome: "pending",
    granted: undefined,
  };
}
