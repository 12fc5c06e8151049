// Measures one host from this machine: its name, its addresses, and its TLS versions and certificates.

import { X509Certificate } from "node:crypto";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { Duplex } from "node:stream";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect as connectTls,
  type TLSSocket,
} from "node:tls";
import { isPublicAddress, type ResolveHost } from "../preflight/guarded-lookup.js";
import { withTimeout } from "../runtime/abort.js";
import { safeText } from "../runtime/redact.js";
import { errorCode } from "../runtime/system-errors.js";
import { roundMs } from "../runtime/time-text.js";
import type { AddressFacts, CertificateFacts, TlsFacts } from "./diagnosis.js";
import type { Run } from "./run.js";

/** How many addresses of a name are tried: more show nothing new. */
const MAX_ADDRESSES = 4;

export interface Resolved {
  readonly dnsMs: number;
  /** Such as `ENOTFOUND` or `timeout`. */
  readonly dnsError?: string | undefined;
  readonly addresses: readonly AddressFacts[];
}

interface ResolveOptions {
  readonly resolve: ResolveHost;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Resolves a name; an address resolves to itself. Rejects only with the signal's reason. */
export async function resolveName(
  run: Run,
  host: string,
  { resolve, limitMs, signal }: ResolveOptions,
): Promise<Resolved> {
  const { clock } = run.runtime;
  const startMs = run.elapsedMs();
  const late = Object.assign(new Error("no response"), { code: "timeout" });
  try {
    const found = await withTimeout(
      { clock, signal, timeoutMs: limitMs, reason: late },
      (limited) => resolve(host, { signal: limited }),
    );
    const addresses = found.map(({ address, family }) => ({
      address,
      family: family === 6 ? (6 as const) : (4 as const),
      isPublic: isPublicAddress(address),
    }));
    return { dnsMs: roundMs(run.elapsedMs() - startMs), addresses };
  } catch (error) {
    signal.throwIfAborted();
    return { dnsMs: roundMs(run.elapsedMs() - startMs), dnsError: codeOf(error), addresses: [] };
  }
}

interface ConnectOptions {
  readonly port: number;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Connects to each address in parallel, and closes each connection immediately. */
export async function connectToEach(
  run: Run,
  addresses: readonly AddressFacts[],
  options: ConnectOptions,
): Promise<AddressFacts[]> {
  const tried = addresses.slice(0, MAX_ADDRESSES).map(async (each): Promise<AddressFacts> => {
    const startMs = run.elapsedMs();
    const opened = await openSocket(run, each.address, options);
    if (!("socket" in opened)) return { ...each, error: opened.error };
    opened.socket.destroy();
    return { ...each, connectMs: roundMs(run.elapsedMs() - startMs) };
  });
  return [...(await Promise.all(tried)), ...addresses.slice(MAX_ADDRESSES)];
}

/** Opens a TCP connection, or returns the code of the error. */
export async function openSocket(
  run: Run,
  host: string,
  { port, limitMs, signal }: ConnectOptions,
): Promise<{ readonly socket: Socket } | { readonly error: string }> {
  const socket = connectTcp({ host, port });
  const late = Object.assign(new Error("no connection"), { code: "timeout" });
  try {
    await withTimeout(
      { clock: run.runtime.clock, signal, timeoutMs: limitMs, reason: late },
      () =>
        new Promise<void>((resolve, reject) => {
          socket.once("connect", resolve);
          socket.once("error", reject);
        }),
    );
    return { socket };
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    signal.throwIfAborted();
    return { error: codeOf(error) };
  }
}

function codeOf(error: unknown): string {
  return safeText(errorCode(error) ?? "UNKNOWN", 60);
}

/** Opens one more connection to the host under test, or returns `undefined`. */
export type OpenConnection = () => Promise<Socket | undefined>;

const NO_CONNECTION = "no connection";

interface Handshake {
  readonly protocol?: string | undefined;
  readonly isTrusted: boolean;
  readonly error?: string | undefined;
  readonly hostMatches?: boolean | undefined;
  readonly chain: readonly CertificateFacts[];
  /** Whether the handshake was completed, trusted or not. */
  readonly isDone: boolean;
}

interface ProbeOptions {
  readonly open: OpenConnection;
  readonly host: string;
  /** The limit of one handshake, in milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Measures the TLS of a host: one handshake with all versions, and one with each version, to see which
 * ones the host offers. The chain is read from the TLS 1.2 handshake, which sends it in clear text and so
 * shows the order of the host.
 */
export async function probeTls(run: Run, options: ProbeOptions): Promise<TlsFacts> {
  const [usual, only12, only13] = await Promise.all([
    shakeHands(run, options, {}),
    shakeHands(run, options, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
    shakeHands(run, options, { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" }),
  ]);
  const isOld = !usual.isDone && !only12.isDone && !only13.isDone && usual.error !== NO_CONNECTION;
  const only11 = isOld ? await shakeHands(run, options, TLS11) : undefined;
  const seen = usual.isDone ? usual : (only11 ?? usual);
  const chain = only12.chain.length > 0 ? only12.chain : seen.chain;
  return {
    protocol: seen.protocol,
    offers: { tls11: only11?.isDone, tls12: only12.isDone, tls13: only13.isDone },
    isTrusted: usual.isTrusted,
    error: usual.error,
    hostMatches: seen.hostMatches,
    ...(only12.chain.length > 0 && { isInOrder: isInOrder(chain) }),
    chain,
  };
}

/** OpenSSL 3 offers these versions only at security level 0. */
const TLS11: ConnectionOptions = {
  minVersion: "TLSv1",
  maxVersion: "TLSv1.1",
  ciphers: "ALL:@SECLEVEL=0",
};

async function shakeHands(
  run: Run,
  { open, host, limitMs, signal }: ProbeOptions,
  versions: ConnectionOptions,
): Promise<Handshake> {
  const { clock, ca } = run.runtime;
  const failed = (error: string): Handshake => ({
    isTrusted: false,
    error,
    chain: [],
    isDone: false,
  });
  const connection = await open();
  if (connection === undefined) return failed(NO_CONNECTION);
  const isPlain = versions.maxVersion === "TLSv1.2";
  const { socket, received } = isPlain ? tapped(connection) : { socket: connection, received: [] };
  const name = isIP(host) === 0 ? { servername: host } : { host };
  const tls = connectTls({
    socket,
    ...name,
    ...versions,
    ...(ca !== undefined && { ca }),
    // Untrusted certificates are measured too; nothing is sent over this connection.
    rejectUnauthorized: false,
  });
  const reason = Object.assign(new Error("no handshake"), { code: "timeout" });
  try {
    await withTimeout({ clock, signal, timeoutMs: limitMs, reason }, () => secured(tls));
    const own = tls.getPeerX509Certificate();
    const mismatch = own && checkServerIdentity(host, own.toLegacyObject());
    const served = readChain(Buffer.concat(received));
    return {
      protocol: tls.getProtocol() ?? undefined,
      isTrusted: tls.authorized && mismatch === undefined,
      error: tls.authorized ? mismatch && codeOf(mismatch) : authorizationCode(tls),
      hostMatches: own && mismatch === undefined,
      chain: served.length > 0 ? served : own ? [factsOf(own)] : [],
      isDone: true,
    };
  } catch (error) {
    signal.throwIfAborted();
    return failed(codeOf(error));
  } finally {
    tls.on("error", () => {});
    tls.destroy();
    connection.destroy();
  }
}

function secured(tls: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    tls.once("secureConnect", resolve);
    tls.once("error", reject);
    tls.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
  });
}

/** Node's types declare an `Error`, but the value is a string such as `CERT_HAS_EXPIRED`. */
function authorizationCode(tls: TLSSocket): string {
  const error: unknown = tls.authorizationError;
  return typeof error === "string" ? error : codeOf(error);
}

/** Whether each certificate is followed by that of its issuer. */
function isInOrder(chain: readonly CertificateFacts[]): boolean {
  return chain.every(({ issuer }, index) => {
    const next = chain[index + 1];
    return next === undefined || next.subject === issuer;
  });
}

/** Longer than any chain of certificates, in bytes. */
const MAX_KEPT_BYTES = 128 * 1024;

/** Wraps a connection and keeps the first bytes that arrive: the handshake. */
function tapped(connection: Socket): {
  readonly socket: Duplex;
  readonly received: Buffer[];
} {
  const received: Buffer[] = [];
  let length = 0;
  const socket = new Duplex({
    read() {
      connection.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      connection.write(chunk, (error) => done(error));
    },
    final(done) {
      connection.end(done);
    },
    destroy(error, done) {
      connection.destroy();
      done(error);
    },
  });
  connection.on("data", (chunk: Buffer) => {
    if (length < MAX_KEPT_BYTES) received.push(chunk);
    length += chunk.length;
    if (!socket.push(chunk)) connection.pause();
  });
  connection.on("end", () => socket.push(null));
  connection.on("error", (error) => socket.destroy(error));
  return { socket, received };
}

/** RFC 5246, section 6.2.1 and 7.4: record and message types. */
const HANDSHAKE_RECORD = 22;
const CERTIFICATE_MESSAGE = 11;

/** Reads the certificates from the server's side of a TLS 1.2 handshake, in the order in which they were sent. */
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

/** The contents of the handshake records, up to the first record of another type. */
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

/** RFC 5246, section 7.4.2: a list of certificates, each preceded by its length. */
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

function factsOf(certificate: X509Certificate): CertificateFacts {
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
