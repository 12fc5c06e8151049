/** @throws TypeError when the init of a factory is no object. */
export function requireInit(init: unknown): void {
  if (typeof init !== "object" || init === null) throw expected("init", "to be an object", init);
}

/** @throws TypeError when a required field is missing, empty or no string. */
export function requireString(name: string, value: unknown): string {
  if (value === undefined) throw expected(name, "to be given", value);
  checkString(name, value);
  return value as string;
}

/** @throws TypeError when a required field is no function. */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw expected(name, "to be a function", value);
}

/** @throws TypeError when an optional field is given, but empty or no string. */
export function checkString(name: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && value !== "")) return;
  throw expected(name, "to be a non-empty string", value);
}

/** @throws TypeError when an optional field is given, but no array of strings. */
export function checkStrings(name: string, value: unknown): void {
  const isList = Array.isArray(value) && value.every((entry) => typeof entry === "string");
  if (value !== undefined && !isList) throw expected(name, "to be an array of strings", value);
}

export function resolveNumber(
  name: string,
  value: unknown,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    throw expected(name, `to be a number from ${min} to ${max}`, value);
  }
  return value;
}

export function resolveBoolean(name: string, value: unknown, fallback: boolean): boolean {
  checkType(name, value, "boolean");
  return value === undefined ? fallback : (value as boolean);
}

export function checkKeys(name: string, value: unknown, known: readonly string[]): void {
  checkType(name, value, "object");
  const unknown = Object.keys(value ?? {}).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new TypeError(`Unknown option \`${name}.${unknown}\`; known are ${known.join(", ")}.`);
}

export function checkType(
  name: string,
  value: unknown,
  type: "function" | "object" | "boolean" | "number",
): void {
  if (value === undefined) return;
  // A class instance whose type is a function serves as an object too.
  const is =
    type === "object" ? typeof value === "object" && value !== null : typeof value === type;
  if (!is) throw expected(name, type === "object" ? "to be an object" : `to be a ${type}`, value);
}

export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw expected("signal", "to be an AbortSignal", signal);
}

/** Says what was expected and the type that came; a string's value could be a token and stays out. */
export function expected(name: string, what: string, value: unknown): TypeError {
  const got =
    typeof value === "number" || typeof value === "boolean" ? String(value) : describe(value);
  return new TypeError(`Expected \`${name}\` ${what}, got ${got}.`);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (value === "") return "an empty string";
  return Array.isArray(value) ? "an array" : typeof value;
}
