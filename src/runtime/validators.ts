import { readField, safeText } from "./redact.js";

/** @throws TypeError when a factory's init is not an object, or when an SDK client calls the factory as a provider. */
export function requireInit(factory: string, init: unknown): void {
  if (typeof init !== "object" || init === null || Array.isArray(init)) {
    throw expected("init", "to be an object", init);
  }
  // An SDK client passes this to its provider.
  if (!("callerClientConfig" in init)) return;
  throw new TypeError(
    `${factory} itself was given as credentials; call it: { credentials: ${factory}(…) }.`,
  );
}

/** @throws TypeError when a required field is missing, empty or not a string. */
export function requireString(name: string, value: unknown): string {
  if (value === undefined) throw expected(name, "to be given", value);
  checkString(name, value);
  return value as string;
}

/** @throws TypeError when a required field is not a function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw expected(name, "to be a function", value);
}

/** @throws TypeError when an optional field is present, but is empty or not a string. */
export function checkString(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && value !== "")) return;
  throw expected(name, "to be a non-empty string", value);
}

/** The SDK accepts these regions: any label of a host name (RFC 1123, section 2.1). */
const HOST_LABEL = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/i;

export function isRegionName(text: string): boolean {
  return HOST_LABEL.test(text);
}

/** @throws TypeError when an optional field is present, but is not a label of a host name. */
export function checkRegion(name: string, value: unknown): void {
  checkString(name, value);
  if (value === undefined || isRegionName(value as string)) return;
  throw expected(
    name,
    "to be a region name such as eu-west-1, with nothing around it",
    word(value),
  );
}

/** @throws TypeError when an optional field is present, but is not an array of strings. */
export function checkStrings(name: string, value: unknown): void {
  const isList = Array.isArray(value) && value.every((entry) => typeof entry === "string");
  if (value !== undefined && !isList) throw expected(name, "to be an array of strings", value);
}

/** Both ends are part of the range. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** @throws TypeError when an optional field is present, but is not a number in the range. */
export function checkNumber(name: string, value: unknown, { min, max }: NumberRange): void {
  if (value === undefined || (typeof value === "number" && value >= min && value <= max)) return;
  throw expected(name, `to be a number from ${min} to ${max}`, word(value));
}

/** @throws TypeError when an optional field is present, but is not a number in the range. */
export function resolveNumber(
  name: string,
  value: unknown,
  { fallback, ...range }: NumberRange & { readonly fallback: number },
): number {
  checkNumber(name, value, range);
  return value === undefined ? fallback : (value as number);
}

export function resolveBoolean(name: string, value: unknown, fallback: boolean): boolean {
  checkType(name, value, "boolean");
  return value === undefined ? fallback : (value as boolean);
}

/** @throws TypeError for a value that is not an object, or has a member that is not known. */
export function checkKeys(name: string, value: unknown, known: readonly string[]): void {
  checkType(name, value, "object");
  const unknown = Object.keys(value ?? {}).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw unknownOption(`${name}.${unknown}`, nearest(unknown, known), known);
}

/** The error for an unknown option: it names the option that is probably meant, or else all options. */
export function unknownOption(
  name: string,
  meant: string | undefined,
  known: readonly string[],
): TypeError {
  const help =
    meant === undefined ? `known are ${known.join(", ")}.` : `did you mean \`${meant}\`?`;
  return new TypeError(`Unknown option \`${safeText(name, MAX_NAME)}\`; ${help}`);
}

/** How much of an unknown name is shown and compared, in characters. */
const MAX_NAME = 60;

/** The name that differs least, if it differs in less than half of its letters. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const given = name.slice(0, MAX_NAME);
  const [best] = known
    .map((other) => ({ other, distance: distanceOf(given, other) }))
    .filter(({ other, distance }) => distance * 2 < Math.max(other.length, given.length))
    .toSorted((a, b) => a.distance - b.distance);
  return best?.other;
}

/** How many letters must be added, removed or replaced, whatever their case (Levenshtein). */
function distanceOf(from: string, to: string): number {
  const target = to.toLowerCase();
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [at, letter] of [...from.toLowerCase()].entries()) {
    const next = [at + 1];
    for (let index = 0; index < target.length; index += 1) {
      const replaced = (row[index] ?? 0) + (target[index] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

export function checkType(
  name: string,
  value: unknown,
  type: "function" | "object" | "boolean" | "number",
): void {
  if (value === undefined) return;
  const is =
    type === "object"
      ? typeof value === "object" && value !== null && !Array.isArray(value)
      : typeof value === type;
  if (is) return;
  const what = type === "object" ? "to be an object" : `to be a ${type}`;
  throw expected(name, what, type === "boolean" || type === "number" ? word(value) : value);
}

/** @throws TypeError when an optional field is present, but is not a signal. */
export function checkSignal(name: string, signal: unknown): void {
  if (signal === undefined || isSignal(signal)) return;
  throw expected(name, "to be an AbortSignal", signal);
}

/**
 * Checks the members that are used, not the class: a signal may come from another realm, or from an older
 * library that has no other members.
 */
function isSignal(value: unknown): boolean {
  if (typeof readField(value, "aborted") !== "boolean") return false;
  return ["addEventListener", "removeEventListener"].every(
    (method) => typeof readField(value, method) === "function",
  );
}

/** Names what was expected and the type received. Leaves out the value of a string: it could be a token. */
export function expected(name: string, what: string, value: unknown): TypeError {
  return new TypeError(`Expected \`${name}\` ${what}, got ${describe(value)}.`);
}

/** A short string that is safe to show. */
class Word {
  constructor(readonly text: string) {}
}

/** Lets {@link expected} show a string that is too short and too plain to be a token or a secret. */
export function word(value: unknown): unknown {
  return typeof value === "string" && /^[\w .+'"-]{1,16}$/.test(value) ? new Word(value) : value;
}

function describe(value: unknown): string {
  if (value instanceof Word) return `the string ${JSON.stringify(value.text)}`;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value === null || value === undefined) return String(value);
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}
