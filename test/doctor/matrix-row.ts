import type { Diagnosis } from "../../src/doctor/diagnosis.js";
import type { FindingId } from "../../src/findings.js";
import type { Patient, Site } from "./matrix-world.js";

/** One world, and what the doctor must say of it. */
export interface Row {
  readonly name: string;
  readonly build: (site: Site) => Promise<Patient>;
  readonly cause: FindingId | null;
  readonly verdict: Diagnosis["verdict"];
  /** What must be among the findings too. */
  readonly also?: readonly FindingId[];
}

/** What is wrong with a diagnosis; nothing when it is right. */
export function mistakes(row: Row, { rootCause, verdict, findings, facts }: Diagnosis): string[] {
  const found = findings.map(({ id, severity }) => `${severity} ${id}`).join(", ");
  const ids = new Set(findings.map(({ id }) => id));
  return [
    ...((rootCause?.id ?? null) === row.cause ? [] : [`named ${rootCause?.id}, found ${found}`]),
    ...(verdict === row.verdict ? [] : [`said ${verdict}, found ${found}`]),
    ...(row.also ?? []).flatMap((id) => (ids.has(id) ? [] : [`missed ${id}, found ${found}`])),
    ...(facts.elapsedMs < 20_000 ? [] : [`took ${facts.elapsedMs} ms`]),
  ];
}
