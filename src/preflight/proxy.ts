import { BlockList, isIP, type Socket } from "node:net";
import { onAbort } from "../runtime/abort.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { bareHostname, isLoopbackUrl } from "../runtime/url-host.js";
import { guardedLookup, type ResolveHost } from "./guarded-lookup.js";

/**
 * The proxy for an https URL, from the variables that curl reads: `https_proxy`, `all_proxy` and
 * `no_proxy`, each in lower case or, where that is unset or empty, in upper case. Loopback URLs never
 * use a proxy. The proxy may be one that {@link openTunnel} refuses.
 */
export function proxyFor(url: URL, env: Environment): URL | undefined {
  if (url.protocol !== "https:" || isLoopbackUrl(url)) return undefined;
  const configured = either(env, "https_proxy") ?? either(env, "all_proxy");
  if (configured === undefined || isExempt(url, either(env, "no_proxy") ?? "")) return undefined;
  const text = configured.includes("://") ? configured : `http://${configured}`;
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** Whether {@link openTunnel} supports the proxy. It does not support SOCKS. */
export function isHttpProxy({ protocol }: URL): boolean {
  return protocol === "http:" || protocol === "https:";
}

/**
 * Whether `no_proxy` exempts the host, by curl's rules: `*` matches every host, a name (with or without a
 * leading dot) matches itself and its subdomains, an address matches itself, and `10.0.0.0/8` matches a
 * range. As in Go and Node, an entry may have a port, and `*.example.com` matches only the subdomains.
 * Names are not resolved, so a range applies only to a URL with an address.
 */
function isExempt(url: URL, noProxy: string): boolean {
  const port = url.port === "" ? "443" : url.port;
  const host = bareHostname(url).replace(/\.$/, "");
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .some((entry) => {
      const { name, port: only = port } = withoutPort(entry);
      if (name === "" || only !== port) return false;
      return isIP(host) === 0 ? isNamed(host, name) : isInRange(host, name);
    });
}

/** A colon separates a port only from a name, an IPv4 address, or an address in brackets. */
function withoutPort(entry: string): { readonly name: string; readonly port?: string | undefined } {
  const [, bracketed, plain = "", port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return port === undefined && bracketed === undefined && plain === ""
    ? { name: entry }
    : { name: bracketed ?? plain, port };
}

function isNamed(host: string, name: string): boolean {
  if (name === "*") return true;
  const domain = name.replace(/^[.*]/, "").replace(/\.$/, "");
  if (domain === "") return false;
  if (name.startsWith("*")) return host.endsWith(domain);
  return host === domain || host.endsWith(`.${domain}`);
}

function isInRange(address: string, entry: string): boolean {
  if (entry === "*") return true;
  const [network = "", bits] = entry.split("/");
  const version = isIP(network);
  const prefix = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  const longest = version === 4 ? 32 : 128;
  if (version === 0 || bits === "" || !Number.isInteger(prefix) || prefix > longest || prefix < 0) {
    return false;
  }
  const range = new BlockList();
  range.addSubnet(network, prefix, version === 4 ? "ipv4" : "ipv6");
  return range.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}

function either(env: Environment, name: string): string | undefined {
  return readVariable(env, name) ?? readVariable(env, name.toUpperCase());
}

/** The code of the error for a proxy that is not an HTTP proxy. */
export const PROXY_UNSUPPORTED = "PROXY_UNSUPPORTED";

class ProxyUnsupported extends Error {
  readonly code = PROXY_UNSUPPORTED;

  constructor({ protocol }: URL) {
    super(`The proxy's URL starts with ${protocol}//; only http:// and https:// are supported`);
  }
}

/** The proxy responded to CONNECT with another status than 200. */
class TunnelRefused extends Error {
  readonly code: string;

  constructor(status: number | undefined) {
    super(`The proxy responded to CONNECT with ${status}`);
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
  if (!isHttpProxy(proxy)) throw new ProxyUnsupported(proxy);
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
