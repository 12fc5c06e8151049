import { isUncacheable } from "../../preflight/freshness.js";

/** How long an answer may be kept, by its own headers (RFC 9111, section 4.2). */
export type ToldFreshness =
  | { readonly kind: "refused"; readonly words: string }
  | { readonly kind: "unsaid" }
  | {
      readonly kind: "for";
      /** The header that says so. */
      readonly source: string;
      /** From when the issuer made it, in seconds. */
      readonly lifetimeSeconds: number;
      /** How old it was when it came, in seconds. */
      readonly ageSeconds: number;
    };

/** Read off the headers that a report has; nothing is bounded or assumed. */
export function toldFreshness(headers: Readonly<Record<string, string>>): ToldFreshness {
  const { pragma = "", age = "0", "cache-control": control = "" } = headers;
  if (isUncacheable({ "cache-control": control, pragma })) {
    const [words] = /\bno-(?:cache|store)\b/i.exec(`${control},${pragma}`) ?? ["no-cache"];
    return { kind: "refused", words: words.toLowerCase() };
  }
  const ageSeconds = /^\d{1,15}$/.test(age.trim()) ? Number(age) : 0;
  const maxAge = /(?:^|[\s,])max-age\s*=\s*"?(\d{1,15})/i.exec(control)?.[1];
  if (maxAge !== undefined) {
    const source = `max-age=${maxAge}`;
    return { kind: "for", source, lifetimeSeconds: Number(maxAge), ageSeconds };
  }
  const seconds = expiresInSeconds(headers);
  if (seconds === undefined) return { kind: "unsaid" };
  return { kind: "for", source: "Expires", lifetimeSeconds: Math.max(0, seconds), ageSeconds };
}

/**
 * An `Expires` that is no date, "0" and "-1" above all, means: already stale. Without a `Date` there
 * is nothing to compare a real one with.
 */
function expiresInSeconds({ expires, date }: Readonly<Record<string, string>>): number | undefined {
  if (expires === undefined) return undefined;
  // Every HTTP date begins with its day; Date.parse takes "0" for the year 2000.
  const until = /^[a-z]{3}/i.test(expires) ? Date.parse(expires) : Number.NaN;
  if (Number.isNaN(until)) return 0;
  const seconds = (until - Date.parse(date ?? "")) / 1000;
  return Number.isNaN(seconds) ? undefined : seconds;
}
