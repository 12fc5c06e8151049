import { checkStore } from "../model/credential-store.js";
import { STS_DURATION_SECONDS } from "../model/sts-limits.js";
import { checkPreflightSettings, PREFLIGHT_SETTINGS } from "../preflight/issuer-check.js";
import { MAX_TIMER_MS } from "../runtime/clock.js";
import { safeText } from "../runtime/redact.js";
import {
  checkKeys,
  checkNumber,
  checkRegion,
  checkSignal,
  checkString,
  checkStrings,
  checkType,
  expected,
  nearest,
  resolveBoolean,
  resolveNumber,
  unknownOption,
  word,
} from "../runtime/validators.js";
import { spanPartitions } from "../sts/check-request.js";
import {
  DEFAULTS,
  type PreflightOptions,
  type ResilienceOptions,
  type ResolvedOptions,
  type WebIdentityInit,
} from "./options.js";

const PREFLIGHT_MODES = ["advisory", "strict", "off"];
const ONE_MODE = 'to be "advisory", "strict" or "off"';
const RETRY_KEYS = ["maxAttempts", "baseDelayMs", "maxDelayMs", "budgetMs"];
const REFRESH_KEYS = ["advisoryWindowSeconds", "mandatoryWindowSeconds", "aheadOfTime"];
const PREFLIGHT_KEYS = ["mode", "audiences", ...PREFLIGHT_SETTINGS];

/**
 * The options with their defaults.
 *
 * @throws TypeError that names the option, for a value that can't work.
 */
export function resolveOptions(init: WebIdentityInit): ResolvedOptions {
  checkSdkFields(init);
  checkRegion("region", init.region);
  checkType("onEvent", init.onEvent, "function");
  checkSignal("signal", init.signal);
  checkStore(init.store);
  return {
    retry: resolveRetry(init.retry),
    attemptTimeoutMs: resolveNumber("attemptTimeoutMs", init.attemptTimeoutMs, {
      fallback: DEFAULTS.attemptTimeoutMs,
      min: 100,
      max: 300_000,
    }),
    callerTimeoutMs: resolveCallerTimeout(init.callerTimeoutMs),
    ...resolveFailover(init),
    preflight: resolvePreflight(init),
    refresh: resolveRefresh(init),
    serveExpired: resolveBoolean("serveExpired", init.serveExpired, DEFAULTS.serveExpired),
    retryAccessDenied: resolveBoolean(
      "retryAccessDenied",
      init.retryAccessDenied,
      DEFAULTS.retryAccessDenied,
    ),
    validateToken: resolveBoolean("validateToken", init.validateToken, DEFAULTS.validateToken),
  };
}

function checkSdkFields(init: WebIdentityInit): void {
  checkString("roleSessionName", init.roleSessionName);
  checkString("policy", init.policy);
  checkString("providerId", init.providerId);
  checkDuration(init.durationSeconds);
  checkType("clientConfig", init.clientConfig, "object");
  checkType("parentClientConfig", init.parentClientConfig, "object");
  checkType("logger", init.logger, "object");
  checkType("roleAssumerWithWebIdentity", init.roleAssumerWithWebIdentity, "function");
  checkObjects("policyArns", init.policyArns, "to be an array of objects with `arn`");
  checkObjects("clientPlugins", init.clientPlugins, "to be an array of client plugins");
  const { endpoint, region } = init.clientConfig ?? {};
  if (typeof region === "string") checkRegion("clientConfig.region", region);
  // The SDK reads `sts.local:443` as a URL without a host, and would send the token elsewhere.
  if (typeof endpoint === "string" && !/^https?:\/\//i.test(endpoint)) {
    throw expected("clientConfig.endpoint", "to be a URL with https:// or http://", word(endpoint));
  }
}

function checkObjects(name: string, value: unknown, what: string): void {
  const isList = Array.isArray(value) && value.every((entry) => typeof entry === "object" && entry);
  if (value !== undefined && !isList) throw expected(name, what, value);
}

/**
 * Refuses a duration that no STS accepts. The limits of AWS are checked later, when the endpoint is known:
 * the environment or the profile may select another implementation, with other limits.
 */
function checkDuration(durationSeconds: unknown): void {
  if (durationSeconds === undefined) return;
  if (Number.isSafeInteger(durationSeconds) && (durationSeconds as number) >= 1) return;
  const what = "to be a whole number of seconds, 1 or more";
  throw expected("durationSeconds", what, word(durationSeconds));
}

function resolveCallerTimeout(callerTimeoutMs: number | undefined): number | undefined {
  checkNumber("callerTimeoutMs", callerTimeoutMs, { min: 1, max: MAX_TIMER_MS });
  return callerTimeoutMs;
}

