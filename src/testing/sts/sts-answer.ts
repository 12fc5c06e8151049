import { randomUUID } from "node:crypto";
import { type Exchange, sendAnswer } from "../loopback-server.js";
import type { RoleArn } from "./assume-role-request.js";
import type { Session } from "./sessions.js";
import type { WebIdentity } from "./trust.js";
import type { SessionAttributes } from "./web-identity-token.js";
import type { WireError } from "./wire-error.js";

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
  sendAnswer(exchange, { httpStatus: 200, body: xml, headers: answerHeaders(RequestId, now) });
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
  const all = { ...answerHeaders(RequestId, now), ...headers };
  sendAnswer(exchange, { httpStatus, body: xml, headers: all });
}

function answerHeaders(requestId: string, now: number): Record<string, string> {
  return {
    "x-amzn-requestid": requestId,
    "content-type": "text/xml",
    date: new Date(now).toUTCString(),
  };
}

/** The outcome of an AssumeRoleWithWebIdentity call. */
export interface AssumeRoleAnswer extends SessionAttributes {
  readonly role: RoleArn;
  readonly identity: WebIdentity;
  readonly session: Session;
  /** Percent. */
  readonly packedSize: number;
}

/** A part of the answer that another implementation of STS may leave out. */
export type AnswerField =
  | "AssumedRoleUser"
  | "Audience"
  | "Credentials"
  | "Expiration"
  | "PackedPolicySize"
  | "Provider"
  | "SubjectFromWebIdentityToken";

/** The form of the answers. The default is the form of AWS; Ceph RGW, MinIO and others differ. */
export interface AnswerShape {
  /** @default none */
  readonly omit?: readonly AnswerField[] | undefined;
  /** The precision of `Expiration`. @default "seconds" */
  readonly expirationPrecision?: "seconds" | "milliseconds" | "nanoseconds" | undefined;
}

/** The content of the result element. */
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
