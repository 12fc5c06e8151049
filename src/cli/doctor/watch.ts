/** `--watch`: diagnoses repeatedly, prints what changed, and prints a summary at the end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Diagnosis, Timing } from "../../doctor/diagnosis.js";
import type { Finding } from "../../model/findings.js";
import { formatDuration } from "../../runtime/time-text.js";
import { type CommandContext, EXIT, type ExitCode, print } from "../command.js";
import {
  fitFor,
  jsonText,
  type Paint,
  padEnd,
  padStart,
  paintFor,
  type Style,
  wrap,
} from "../terminal-text.js";
import { kidOf } from "./report-words.js";

const STYLES: Readonly<Record<Change["kind"], Style>> = {
  verdict: "bold",
  worse: "yellow",
  better: "green",
  other: "cyan",
};

interface WatchOptions {
  readonly intervalMs: number;
  /** Prints every diagnosis as a line of JSON, and nothing else. */
  readonly json: boolean;
}

/** Diagnoses until Ctrl-C and prints what changed. The exit code is that of the worst diagnosis. */
export async function watch(
  diagnose: () => Promise<Diagnosis>,
  { intervalMs, json }: WatchOptions,
  { stdout, env, signal }: CommandContext,
): Promise<ExitCode> {
  const paint = paintFor(stdout, env);
  const asShown = fitFor(stdout, env);
  const record = new LatencyRecord();
  const verdicts = { healthy: 0, degraded: 0, broken: 0 };
  const startedAt = performance.now();
  let before: Diagnosis | undefined;
  if (!json)
    await print(stdout, `Checking every ${formatDuration(intervalMs)}; press Ctrl-C to stop.\n`);
  try {
    for (;;) {
      const beganAt = performance.now();
      const now = await diagnose();
      record.add(now);
      verdicts[now.verdict] += 1;
      const changes = changesBetween(before, now);
      if (json) {
        await print(stdout, jsonText(now, 0));
      } else if (changes.length > 0) {
        await print(stdout, asShown(changeText(changes, stdout.columns || 80, paint)));
      }
      before = now;
      const pauseMs = Math.max(0, intervalMs - (performance.now() - beganAt));
      await sleep(pauseMs, undefined, { signal });
    }
  } catch (error) {
    // Without a diagnosis there is nothing to summarize.
    if (!signal.aborted || before === undefined) throw error;
  }
  const exitCode = verdicts.degraded + verdicts.broken > 0 ? EXIT.found : EXIT.ok;
  if (json) return exitCode;
  const count = verdicts.healthy + verdicts.degraded + verdicts.broken;
  const took = formatDuration(performance.now() - startedAt);
  const seen = Object.entries(verdicts).filter(([, times]) => times > 0);
  const shares = seen.map(([verdict, times]) => `${times} ${verdict}`).join(", ");
  const checks = count === 1 ? "1 check" : `${count} checks`;
  const summary = [`${checks} in ${took}: ${shares}`, ...record.lines()];
  await print(stdout, `\n${summary.join("\n")}\n`);
  return exitCode;
}

function changeText(changes: readonly Change[], columns: number, paint: Paint): string {
  const time = new Date().toTimeString().slice(0, 8);
  const indent = " ".repeat(10);
  const lines = changes.flatMap(({ kind, text }, index) =>
    wrap(text, columns, indent).map((line, row) => {
      const isFirst = index === 0 && row === 0;
      const body = paint(STYLES[kind], line.trimStart());
      return (isFirst ? `${paint("dim", time)}  ` : indent) + body;
    }),
  );
  return `${lines.join("\n")}\n`;
}

/** One difference from the previous diagnosis. */
export interface Change {
  readonly kind: "verdict" | "worse" | "better" | "other";
  readonly text: string;
}

