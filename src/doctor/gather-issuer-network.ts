import { isIP } from "node:net";
import { discoveryUrl } from "../preflight/issuer-url.js";
import { openTunnel, proxyFor } from "../preflight/proxy.js";
import { isWithin, type Reach } from "../preflight/reach.js";
import { withTimeout } from "../runtime/abort.js";
import { bareHostname } from "../runtime/bare-hostname.js";
import type { IssuerFacts, TlsFacts } from "./facts.js";
import { connectToEach, openSocket, type Resolved, resolveName } from "./probe-address.js";
import { type OpenConnection, probeTls } from "./probe-tls.js";
import { type Run, round } from "./run.js";

/** One part of the way (name, connection, handshake), in milliseconds. */
const PART_LIMIT_MS = 5_000;

/** What the network says of the way to an issuer. */
export type IssuerNetwork = Pick<
  IssuerFacts,
  "host" | "port" | "proxy" | "dnsMs" | "dnsError" | "addresses" | "tls"
>;

/** Name, addresses, connections and TLS of an issuer, whatever it publishes. */
export async function gatherIssuerNetwork(
  run: Run,
  issuer: string,
  reach: Reach,
): Promise<IssuerNetwork> {
  const url = discoveryUrl(issuer);
  if (url === undefined) return { addresses: [] };
  const { env } = run.runtime;
  const host = bareHostname(url);
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const proxy = proxyFor(url, env);
  const place = { host, port, ...(proxy && { proxy: `${proxy.protocol}//${proxy.host}` }) };
  const label = "looking at the way to the issuer";
  let known: IssuerNetwork = { ...place, addresses: [] };
  const limitMs = 3 * PART_LIMIT_MS;
  const whole = await run.step("issuer-network", label, limitMs, undefined, async (signal) => {
    // A proxy resolves for itself, and may be the only one that can.
    const resolved = proxy ? { addresses: [] } : await resolveIssuer(run, host, signal);
    known = { ...place, ...resolved };
    const isRefused = resolved.addresses.some(({ address }) => !isWithin(reach, address));
    if (isRefused) return known;
    const addresses = await connectToEach(run, resolved.addresses, port, PART_LIMIT_MS, signal);
    known = { ...known, addresses };
    if (url.protocol !== "https:") return known;
    const reached = addresses.find(({ connectMs }) => connectMs !== undefined)?.address;
    if (reached === undefined && proxy === undefined) return known;
    const open: OpenConnection = async () => {
      if (proxy !== undefined) return await openTunnelInTime(run, proxy, url, signal);
      const opened = await openSocket(run, reached ?? host, port, PART_LIMIT_MS, signal);
      return "socket" in opened ? opened.socket : undefined;
    };
    return { ...known, tls: await measuredTls(run, open, host, url, signal) };
  });
  return whole ?? known;
}

async function openTunnelInTime(run: Run, proxy: URL, url: URL, signal: AbortSignal) {
  const { clock } = run.runtime;
  const reason = new Error("no tunnel");
  const limits = { clock, signal, timeoutMs: PART_LIMIT_MS, reason };
  return await withTimeout(limits, (limited) =>
    openTunnel(proxy, url, { signal: limited, resolve: run.runtime.resolve }),
  ).catch(() => undefined);
}

async function resolveIssuer(
  run: Run,
  host: string,
  signal: AbortSignal,
): Promise<Partial<Resolved> & Pick<Resolved, "addresses">> {
  const startMs = run.elapsedMs();
  const resolved = await resolveName(run, host, {
    limitMs: PART_LIMIT_MS,
    signal,
    resolve: run.runtime.resolve,
  });
  if (isIP(host) !== 0) return { addresses: resolved.addresses };
  const { dnsMs, dnsError: error } = resolved;
  const what = { step: "issuer-network", party: "issuer", label: `DNS of ${host}` } as const;
  run.timings.push({ ...what, startMs, totalMs: dnsMs, dnsMs, error });
  return resolved;
}

async function measuredTls(
  run: Run,
  open: OpenConnection,
  host: string,
  url: URL,
  signal: AbortSignal,
): Promise<TlsFacts> {
  const startMs = run.elapsedMs();
  const tls = await probeTls(run, open, { host, limitMs: PART_LIMIT_MS, signal });
  run.timings.push({
    step: "issuer-network",
    party: "issuer",
    label: `TLS of ${host}`,
    url: url.origin,
    startMs,
    totalMs: round(run.elapsedMs() - startMs),
    error: tls.error,
  });
  return tls;
}
