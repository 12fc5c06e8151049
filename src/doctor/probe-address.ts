import { connect, type Socket } from "node:net";
import { isPublicAddress, type ResolveHost } from "../preflight/guarded-lookup.js";
import { withTimeout } from "../runtime/abort.js";
import { errorCode } from "../runtime/error-chain.js";
import { safeText } from "../runtime/redact.js";
import type { AddressFacts } from "./facts.js";
import { type Run, round } from "./run.js";

/** More addresses than this of one name say nothing new. */
const MAX_ADDRESSES = 4;

export interface Resolved {
  readonly dnsMs: number;
  /** Such as `ENOTFOUND` or `timeout`. */
  readonly dnsError?: string | undefined;
  readonly addresses: readonly AddressFacts[];
}

interface ResolveOptions {
  readonly limitMs: number;
  readonly signal: AbortSignal;
  readonly resolve: ResolveHost;
}

/** Resolves a name (an address is its own) within `limitMs`. Rejects only with the signal's reason. */
export async function resolveName(
  run: Run,
  host: string,
  { limitMs, signal, resolve }: ResolveOptions,
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

/** Connects to each address, side by side, and hangs up at once. */
export async function connectToEach(
  run: Run,
  addresses: readonly AddressFacts[],
  port: number,
  limitMs: number,
  signal: AbortSignal,
): Promise<AddressFacts[]> {
  const tried = addresses.slice(0, MAX_ADDRESSES).map(async (each): Promise<AddressFacts> => {
    const startMs = run.elapsedMs();
    const opened = await openSocket(run, each.address, port, limitMs, signal);
    if (!("socket" in opened)) return { ...each, error: opened.error };
    opened.socket.destroy();
    return { ...each, connectMs: round(run.elapsedMs() - startMs) };
  });
  return [...(await Promise.all(tried)), ...addresses.slice(MAX_ADDRESSES)];
}

/** A TCP connection, or the code of why there is none. */
export async function openSocket(
  run: Run,
  host: string,
  port: number,
  limitMs: number,
  signal: AbortSignal,
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
