import {
  DEFAULTS,
  type PreflightOptions,
  type ResilienceOptions,
  type ResolvedOptions,
  type WebIdentityInit,
} from "./options.js";

const PREFLIGHT_MODES = ["advisory", "strict", "off"];
const RETRY_KEYS = ["maxAttempts", "baseDelayMs", "maxDelayMs", "budgetMs"];
const REFRESH_KEYS = ["advisoryWindowSeconds", "mandatoryWindowSeconds"];
const PREFLIGHT_KEYS = ["mode", "audiences"];
const MAX_TIMER_MS = 2_147_483_647;

/**
 * The options with their defaults.
 *
 * @throws TypeError that names the option, for a value that can never work.
 */
export function resolveOptions(init: WebIdentityInit): ResolvedOptions {
  checkSdkFields(init);
  checkString("region", init.region);
  checkType("onEvent", init.onEvent, "function");
  checkSignal(init.signal);
  return {
    retry: resolveRetry(init.retry),
    attemptTimeoutMs: resolveNumber(
      "attemptTimeoutMs",
      init.attemptTimeoutMs,
      DEFAULTS.attemptTimeoutMs,
      100,
      300_000,
    ),
    preflight: resolvePreflight(init.preflight),
    refresh: resolveRefresh(init.refresh),
    serveExpired: resolveBoolean("serveExpired", init.serveExpired, DEFAULTS.serveExpired),
    retryAccessDenied: resolveBoolean(
      "retryAccessDenied",
      init.retryAccessDenied,
      DEFAULTS.retryAccessDenied,
    ),
    validateToken: resolveBoolean("validateToken", init.validateToken, DEFAULTS.validateToken),
  };
}

/** @throws TypeError when a required field is missing, empty or no string. */
export function requireString(name: string, value: unknown): void {
  if (value === undefined) throw expected(name, "to be given", value);
  checkString(name, value);
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

function checkSdkFields(init: WebIdentityInit): void {
  if (typeof init !== "object" || init === null) throw expected("init", "to be an object", init);
  checkString("roleSessionName", init.roleSessionName);
  checkString("policy", init.policy);
  checkString("providerId", init.providerId);
  checkType("durationSeconds", init.durationSeconds, "number");
  checkType("clientConfig", init.clientConfig, "object");
  checkType("parentClientConfig", init.parentClientConfig, "object");
  checkType("logger", init.logger, "object");
  checkType("roleAssumerWithWebIdentity", init.roleAssumerWithWebIdentity, "function");
  for (const name of ["policyArns", "clientPlugins"] as const) {
    if (init[name] !== undefined && !Array.isArray(init[name])) {
      throw expected(name, "to be an array", init[name]);
    }
  }
}

function resolveRetry(retry: ResilienceOptions["retry"]): ResolvedOptions["retry"] {
  checkKeys("retry", retry, RETRY_KEYS);
  const { maxAttempts, baseDelayMs, maxDelayMs, budgetMs } = DEFAULTS.retry;
  const resolved = {
    maxAttempts: resolveNumber("retry.maxAttempts", retry?.maxAttempts, maxAttempts, 1, 1_000),
    baseDelayMs: resolveNumber(
      "retry.baseDelayMs",
      retry?.baseDelayMs,
      baseDelayMs,
      0,
      MAX_TIMER_MS,
    ),
    maxDelayMs: resolveNumber("retry.maxDelayMs", retry?.maxDelayMs, maxDelayMs, 0, MAX_TIMER_MS),
    budgetMs: resolveNumber("retry.budgetMs", retry?.budgetMs, budgetMs, 1, MAX_TIMER_MS),
  };
  if (!Number.isInteger(resolved.maxAttempts)) {
    throw expected("retry.maxAttempts", "to be a whole number", resolved.maxAttempts);
  }
  // A base above the maximum is only a mistake if both were chosen.
  if (
    retry?.maxDelayMs !== undefined &&
    retry.baseDelayMs !== undefined &&
    resolved.baseDelayMs > resolved.maxDelayMs
  ) {
    throw expected("retry.baseDelayMs", "to be at most `retry.maxDelayMs`", resolved.baseDelayMs);
  }
  return resolved;
}

function resolveRefresh(refresh: ResilienceOptions["refresh"]): ResolvedOptions["refresh"] {
  checkKeys("refresh", refresh, REFRESH_KEYS);
  const { advisoryWindowSeconds: advisory, mandatoryWindowSeconds: mandatory } = refresh ?? {};
  for (const [name, value] of Object.entries({
    advisoryWindowSeconds: advisory,
    mandatoryWindowSeconds: mandatory,
  })) {
    if (value !== undefined) resolveNumber(`refresh.${name}`, value, value, 0, 43_200);
  }
  if (advisory !== undefined && mandatory !== undefined && mandatory > advisory) {
    throw expected(
      "refresh.mandatoryWindowSeconds",
      "to be at most `refresh.advisoryWindowSeconds`",
      mandatory,
    );
  }
  return refresh ?? DEFAULTS.refresh;
}

function resolvePreflight(preflight: ResilienceOptions["preflight"]): ResolvedOptions["preflight"] {
  const options: PreflightOptions =
    typeof preflight === "string" ? { mode: preflight } : (preflight ?? {});
  checkKeys("preflight", options, PREFLIGHT_KEYS);
  const mode = options.mode ?? DEFAULTS.preflight.mode;
  if (!PREFLIGHT_MODES.includes(mode)) {
    throw expected("preflight", `to be one of ${PREFLIGHT_MODES.join(", ")}`, mode);
  }
  const { audiences } = options;
  const isList = Array.isArray(audiences) && audiences.every((entry) => typeof entry === "string");
  if (audiences !== undefined && !isList) {
    throw expected("preflight.audiences", "to be an array of strings", audiences);
  }
  return { ...options, mode };
}

function resolveNumber(
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

function resolveBoolean(name: string, value: unknown, fallback: boolean): boolean {
  checkType(name, value, "boolean");
  return value === undefined ? fallback : (value as boolean);
}

function checkKeys(name: string, value: unknown, known: readonly string[]): void {
  checkType(name, value, "object");
  const unknown = Object.keys(value ?? {}).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new TypeError(`Unknown option \`${name}.${unknown}\`; known are ${known.join(", ")}.`);
}

function checkType(
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

function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw expected("signal", "to be an AbortSignal", signal);
}

/** Says what was expected and the type that came; a string's value could be a token and stays out. */
function expected(name: string, what: string, value: unknown): TypeError {
  const got =
    typeof value === "number" || typeof value === "boolean" ? String(value) : describe(value);
  return new TypeError(`Expected \`${name}\` ${what}, got ${got}.`);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (value === "") return "an empty string";
  return Array.isArray(value) ? "an array" : typeof value;
}
