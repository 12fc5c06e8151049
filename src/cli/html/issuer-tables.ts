import type { IssuerFacts, TlsFacts } from "../../doctor/facts.js";
import type { KeyRow, RequestTiming } from "../../issuer-report.js";
import { escapeHtml } from "./escape-html.js";

/** The keys as STS sees them. */
export function keyTable(keys: readonly KeyRow[]): string {
  const hasOwn = keys.some(({ matchesToken }) => matchesToken);
  const rows = keys.map((key) => {
    const own = key.matchesToken ? ' <span class="note">(the token’s key)</span>' : "";
    const size = key.bits === undefined ? (key.crv ?? "–") : `${key.bits} bits`;
    const state = key.usable
      ? '<span class="good">✓ usable</span>'
      : `<span class="bad">✗ ${escapeHtml(key.problem ?? "unusable")}</span>`;
    const cells = [[key.kty, key.alg].filter(Boolean).join(" ") || "–", size, key.use ?? "–"];
    return `<tr${key.matchesToken ? ' class="own"' : ""}><th scope="row"><span class="mono">${escapeHtml(
      key.kid ?? "(none)",
    )}</span>${own}</th>${cells.map((cell) => `<td class="short">${escapeHtml(cell)}</td>`).join("")}<td>${state}</td></tr>`;
  });
  const caption = `${keys.length} ${keys.length === 1 ? "key" : "keys"} in the JWKS${hasOwn ? "; the token’s key is marked" : "; none of them is marked as the token’s"}.`;
  return table(caption, ["kid", "kty, alg", "Size", "use", "For STS"], rows);
}

const SHOWN_FIRST = ["cache-control", "pragma", "age", "expires", "date", "retry-after"];

/** What the answers say about being kept. */
export function cacheTable(requests: readonly RequestTiming[]): string {
  const rows = requests.flatMap(({ document, status, headers }) => {
    const names = Object.keys(headers).toSorted((a, b) => rankOf(a) - rankOf(b));
    const what = `${document === "jwks" ? "JWKS" : "Discovery"}${status === undefined ? "" : `, ${status}`}`;
    const header = (name: string) => {
      const value = headers[name] ?? "";
      const isBad = /no-cache|no-store/i.test(value) && /^(?:cache-control|pragma)$/.test(name);
      return `<code>${escapeHtml(name)}: <span${isBad ? ' class="bad"' : ""}>${escapeHtml(value)}</span></code>`;
    };
    const shown =
      names.length > 0 ? names.map(header).join("<br>") : '<span class="quiet">none</span>';
    return [
      `<tr><th scope="row">${escapeHtml(what)}</th><td>${shown}</td><td>${escapeHtml(status === undefined ? "no answer" : keptFor(headers))}</td></tr>`,
    ];
  });
  const caption = "How long STS may keep a document is up to the answer’s headers.";
  return table(caption, ["Document", "Headers", "May be kept"], rows);
}

function rankOf(name: string): number {
  const rank = SHOWN_FIRST.indexOf(name);
  return rank === -1 ? SHOWN_FIRST.length : rank;
}

/** In words, the freshness of an answer (RFC 9111, section 4.2). */
function keptFor(headers: Readonly<Record<string, string>>): string {
  const control = headers["cache-control"] ?? "";
  if (/no-store|no-cache/i.test(`${control} ${headers.pragma ?? ""}`))
    return "no: asked for every time";
  const [, maxAge] = /\bmax-age\s*=\s*"?(\d+)/i.exec(control) ?? [];
  if (maxAge === undefined) return headers.expires === undefined ? "not said" : "until it expires";
  const age = Number(headers.age ?? 0) || 0;
  const left = Math.max(0, Number(maxAge) - age);
  return age > 0 ? `${maxAge} s, of which ${left} s are left` : `${maxAge} s`;
}

/** The chain as the issuer serves it. */
export function chainTable({ chain }: TlsFacts): string {
  const rows = chain.map(
    (one) =>
      `<tr><th scope="row">${escapeHtml(one.subject)}</th><td>${escapeHtml(one.issuer)}</td><td>${escapeHtml(
        one.validTo.slice(0, 10),
      )}</td><td class="mono">${escapeHtml(one.thumbprint)}</td></tr>`,
  );
  return table(
    "The issuer’s own first.",
    ["Certificate", "Signed by", "Until", "Thumbprint"],
    rows,
  );
}

/** The addresses of the issuer's name. */
export function addressTable({ addresses }: IssuerFacts): string {
  const rows = addresses.map(
    ({ address, isPublic, connectMs, error }) =>
      `<tr><th scope="row" class="mono">${escapeHtml(address)}</th><td>${isPublic ? "public" : "private"}</td><td>${escapeHtml(
        error ??
          (connectMs === undefined ? "not tried" : `connects in ${Math.round(connectMs)} ms`),
      )}</td></tr>`,
  );
  return table("What the issuer’s name resolves to here.", ["Address", "Kind", "From here"], rows);
}

export function table(caption: string, heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((one) => `<th scope="col">${escapeHtml(one)}</th>`).join("");
  return `<div class="table" role="region" tabindex="0" aria-label="${escapeHtml(heads[0] ?? "")} table"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table></div>`;
}
