import type { Diagnosis } from "../../src/doctor/diagnosis.js";
import type { Finding, FindingId, Severity } from "../../src/model/findings.js";
import type { Patient, Site } from "../support/matrix-world.js";

/** The diagnosis that a world must get. */
export interface Expectation {
  readonly name: string;
  readonly cause: FindingId | null;
  readonly verdict: Diagnosis["verdict"];
  /** What must be among the findings too; in a healthy world nothing else may be, above `info`. */
  readonly also?: readonly FindingId[];
  /** What the cause's detail must contain. */
  readonly says?: RegExp;
}

/** One world, and the diagnosis that it must get. */
export interface Row extends Expectation {
  readonly build: (site: Site) => Promise<Patient>;
}

/** What is wrong with a diagnosis; empty if it is right. */
export function mistakes(
  row: Expectation,
  { rootCause, verdict, findings, facts }: Diagnosis,
): string[] {
  const found = findings.map(({ id, severity }) => `${severity} ${id}`).join(", ");
  const ids = new Set(findings.map(({ id }) => id));
  // A machine that is busy with other tests is slow, and the doctor reports it.
  const isExpected = ({ id, severity }: Finding) =>
    row.cause !== null || row.also?.includes(id) || severity === "info" || isSlowness(id, severity);
  const detail = rootCause?.detail ?? "";
  return [
    ...((rootCause?.id ?? null) === row.cause ? [] : [`named ${rootCause?.id}, found ${found}`]),
    ...(verdict === row.verdict ? [] : [`said ${verdict}, found ${found}`]),
    ...(row.also ?? []).flatMap((id) => (ids.has(id) ? [] : [`missed ${id}, found ${found}`])),
    ...(findings.every(isExpected) ? [] : [`imagined some of ${found}`]),
    ...(row.says?.test(detail) === false ? [`said ${detail}`] : []),
    ...(facts.elapsedMs < 20_000 ? [] : [`took ${facts.elapsedMs} ms`]),
  ];
}

function isSlowness(id: FindingId, severity: Severity): boolean {
  return severity === "advice" && (id.endsWith("-slow") || id === "sts-region-slower");
}
