import type { IssuerFacts, TlsFacts } from "../../doctor/diagnosis.js";
import type { KeyRow, RequestTiming } from "../../model/issuer-report.js";
import { isUncacheable, readFreshness } from "../../preflight/freshness.js";
import { kidOf } from "../doctor/report-words.js";

import { dataTable, joined, type Markup, markup, mono, NOTHING } from "./markup.js";

/** The keys as STS sees them. */
export function keyTable(keys: readonly KeyRow[]): Markup {
  const hasOwn = keys.some(({ matchesToken }) => matchesToken);
  const rows = keys.map((key) => {
    const own = key.matchesToken ? markup` <span class="note">(the token’s key)</span>` : NOTHING;
    return {
      isMarked: key.matchesToken,
      head: markup`${mono(kidOf(key))}${own}`,
      cells: [
        [key.kty, key.alg].filter(Boolean).join(" ") || "–",
        key.bits === undefined ? (key.crv ?? "–") : `${key.bits} bits`,
        key.use ?? "–",
        forSts(key),
      ],
    };
  });
  const caption = `${keys.length} ${keys.length === 1 ? "key" : "keys"} in the JWKS; ${hasOwn ? "the token’s key is marked" : "none of them is marked as the token’s"}.`;
  return dataTable(caption, ["kid", "kty, alg", "Size", "use", "For STS"], rows);
}

function forSts({ usable, severity, problem = "unusable" }: KeyRow): Markup {
  if (usable) return markup`<span class="good">✓ usable</span>`;
  return severity === "suspect"
    ? markup`? ${problem}`
    : markup`<span class="bad">✗ ${problem}</span>`;
}

const SHOWN_FIRST = ["cache-control", "pragma", "age", "expires", "date", "retry-after"];

/** What the answers say about being kept. */
export function cacheTable(requests: readonly RequestTiming[]): Markup {
  const rows = requests.map(({ document, status, headers }) => {
    const names = Object.keys(headers).toSorted((a, b) => rankOf(a) - rankOf(b));
    const lines = names.map((name) => headerLine(name, headers[name] ?? ""));
    return {
      head: `${document === "jwks" ? "JWKS" : "Discovery"}${status === undefined ? "" : `, ${status}`}`,
      cells: [
        lines.length > 0
          ? markup`${joined(lines, markup`<br>`)}`
          : markup`<span class="quiet">none</span>`,
        status === undefined ? "no answer" : keptFor(headers),
      ],
    };
  });
  return dataTable("What the answers said.", ["Document", "Headers", "May be kept"], rows);
}

function headerLine(name: string, value: string): Markup {
  const isBad = isUncacheable({ [name]: value });
  const shown = isBad ? markup`<strong class="bad">${value}</strong>` : value;
  return markup`<code>${name}: ${shown}</code>`;
}

function rankOf(name: string): number {
  const rank = SHOWN_FIRST.indexOf(name);
  return rank === -1 ? SHOWN_FIRST.length : rank;
}

function keptFor(headers: Readonly<Record<string, string>>): string {
  const told = readFreshness(headers);
  if (told.kind === "refused") return `no: ${told.words}`;
  if (told.kind === "unsaid") return "not said";
  const { lifetimeSeconds, ageSeconds } = told;
  const left = Math.max(0, lifetimeSeconds - ageSeconds);
  return ageSeconds > 0
    ? `${lifetimeSeconds} s, of which ${left} s are left`
    : `${lifetimeSeconds} s`;
}

/** The chain as the issuer serves it. */
export function chainTable({ chain }: TlsFacts): Markup {
  const rows = chain.map(({ subject, issuer, validTo, thumbprint }) => ({
    head: subject,
    cells: [issuer, validTo.slice(0, 10), mono(thumbprint)],
  }));
  const heads = ["Certificate", "Signed by", "Until", "Thumbprint"];
  return dataTable("The issuer’s own first.", heads, rows);
}

/** The addresses of the issuer's name. */
export function addressTable({ addresses }: IssuerFacts): Markup {
  const rows = addresses.map(({ address, isPublic, connectMs, error }) => {
    const reached =
      connectMs === undefined ? "not tried" : `connects in ${Math.round(connectMs)} ms`;
    return {
      head: mono(address),
      cells: [
        isPublic ? "public" : "private",
        error === undefined ? reached : markup`<span class="bad">✗ ${error}</span>`,
      ],
    };
  });
  return dataTable(
    "What the issuer’s name resolves to here.",
    ["Address", "Kind", "From here"],
    rows,
  );
}
