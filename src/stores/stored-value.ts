import type {
  StoredCredentials,
  StoredRefusal,
  StoredSample,
  StoredValue,
} from "../model/credential-store.js";
import { readField } from "../runtime/redact.js";

/** The longest stored value, in bytes: STS's session tokens are far shorter. */
export const MAX_VALUE_BYTES = 64 * 1024;

/** The longest session (AWS STS API reference, DurationSeconds), and a minute for clocks that differ. */
const MAX_LIFETIME_MS = 43_200_000 + 60_000;

type Kind = StoredValue["kind"];

/** The text fields of each kind: those that must be there, and those that may be. */
const TEXTS: Readonly<Record<Kind, readonly [required: string[], optional: string[]]>> = {
  credentials: [
    ["key", "roleArn", "accessKeyId", "secretAccessKey"],
    ["sessionToken", "accountId", "credentialScope", "region"],
  ],
  refusal: [["key", "roleArn", "code", "message"], ["requestId"]],
};

/**
 * Checks what is stored: returns a complete and possible value with known fields only, or the reason
 * why it can't be one. The reason contains nothing of the value.
 */
export function readStoredValue(stored: unknown): StoredValue | { readonly problem: string } {
  const kind = readField(stored, "kind");
  if (kind !== "credentials" && kind !== "refusal") return { problem: "it is not a stored value" };
  const [required, optional] = TEXTS[kind];
  const fields: Record<string, unknown> = { kind };
  for (const name of [...required, ...optional]) {
    const value = readField(stored, name);
    if (value === undefined && optional.includes(name)) continue;
    if (typeof value !== "string" || value === "") return { problem: `its ${name} is not a text` };
    fields[name] = value;
  }
  for (const name of ["issuedAt", "expiresAt"]) {
    const value = readField(stored, name);
    if (!Number.isSafeInteger(value)) return { problem: `its ${name} is not a time` };
    fields[name] = value;
  }
  const lifetimeMs = (fields.expiresAt as number) - (fields.issuedAt as number);
  if (lifetimeMs <= 0 || lifetimeMs > MAX_LIFETIME_MS) {
    return { problem: `its lifetime of ${lifetimeMs} ms is impossible` };
  }
  const status = readField(stored, "httpStatus");
  if (kind === "refusal" && Number.isSafeInteger(status)) fields.httpStatus = status;
  return fields as unknown as StoredCredentials | StoredRefusal;
}

/** How many stored values are read for a {@link StoredSample}. */
export const MAX_SAMPLE = 40;

/** Counts values by key id and problem. */
export function countSample(values: readonly Omit<StoredSample, "count">[]): StoredSample[] {
  const counts = new Map<string, StoredSample>();
  for (const { keyId, problem } of values) {
    const kind = JSON.stringify([keyId, problem]);
    counts.set(kind, { keyId, problem, count: (counts.get(kind)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

/** The value in a JSON text. */
export function parseStoredValue(text: string): StoredValue | { readonly problem: string } {
  if (text.length > MAX_VALUE_BYTES) return { problem: "it is too long" };
  try {
    return readStoredValue(JSON.parse(text));
  } catch {
    return { problem: "it is not JSON" };
  }
}