function resolveRetry(retry: ResilienceOptions["retry"]): ResolvedOptions["retry"] {
  checkKeys("retry", retry, RETRY_KEYS);
  const { maxAttempts, baseDelayMs, maxDelayMs, budgetMs } = DEFAULTS.retry;
  const resolved = {
    maxAttempts: resolveNumber("retry.maxAttempts", retry?.maxAttempts, {
      fallback: maxAttempts,
      min: 1,
      max: 1_000,
    }),
    baseDelayMs: resolveNumber("retry.baseDelayMs", retry?.baseDelayMs, {
      fallback: baseDelayMs,
      min: 0,
      max: MAX_TIMER_MS,
    }),
    maxDelayMs: resolveNumber("retry.maxDelayMs", retry?.maxDelayMs, {
      fallback: maxDelayMs,
      min: 0,
      max: MAX_TIMER_MS,
    }),
    budgetMs: resolveNumber("retry.budgetMs", retry?.budgetMs, {
      fallback: budgetMs,
      min: 1,
      max: MAX_TIMER_MS,
    }),
  };
  if (!Number.isInteger(resolved.maxAttempts)) {
    throw expected("retry.maxAttempts", "to be a whole number", resolved.maxAttempts);
  }
  // A base above the maximum is a mistake only if the caller set both.
  if (
    retry?.maxDelayMs !== undefined &&
    retry.baseDelayMs !== undefined &&
    resolved.baseDelayMs > resolved.maxDelayMs
  ) {
    throw expected("retry.baseDelayMs", "to be at most `retry.maxDelayMs`", resolved.baseDelayMs);
  }
  return resolved;
}

function resolveRefresh(init: WebIdentityInit): ResolvedOptions["refresh"] {
  const { refresh = {}, durationSeconds } = init;
  checkKeys("refresh", refresh, REFRESH_KEYS);
  const { advisoryWindowSeconds: advisory, mandatoryWindowSeconds: mandatory } = refresh;
  const windows = { advisoryWindowSeconds: advisory, mandatoryWindowSeconds: mandatory };
  for (const [key, value] of Object.entries(windows)) {
    const name = `refresh.${key}`;
    checkNumber(name, value, { min: 0, max: STS_DURATION_SECONDS.max });
    if (value !== undefined && durationSeconds !== undefined && value >= durationSeconds) {
      throw expected(name, "to be less than `durationSeconds`", value);
    }
  }
  if (advisory !== undefined && mandatory !== undefined && mandatory > advisory) {
    const name = "refresh.mandatoryWindowSeconds";
    throw expected(name, "to be at most `refresh.advisoryWindowSeconds`", mandatory);
  }
  const { aheadOfTime } = DEFAULTS.refresh;
  return {
    ...windows,
    aheadOfTime: resolveBoolean("refresh.aheadOfTime", refresh.aheadOfTime, aheadOfTime),
  };
}

function resolveFailover(
  init: WebIdentityInit,
): Pick<ResolvedOptions, "failoverRegions" | "hedgeAfterMs"> {
  const { failoverRegions = DEFAULTS.failoverRegions, hedgeAfterMs, region, clientConfig } = init;
  checkStrings("failoverRegions", failoverRegions);
  for (const name of failoverRegions) checkRegion("failoverRegions", name);
  checkNumber("hedgeAfterMs", hedgeAfterMs, { min: 10, max: 60_000 });
  // At `attemptTimeoutMs`, the first call has already ended.
  const { attemptTimeoutMs = DEFAULTS.attemptTimeoutMs } = init;
  if (hedgeAfterMs !== undefined && hedgeAfterMs >= attemptTimeoutMs) {
    throw expected("hedgeAfterMs", "to be less than `attemptTimeoutMs`", hedgeAfterMs);
  }
  if (failoverRegions.length === 0) {
    if (hedgeAfterMs === undefined) return { failoverRegions, hedgeAfterMs };
    throw expected("failoverRegions", "to be set together with `hedgeAfterMs`", undefined);
  }
  if (init.roleAssumerWithWebIdentity !== undefined) {
    const what = "to be left out with `roleAssumerWithWebIdentity`, which may call any service";
    throw expected("failoverRegions", what, failoverRegions);
  }
  if (clientConfig?.endpoint !== undefined) {
    const what = "to be left out with `clientConfig.endpoint`, which is the same in every region";
    throw expected("failoverRegions", what, failoverRegions);
  }
  const first = typeof clientConfig?.region === "string" ? clientConfig.region : region;
  const all = [...(first === undefined ? [] : [first]), ...failoverRegions];
  if (spanPartitions(all)) {
    const shown = all.map((name) => safeText(name, 40)).join(", ");
    throw new TypeError(
      `Expected \`failoverRegions\` to be of one AWS partition with the region, got ${shown}.`,
    );
  }
  return { failoverRegions, hedgeAfterMs };
}

