import { isIP } from "node:net";
import { isWithin, type Reach } from "../preflight/guarded-lookup.js";
import { discoveryUrl } from "../preflight/issuer-url.js";
import { openTunnel, proxyFor } from "../preflight/proxy.js";
import { withTimeout } from "../runtime/abort.js";
import { bareHostname } from "../runtime/bare-hostname.js";
import type { IssuerFacts } from "./facts.js";
import { connectToEach, openSocket, type Resolved, resolveName } from "./probe-address.js";
import { type OpenConnection, probeTls } from "./probe-tls.js";
import { type Run, round } from "./run.js";

/** The limit of each part (name, connection, handshake), in milliseconds. */
const PART_LIMIT_MS = 5_000;

/** The facts that the network alone shows. */
export type IssuerNetwork = Pick<
  IssuerFacts,
  "host" | "port" | "proxy" | "dnsMs" | "dnsError" | "addresses" | "tls"
>;

/** Resolves an issuer's name, connects to its addresses and measures its TLS, whatever it publishes. */
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
  let known: IssuerNetwork = { ...place, addresses: [] };
  const step = {
    step: "issuer-network",
    label: "checking the network path to the issuer",
    limitMs: 3 * PART_LIMIT_MS,
    // What is known by then is returned.
    late: () => known,
  } as const;
  return await run.step<IssuerNetwork>(step, async (signal) => {
    // A proxy resolves names itself, and may be the only one that can.
    const resolved = proxy ? { addresses: [] } : await resolveIssuer(run, host, signal);
    known = { ...place, ...resolved };
    const isRefused = resolved.addresses.some(({ address }) => !isWithin(reach, address));
    if (isRefused) return known;
    const limits = { port, limitMs: PART_LIMIT_MS, signal };
    const addresses = await connectToEach(run, resolved.addresses, limits);
    known = { ...known, addresses };
    if (url.protocol !== "https:") return known;
    const reached = addresses.find(({ connectMs }) => connectMs !== undefined)?.address;
    if (reached === undefined && proxy === undefined) return known;
    const open: OpenConnection = async () => {
      if (proxy !== undefined) {
        const { clock, resolve } = run.runtime;
        const reason = new Error("no tunnel");
        const limit = { clock, signal, timeoutMs: PART_LIMIT_MS, reason };
        return await withTimeout(limit, (limited) =>
          openTunnel(proxy, url, { signal: limited, resolve }),
        ).catch(() => undefined);
      }
      const opened = await openSocket(run, reached ?? host, limits);
      return "socket" in opened ? opened.socket : undefined;
    };
    const startMs = run.elapsedMs();
    const tls = await probeTls(run, { open, host, limitMs: PART_LIMIT_MS, signal });
    run.timings.push({
      step: "issuer-network",
      party: "issuer",
      label: `TLS of ${host}`,
      url: url.origin,
      startMs,
      totalMs: round(run.elapsedMs() - startMs),
      error: tls.error,
    });
    return { ...known, tls };
  });
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