/** What changed since the previous diagnosis. In the first one, everything is new. */
export function changesBetween(before: Diagnosis | undefined, now: Diagnosis): Change[] {
  const changes: Change[] = [];
  const cause = now.rootCause === null ? "" : `: ${now.rootCause.title} ${proseOf(now.rootCause)}`;
  if (before?.verdict !== now.verdict || before.rootCause?.id !== now.rootCause?.id) {
    changes.push({ kind: "verdict", text: `${now.verdict}${cause}` });
  }
  const old = new Map((before?.findings ?? []).map((finding) => [nameOf(finding), finding]));
  const current = new Map(now.findings.map((finding) => [nameOf(finding), finding]));
  for (const [name, finding] of current) {
    if (!old.has(name)) changes.push({ kind: "worse", text: `+ ${name}: ${finding.detail}` });
  }
  for (const name of old.keys()) {
    if (!current.has(name)) changes.push({ kind: "better", text: `- ${name}` });
  }
  if (before === undefined) return changes;
  return [
    ...changes,
    ...setChange("keys", kidsOf(before), kidsOf(now)),
    ...setChange("issuer addresses", addressesOf(before), addressesOf(now)),
    ...setChange("token issued", issuedAt(before), issuedAt(now)),
  ];
}

/** A name that stays the same as long as the finding does, so it contains no measured values. */
function nameOf({ id, severity, evidence }: Finding): string {
  const { region, claim, keyType, status, code } = evidence;
  const seen = [region, claim, keyType, status, code].filter(
    (value) => typeof value === "string" || typeof value === "number",
  );
  return `${id} (${[severity, ...seen].join(", ")})`;
}

/** A remedy without the commands that follow it. */
function proseOf({ remedy }: Finding): string {
  return remedy.split("\n", 1)[0] ?? "";
}

/** No change if one of the two diagnoses could not read the values. */
function setChange(
  what: string,
  before: readonly string[] | undefined,
  now: readonly string[] | undefined,
): Change[] {
  if (before === undefined || now === undefined) return [];
  const gone = before.filter((one) => !now.includes(one)).map((one) => `-${one}`);
  const come = now.filter((one) => !before.includes(one)).map((one) => `+${one}`);
  if (gone.length + come.length === 0) return [];
  return [{ kind: "other", text: `${what}: ${[...come, ...gone].join(" ")}` }];
}

function kidsOf({ facts }: Diagnosis): string[] | undefined {
  return facts.issuer?.keys?.map(kidOf);
}

function addressesOf({ facts }: Diagnosis): string[] | undefined {
  const addresses = facts.issuer?.addresses.map(({ address }) => address);
  return addresses?.length ? addresses : undefined;
}

function issuedAt({ facts }: Diagnosis): string[] | undefined {
  const iat = facts.token?.iat;
  const isTime = iat !== undefined && Math.abs(iat) < 8.64e12;
  return isTime ? [new Date(iat * 1000).toISOString()] : undefined;
}

/** A watch of several days must not fill the memory. */
const MAX_SAMPLES = 20_000;

export interface LatencySummary {
  /** How many responses were measured. */
  readonly count: number;
  /** How many requests had no response, or a response of the issuer that is not a document. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

interface Row {
  readonly samples: number[];
  failed: number;
}

/** What many diagnoses measured, for each server. */
export class LatencyRecord {
  readonly #rows = new Map<string, Row>();

  /** Adds what a diagnosis measured: the time of every response, and every request that failed. */
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
      `${" ".repeat(width + 2)}${figures(["p50", "p95", "max", "ok", "failed"])}`,
      ...rows.map(([name, { count, failed, p50Ms, p95Ms, maxMs }]) => {
        const times = [p50Ms, p95Ms, maxMs].map((ms) => (count === 0 ? "-" : formatDuration(ms)));
        return `  ${padEnd(name, width)}${figures([...times, String(count), String(failed)])}`;
      }),
    ];
  }
}

/** The table fits into 60 columns. */
const COLUMNS = [8, 8, 8, 9, 8];

/** The row of a request. Lookups and parts of a request have none. */
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

/** Percentiles by nearest rank, so that each is a measured time. */
export function summaryOf(samples: readonly number[], failed: number): LatencySummary {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, failed, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
}
