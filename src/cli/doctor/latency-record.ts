import type { Diagnosis, Timing } from "../../doctor/diagnosis.js";
import { formatDuration } from "../../runtime/time-text.js";
import { padEnd, padStart } from "../layout.js";

/** Days of looks every few seconds must not fill the memory. */
const MAX_SAMPLES = 20_000;

export interface LatencySummary {
  /** How many answers the times are of. */
  readonly count: number;
  /** How many requests had none, or of an issuer one without a document. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

interface Row {
  readonly samples: number[];
  failed: number;
}

/** What was measured over many looks, by whom was asked. */
export class LatencyRecord {
  readonly #rows = new Map<string, Row>();

  /** Takes what a diagnosis measured: the time of every answer, and every request that failed. */
  add({ timings }: Diagnosis): void {
    for (const timing of timings) {
      const name = rowOf(timing);
      if (name !== undefined) this.#put(name, timing);
    }
  }

  #put(name: string, { party, totalMs, status, error }: Timing): void {
    const row = this.#rows.get(name) ?? { samples: [], failed: 0 };
    this.#rows.set(name, row);
    const isRefused = party === "issuer" && status !== 200 && status !== 304;
    if (error !== undefined || isRefused) {
      row.failed += 1;
      return;
    }
    row.samples.push(totalMs);
    if (row.samples.length > MAX_SAMPLES) row.samples.shift();
  }

  get summaries(): ReadonlyMap<string, LatencySummary> {
    return new Map(
      [...this.#rows].map(([name, { samples, failed }]) => [name, summaryOf(samples, failed)]),
    );
  }

  /** A table for the end of a watch. */
  lines(): string[] {
    const rows = [...this.summaries];
    if (rows.length === 0) return [];
    const width = Math.max(...rows.map(([name]) => name.length));
    const figures = (texts: readonly string[]) =>
      texts.map((text, column) => padStart(text, COLUMNS[column] ?? 0)).join("");
    return [
      `${" ".repeat(width + 2)}${figures(["p50", "p95", "max", "answers", "failed"])}`,
      ...rows.map(([name, { count, failed, p50Ms, p95Ms, maxMs }]) => {
        const times = [p50Ms, p95Ms, maxMs].map((ms) => (count === 0 ? "-" : formatDuration(ms)));
        return `  ${padEnd(name, width)}${figures([...times, String(count), String(failed)])}`;
      }),
    ];
  }
}

/** So that 60 columns are enough. */
const COLUMNS = [8, 8, 8, 9, 8];

/** What a request counts for; nothing for what asks nobody, or is a part of a request. */
function rowOf({ step, label }: Timing): string | undefined {
  const region = label.replace(/^.* in /, "");
  switch (step) {
    case "issuer-documents":
      return label.startsWith("JWKS") ? "IdP JWKS" : "IdP discovery";
    case "sts-endpoint":
      return `STS ${region}`;
    case "assume-role":
      return `role ${region}`;
    default:
      return undefined;
  }
}

/** Percentiles by nearest rank: each is a time that was really measured. */
export function summaryOf(samples: readonly number[], failed: number): LatencySummary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, failed, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
}
