import { type Environment, readVariable } from "../runtime/environment.js";
import { isLoopbackUrl } from "../runtime/loopback.js";

/**
 * The proxy that stands between this process and an https URL, by the variables that curl and the
 * Node ecosystem read: `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case. This
 * machine itself is never reached through one.
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
