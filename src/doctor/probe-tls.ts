import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { withTimeout } from "../runtime/abort.js";
import type { CertificateFacts, TlsFacts } from "./facts.js";
import { codeOf } from "./probe-address.js";
import { factsOf, readChain } from "./read-chain.js";
import type { Run } from "./run.js";
import { tapped } from "./tapped-socket.js";

/** Opens one more connection to the host under test; `undefined` when none comes about. */
export type OpenConnection = () => Promise<Socket | undefined>;

const NO_CONNECTION = "no connection";

interface Handshake {
  readonly protocol?: string | undefined;
  readonly isTrusted: boolean;
  readonly error?: string | undefined;
  readonly hostMatches?: boolean | undefined;
  readonly chain: readonly CertificateFacts[];
  /** Whether there was a handshake to its end, trusted or not. */
  readonly isDone: boolean;
}

interface ProbeOptions {
  readonly host: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/**
 * What a host serves over TLS, as it is: handshakes with every version, and with one version each,
 * to see which it offers. The chain is read off the TLS 1.2 handshake, where it is sent in the
 * clear and so in the host's own order.
 */
export async function probeTls(
  run: Run,
  open: OpenConnection,
  options: ProbeOptions,
): Promise<TlsFacts> {
  const [usual, only12, only13] = await Promise.all([
    shakeHands(run, open, options, {}),
    shakeHands(run, open, options, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
    shakeHands(run, open, options, { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" }),
  ]);
  const isOld = !usual.isDone && !only12.isDone && !only13.isDone && usual.error !== NO_CONNECTION;
  const only11 = isOld ? await shakeHands(run, open, options, TLS11) : undefined;
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

/** OpenSSL 3 speaks these only below its first security level. */
const TLS11: ConnectionOptions = {
  minVersion: "TLSv1",
  maxVersion: "TLSv1.1",
  ciphers: "ALL:@SECLEVEL=0",
};

async function shakeHands(
  run: Run,
  open: OpenConnection,
  { host, limitMs, signal }: ProbeOptions,
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
  const tls = connect({
    socket,
    ...name,
    ...versions,
    ...(ca !== undefined && { ca }),
    // The look is at what is served, trusted or not; nothing is sent over this connection.
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

/** A string, whatever the types say: `CERT_HAS_EXPIRED`. */
function authorizationCode(tls: TLSSocket): string {
  const error: unknown = tls.authorizationError;
  return typeof error === "string" ? error : codeOf(error);
}

/** Whether each certificate is followed by its issuer's. */
function isInOrder(chain: readonly CertificateFacts[]): boolean {
  return chain.every(({ issuer }, index) => {
    const next = chain[index + 1];
    return next === undefined || next.subject === issuer;
  });
}
