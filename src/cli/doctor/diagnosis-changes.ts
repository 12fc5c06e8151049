import type { Diagnosis } from "../../doctor/diagnosis.js";
import type { Finding } from "../../model/findings.js";
import { kidOf } from "./key-rows.js";

/** One thing that differs from the look before. */
export interface Change {
  readonly kind: "verdict" | "worse" | "better" | "other";
  readonly text: string;
}

/** What changed since the look before; at the first look, everything there is. */
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

/** A finding under the name that stays while the same is seen: figures that vary are no part of it. */
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

/** Nothing when one of the looks could not see them. */
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
