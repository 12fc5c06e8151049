import type { FindingId } from "../model/findings.js";
import { STS_ISSUER_TIMEOUT_MS } from "../model/sts-limits.js";
import type { IssuerFacts } from "./facts.js";
import { quoteForPosix as quote } from "./shell-quote.js";

/** Seen from this network only: STS is in another one. */
export const FROM_HERE: readonly FindingId[] = [
  "issuer-private",
  "issuer-dns-failure",
  "issuer-connection-refused",
  "issuer-timeout",
  "issuer-tls-untrusted",
];

const FIGURES = quote("%{http_code} in %{time_total} s\\n");

/**
 * What to try from another network, a command a line. Everything in them is a stranger's: the
 * issuer comes from a token, the JWKS's URL from the issuer.
 */
export function tryElsewhere({ issuer, discoveryUrl }: IssuerFacts, url = discoveryUrl): string[] {
  const curl = `curl -gsS -m ${STS_ISSUER_TIMEOUT_MS / 1000} -o /dev/null -w ${FIGURES} --url`;
  return [
    ...(isWhole(url) ? [`${curl} ${quote(url)}`] : []),
    ...(isWhole(issuer) ? [`npx resilient-sts doctor --issuer ${quote(issuer)}`] : []),
  ];
}

/** A remedy with the commands that belong to it, as lines after the first. */
export function withCommands(remedy: string, commands: readonly string[]): string {
  const prose = `${remedy} Try from another network${commands.length > 0 ? ":" : "."}`;
  return [prose, ...commands].join("\n");
}

/** Facts are bounded and without tokens: what was cut is no address any more. */
function isWhole(text: string | undefined): text is string {
  return text !== undefined && !/…$|\[redacted\]/.test(text);
}
