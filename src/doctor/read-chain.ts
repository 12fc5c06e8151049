import { X509Certificate } from "node:crypto";
import { safeText } from "../runtime/redact.js";
import type { CertificateFacts } from "./facts.js";

/** RFC 5246, section 6.2.1 and 7.4: record and message types. */
const HANDSHAKE_RECORD = 22;
const CERTIFICATE_MESSAGE = 11;

/** The certificates of a server's half of a TLS 1.2 handshake, in the order they were sent. */
export function readChain(stream: Buffer): CertificateFacts[] {
  const messages = handshakeOf(stream);
  let at = 0;
  while (at + 4 <= messages.length) {
    const length = messages.readUIntBE(at + 1, 3);
    const body = messages.subarray(at + 4, at + 4 + length);
    if (messages[at] === CERTIFICATE_MESSAGE) return certificatesOf(body);
    at += 4 + length;
  }
  return [];
}

/** The handshake records' contents, up to the first record of another type. */
function handshakeOf(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 5 <= stream.length && stream[at] === HANDSHAKE_RECORD) {
    const length = stream.readUInt16BE(at + 3);
    parts.push(stream.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return Buffer.concat(parts);
}

/** RFC 5246, section 7.4.2: a list of certificates, each after its length. */
function certificatesOf(body: Buffer): CertificateFacts[] {
  const found: CertificateFacts[] = [];
  let at = 3;
  while (at + 3 <= body.length) {
    const length = body.readUIntBE(at, 3);
    const certificate = parse(body.subarray(at + 3, at + 3 + length));
    if (certificate === undefined) return found;
    found.push(certificate);
    at += 3 + length;
  }
  return found;
}

function parse(der: Buffer): CertificateFacts | undefined {
  try {
    return factsOf(new X509Certificate(der));
  } catch {
    return undefined;
  }
}

/** What is told of a certificate. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  const { subject, issuer, subjectAltName, fingerprint } = certificate;
  const oneLine = (name: string) => safeText(name.split("\n").join(", "), 200);
  const names = (subjectAltName ?? "").split(", ").filter((name) => name !== "");
  return {
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    validFrom: new Date(certificate.validFrom).toISOString(),
    validTo: new Date(certificate.validTo).toISOString(),
    names: names.slice(0, 20).map((name) => safeText(name, 100)),
    isSelfSigned: certificate.checkIssued(certificate),
    thumbprint: fingerprint.replaceAll(":", "").toLowerCase(),
  };
}