function resolvePreflight(init: ResilienceOptions): ResolvedOptions["preflight"] {
  const { preflight = {}, validateToken } = init;
  if (typeof preflight === "string" && !PREFLIGHT_MODES.includes(preflight)) {
    throw expected("preflight", `${ONE_MODE}, or an object`, word(preflight));
  }
  if (typeof preflight !== "string" && (typeof preflight !== "object" || preflight === null)) {
    throw expected("preflight", `${ONE_MODE}, or an object`, preflight);
  }
  const options: PreflightOptions = typeof preflight === "string" ? { mode: preflight } : preflight;
  checkKeys("preflight", options, PREFLIGHT_KEYS);
  checkStrings("preflight.audiences", options.audiences);
  checkPreflightSettings(options, "preflight.");
  // A token that is not checked may not be a JWT, and then names no issuer.
  const byDefault = validateToken === false ? "off" : DEFAULTS.preflight.mode;
  const { mode = byDefault } = options;
  if (!PREFLIGHT_MODES.includes(mode)) throw expected("preflight.mode", ONE_MODE, word(mode));
  return { ...options, mode };
}

type TokenOption = "token" | "webIdentityToken" | "webIdentityTokenFile";

/** A record, so that the compiler reports a missing name. */
const OPTIONS: Readonly<Record<keyof WebIdentityInit | "roleArn" | TokenOption, true>> = {
  token: true,
  webIdentityToken: true,
  webIdentityTokenFile: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  providerId: true,
  clientConfig: true,
  clientPlugins: true,
  roleAssumerWithWebIdentity: true,
  parentClientConfig: true,
  logger: true,
  retry: true,
  attemptTimeoutMs: true,
  callerTimeoutMs: true,
  failoverRegions: true,
  hedgeAfterMs: true,
  region: true,
  preflight: true,
  refresh: true,
  serveExpired: true,
  retryAccessDenied: true,
  validateToken: true,
  onEvent: true,
  signal: true,
  store: true,
};

/**
 * Options of the SDK's own providers. The init that a chain passes to all its providers may contain them.
 * They have no effect here, as in the SDK's `fromTokenFile`.
 */
const OF_SDK_PROVIDERS: ReadonlySet<string> = new Set([
  ...["profile", "filepath", "configFilepath", "ignoreCache", "mfaCodeProvider", "roleAssumer"],
  ...["ssoStartUrl", "ssoAccountId", "ssoRegion", "ssoRoleName", "ssoSession", "ssoClient"],
  "ec2MetadataV1Disabled",
]);

/** Where an option belongs that was passed at the top level, or under a name from another library. */
const PLACES: Readonly<Record<string, string>> = {
  ...placesIn("retry", RETRY_KEYS),
  ...placesIn("refresh", REFRESH_KEYS),
  ...placesIn("preflight", PREFLIGHT_KEYS),
  retries: "retry",
  maxRetries: "retry.maxAttempts",
  timeout: "attemptTimeoutMs",
  timeoutMs: "attemptTimeoutMs",
};

function placesIn(group: string, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, `${group}.${key}`]));
}

/**
 * Copies the options from a factory's init, which the caller may change before it creates another provider.
 * Refuses the token option of another factory, and every name that is not an option. Otherwise a misspelled
 * `roleArn` would silently select the role of the environment.
 *
 * @throws TypeError that names it, and the option that was probably meant.
 */
export function takeOptions<I extends object>(
  init: I,
  foreign: Readonly<Record<string, string>>,
): I {
  for (const [name, value] of Object.entries(init)) {
    if (value === undefined || name in OPTIONS || OF_SDK_PROVIDERS.has(name)) continue;
    const known = Object.keys(OPTIONS).filter((option) => !(option in foreign));
    const place = nearest(name, [...known, ...Object.keys(PLACES)]);
    throw unknownOption(name, place && (PLACES[place] ?? place), known);
  }
  const options: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS)) {
    // By name, because the init may be an instance of a class with getters.
    const value = (init as Record<string, unknown>)[name];
    if (value !== undefined) options[name] = Array.isArray(value) ? [...value] : value;
  }
  const other = Object.keys(foreign).find((name) => name in options);
  if (other !== undefined) {
    throw new TypeError(`\`${other}\` is not an option here; use ${foreign[other]}().`);
  }
  return options as I;
}
