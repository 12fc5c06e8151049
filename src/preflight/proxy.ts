import type { Socket } from "node:net";
import { bareHostname } from "../runtime/bare-hostname.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { isLoopbackUrl } from "../runtime/loopback.js";
import { onAbort } from "../runtime/on-abort.js";
import { guardedLookup, type ResolveHost } from "./guarded-lookup.js";

/**
 * The proxy for an https URL, from the variables that curl and Node packages read: `https_proxy`,
 * `all_proxy` and `no_proxy`, in lower or upper case. Loopback URLs never use a proxy.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  if (url.protocol !== "https:" || isLoopbackUrl(url)) return undefined;
  const configured = either(env, "https_proxy") ?? either(env, "all_proxy");
  if (configured === undefined || isExempt(url, either(env, "no_proxy") ?? "")) return undefined;
  const text = configured.includes("://") ? configured : `http://${configured}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  return proxy?.protocol === "http:" || proxy?.protocol === "https:" ? proxy : undefined;
}

/** As `proxy-from-env` and Node's own `NODE_USE_ENV_PROXY` do: exact names, `.suffix`, `*.suffix`, `*`. */
function isExempt(url: URL, noProxy: string): boolean {
  const port = url.port === "" ? "443" : url.port;
  const host = url.hostname.replace(/\.$/, "");
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [, name = entry, only] = /^(.+):(\d+)$/.exec(entry) ?? [];
      if (only !== undefined && only !== port) return false;
      const suffix = name.replace(/^\*/, "");
      return /^[.*]/.test(name) ? host.endsWith(suffix) : host === name;
    });
}

function either(env: Environment, name: string): string | undefined {
  return readVariable(env, name) ?? readVariable(env, name.toUpperCase());
}

/** The proxy answered CONNECT with another status than 200. */
class TunnelRefused extends Error {
  readonly code: string;

  constructor(status: number | undefined) {
    super(`The proxy answered CONNECT with ${status}`);
    this.code = `PROXY_STATUS_${status}`;
  }
}

interface TunnelOptions {
  readonly signal: AbortSignal;
  /** Resolves the proxy's name, which may be at any address. */
  readonly resolve: ResolveHost;
}

/**
 * Opens a connection to the host of `target` through an HTTP proxy (CONNECT; RFC 9110, section
 * 9.3.6). The connection does not keep the process alive.
 */
export async function openTunnel(
  proxy: URL,
  target: URL,
  { signal, resolve: resolveHost }: TunnelOptions,
): Promise<Socket> {
  const { request: open } =
    proxy.protocol === "https:" ? await import("node:https") : await import("node:http");
  signal.throwIfAborted();
  const authority = `${target.hostname}:${target.port === "" ? 443 : target.port}`;
  const credentials = `${decoded(proxy.username)}:${decoded(proxy.password)}`;
  const headers = {
    host: authority,
    ...(credentials !== ":" && {
      "proxy-authorization": `Basic ${Buffer.from(credentials).toString("base64")}`,
    }),
  };
  const place = {
    host: bareHostname(proxy),
    port: proxy.port === "" ? (proxy.protocol === "https:" ? 443 : 80) : Number(proxy.port),
  };
  return await new Promise((resolve, reject) => {
    const lookup = guardedLookup(resolveHost, () => true, { signal });
    const connect = { method: "CONNECT", path: authority, headers, agent: false, lookup };
    const request = open({ ...place, ...connect });
    const done = onAbort(signal, () => request.destroy(signal.reason));
    request.on("socket", (socket) => socket.unref());
    request.on("connect", ({ statusCode }, socket) => {
      done();
      if (statusCode === 200) {
        resolve(socket as Socket);
      } else {
        socket.destroy();
        reject(new TunnelRefused(statusCode));
      }
    });
    request.on("error", (error) => {
      done();
      reject(error);
    });
    request.end();
  });
}

/** Decodes percent-encoded text, and returns other text unchanged: a password may contain a `%`. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
