import type { Diagnosis } from "../../doctor/diagnosis.js";
import { formatDuration } from "../duration.js";
import { padEnd, padStart } from "../layout.js";

/** Days of looks every few seconds must not fill the memory. */
const MAX_SAMPLES = 20_000;

export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

/** What was measured over many looks, by whom was asked. */
export class LatencyRecord {
  readonly #samples = new Map<string, number[]>();

  /** Takes what a diagnosis measured; requests without an answer count with the time they took. */
  add({ facts }: Diagnosis): void {
    for (const { document, triesMs } of facts.issuer?.latency ?? []) {
      for (const ms of triesMs) this.#put(`IdP ${document === "jwks" ? "JWKS" : document}`, ms);
    }
    for (const { region, totalMs, status } of facts.sts) {
      if (status !== undefined) this.#put(`STS ${region}`, totalMs);
    }
  }

  #put(name: string, ms: number): void {
    const kept = this.#samples.get(name) ?? [];
    kept.push(ms);
    if (kept.length > MAX_SAMPLES) kept.shift();
    this.#samples.set(name, kept);
  }

  get summaries(): ReadonlyMap<string, LatencySummary> {
    return new Map([...this.#samples].map(([name, samples]) => [name, summaryOf(samples)]));
  }

  /** A table for the end of a watch. */
  lines(): string[] {
    const rows = [...this.summaries];
    if (rows.length === 0) return [];
    const width = Math.max(...rows.map(([name]) => name.length));
    const figures = (texts: readonly string[]) => texts.map((text) => padStart(text, 9)).join("");
    return [
      `${" ".repeat(width + 2)}${figures(["p50", "p95", "max", "answers"])}`,
      ...rows.map(([name, { count, p50Ms, p95Ms, maxMs }]) => {
        const times = [p50Ms, p95Ms, maxMs].map(formatDuration);
        return `  ${padEnd(name, width)}${figures([...times, String(count)])}`;
      }),
    ];
  }
}

/** Percentiles by nearest rank: each is a time that was really measured. */
export function summaryOf(samples: readonly number[]): LatencySummary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
}
