import type { DiagnoseOptions } from "./options.js";

const TEXTS = [
  "tokenFile",
  "token",
  "roleArn",
  "roleSessionName",
  "region",
  "issuer",
  "endpointUrl",
] as const;
const SWITCHES = ["allowPrivateIssuers", "assume", "redact"] as const;

/** @throws TypeError that names the option. */
export function validateOptions(options: DiagnoseOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError("Expected the options of diagnose() to be an object.");
  }
  for (const name of TEXTS) {
    const value: unknown = options[name];
    // An empty token is for the doctor to find.
    const isText = typeof value === "string" && (value !== "" || name === "token");
    if (value !== undefined && !isText) throw expected(name, "a non-empty string");
  }
  for (const name of SWITCHES) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean") throw expected(name, "true or false");
  }
  const { failoverRegions, timeoutMs, onProgress, signal, endpointUrl } = options;
  const isList = Array.isArray(failoverRegions) && failoverRegions.every(isRegion);
  if (failoverRegions !== undefined && !isList) {
    throw expected("failoverRegions", "an array of region names");
  }
  if (options.region !== undefined && !isRegion(options.region)) {
    throw expected("region", "a region name such as eu-west-1");
  }
  if (endpointUrl !== undefined && !/^https?:$/.test(protocolOf(endpointUrl))) {
    throw expected("endpointUrl", "an http or https URL");
  }
  const isTime = typeof timeoutMs === "number" && timeoutMs >= 1_000 && timeoutMs <= 60_000;
  if (timeoutMs !== undefined && !isTime) {
    throw expected("timeoutMs", "a number from 1000 to 60000");
  }
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw expected("onProgress", "a function");
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw expected("signal", "an AbortSignal");
  }
  if (options.issuer !== undefined && (options.token ?? options.tokenFile) !== undefined) {
    throw new TypeError("Expected either `issuer` or a token, not both: a token names its issuer.");
  }
}

function isRegion(value: unknown): boolean {
  return typeof value === "string" && /^[a-z0-9-]{1,63}$/.test(value);
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}

/** The value is not told: it may be a token in the wrong place. */
function expected(name: string, what: string): TypeError {
  return new TypeError(`Expected \`${name}\` to be ${what}.`);
}
