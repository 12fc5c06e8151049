import { connect, type Socket } from "node:net";
import { isPublicAddress, type ResolveHost } from "../preflight/guarded-lookup.js";
import { withTimeout } from "../runtime/abort.js";
import { errorCode } from "../runtime/error-chain.js";
import { safeText } from "../runtime/redact.js";
import type { AddressFacts } from "./facts.js";
import { type Run, round } from "./run.js";

/** More addresses of one name show nothing new. */
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
  const late = Object.assign(new Error("no answer"), { code: "timeout" });
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
    return { dnsMs: round(run.elapsedMs() - startMs), addresses };
  } catch (error) {
    signal.throwIfAborted();
    return { dnsMs: round(run.elapsedMs() - startMs), dnsError: codeOf(error), addresses: [] };
  }
}

interface ConnectOptions {
  readonly port: number;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Connects to each address in parallel, and closes each connection at once. */
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
    return { ...each, connectMs: round(run.elapsedMs() - startMs) };
  });
  return [...(await Promise.all(tried)), ...addresses.slice(MAX_ADDRESSES)];
}

/** Opens a TCP connection, or returns the code of the error. */
export async function openSocket(
  run: Run,
  host: string,
  { port, limitMs, signal }: ConnectOptions,
): Promise<{ readonly socket: Socket } | { readonly error: string }> {
  const socket = connect({ host, port });
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

export function codeOf(error: unknown): string {
  return safeText(errorCode(error) ?? "UNKNOWN", 60);
}
