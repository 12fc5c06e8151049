import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { type Exchange, sendResponse } from "../loopback-server.js";
import { type SentToken, sentToken } from "./web-identity-token.js";
import type { WireError } from "./wire-error.js";

/*
 * The AWS query protocol: reads a request, records it without its token, and sends the response as XML.
 */

/** Far above the limits of STS: a token that is too long must still get the response of STS. */
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
  /** The `Host` header. */
  readonly host: string;
  /** The path of the URL. It lets one server act as several endpoints. */
  readonly path: string;
  /** The region that the request is signed for; none in an unsigned request. */
  readonly region: string | undefined;
  /** Access key ID of a signed request. */
  readonly accessKeyId: string | undefined;
  /** The `User-Agent` header. */
  readonly userAgent: string | undefined;
  /** All parameters but `WebIdentityToken` and those that sign a presigned URL. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Facts about the token that was sent, never the token. */
  readonly token: SentToken | undefined;
  /** The number of its connection, from 1 in the order of arrival. */
  readonly connection: number;
  /**
   * `"ok"`, the wire code of the error, the name of the transport fault, `"pending"` before the
   * response, `"aborted"` when the client disconnected before the response, or `"failed"` when a
   * function that the test passed has thrown.
   */
  readonly outcome: string;
  /** The session that STS granted. */
  readonly granted: GrantedSession | undefined;
}

/** The session that STS granted, without its secrets. */
export interface GrantedSession {
  /** Access key ID of the session. */
  readonly accessKeyId: string;
  /** The assumed-role ARN. */
  readonly arn: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Session tags from the token. */
  readonly tags: Readonly<Record<string, string>>;
  /** Keys of the tags that are passed on when roles are chained. */
  readonly transitiveTagKeys: readonly string[];
  /** Source identity from the token. */
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

const XMLNS = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

/** Sends the result of an action. */
export function sendResult(
  exchange: Exchange,
  now: number,
  { action, result }: { readonly action: string; readonly result: XmlContent },
): void {
  const RequestId = randomUUID();
  const body = { [`${action}Result`]: result, ResponseMetadata: { RequestId } };
  const xml = writeXml(`${action}Response`, body, XMLNS);
  sendResponse(exchange, { httpStatus: 200, body: xml, headers: responseHeaders(RequestId, now) });
}

/** Sends an error. */
export function sendError(
  exchange: Exchange,
  now: number,
  { code, message, httpStatus, headers }: WireError,
): void {
  const RequestId = randomUUID();
  const Type = httpStatus >= 500 ? "Receiver" : "Sender";
  const content = { Error: { Type, Code: code, Message: message }, RequestId };
  const xml = writeXml("ErrorResponse", content, XMLNS);
  const all = { ...responseHeaders(RequestId, now), ...headers };
  sendResponse(exchange, { httpStatus, body: xml, headers: all });
}

function responseHeaders(requestId: string, now: number): Record<string, string> {
  return {
    "x-amzn-requestid": requestId,
    "content-type": "text/xml",
    date: new Date(now).toUTCString(),
  };
}

/** The content of an element: text, or elements in order. A member that is `undefined` is left out. */
export type XmlContent = string | number | { readonly [element: string]: XmlContent | undefined };

/** Writes one element and its content. */
export function writeXml(name: string, content: XmlContent, attributes = ""): string {
  const inner =
    typeof content === "object"
      ? Object.entries(content)
          .map(([child, value]) => (value === undefined ? "" : writeXml(child, value)))
          .join("")
      : escapeXml(String(content));
  return `<${name}${attributes}>${inner}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  // An XML parser reads a bare carriage return as a line feed (XML 1.0, section 2.11).
  "\r": "&#xD;",
};

/** Escapes a string as XML text. A character that XML can't contain becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "\uFFFD")
    .replace(/[&<>"'\r]/g, (character) => ENTITIES[character] ?? character);
}
