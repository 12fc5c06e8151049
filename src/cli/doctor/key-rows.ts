import type { KeyRow } from "../../model/issuer-report.js";
import { safeText } from "../../runtime/redact.js";
import { clip, padEnd, widthOf, wrap } from "../layout.js";
import type { Paint } from "../paint.js";

const MAX_ROWS = 12;
const MAX_KID = 44;
/** Both ends of a name that is cut to less tell nothing. */
const MIN_KID = 6;
/** What stands beside the kid: marks, gaps, the other columns, and "✗ unusable". */
const BESIDE_KID = 44;

const UNUSABLE = ["red", "✗", "unusable"] as const;
const DOUBT = ["yellow", "?", "in doubt"] as const;

/** The kid as it is shown: an absent one and an empty one are two things. */
export function kidOf({ kid }: KeyRow): string {
  return kid === undefined ? "(none)" : kid === "" ? '""' : kid;
}

/** The keys of the JWKS as a table, the token's key marked and never left out. */
export function keyRows(keys: readonly KeyRow[], width: number, paint: Paint): string[] {
  const own = keys.filter(({ matchesToken }) => matchesToken);
  const others = keys.filter(({ matchesToken }) => !matchesToken);
  const chosen = new Set([...own, ...others].slice(0, MAX_ROWS));
  const shown = keys.filter((key) => chosen.has(key));
  const kids = shown.map((key) => kidOf(key).length);
  const kidWidth = Math.min(MAX_KID, Math.max(MIN_KID, width - BESIDE_KID), Math.max(3, ...kids));
  const line = (mark: string, kid: string, kind: string, size: string, use: string) =>
    `${mark} ${padEnd(clip(kid, kidWidth), kidWidth)}  ${padEnd(clip(kind, 10), 10)}  ${padEnd(clip(size, 8), 8)}  ${padEnd(clip(use, 4), 4)}`;
  const rows = shown.flatMap((key) => {
    const kind = [key.kty, key.alg].filter(Boolean).join(" ");
    const size = key.bits === undefined ? (key.crv ?? "") : `${key.bits} bit`;
    const pointer = key.matchesToken ? "▶" : " ";
    const text = line(`  ${pointer}`, kidOf(key), kind, size, key.use ?? "-");
    const row = key.matchesToken ? paint("bold", text) : text;
    if (key.usable) return [`${row}  ${paint("green", "✓ usable")}`];
    const problem = safeText(key.problem ?? "unusable");
    const isDoubt = key.severity === "suspect";
    const [color, mark, word] = isDoubt ? DOUBT : UNUSABLE;
    if (widthOf(text) + 4 + widthOf(problem) <= width) {
      return [`${row}  ${paint(color, `${mark} ${problem}`)}`];
    }
    const below = wrap(problem, width, " ".repeat(6)).map((line) => paint(color, line));
    return [`${row}  ${paint(color, `${mark} ${word}`)}`, ...below];
  });
  const hidden = keys.length - shown.length;
  const head = paint("dim", line("   ", "kid", "kty alg", "size", "use").trimEnd());
  const more = hidden > 0 ? [paint("dim", `    … and ${hidden} more`)] : [];
  const legend = own.length > 0 ? ["  ▶ the token's key"] : [];
  return [head, ...rows, ...more, ...legend];
}
