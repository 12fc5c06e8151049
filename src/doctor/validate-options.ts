import {
  checkRegion,
  checkSignal,
  checkString,
  checkStrings,
  checkType,
  expected,
  resolveNumber,
  word,
} from "../runtime/validators.js";
import { TOKEN_SOURCE_NAMES } from "../token-sources/source-names.js";
import type { DiagnoseOptions } from "./options.js";

const TEXTS = [
  ...(["tokenFile", "audience", "profile", "roleArn", "roleSessionName"] as const),
  ...(["issuer", "endpointUrl"] as const),
] as const;
const SWITCHES = ["allowPrivateIssuers", "assume", "redact"] as const;

/** @throws TypeError that names the option. */
export function validateOptions(options: DiagnoseOptions): void {
  checkType("options", options ?? null, "object");
  for (const name of TEXTS) checkString(name, options[name]);
  for (const name of SWITCHES) checkType(name, options[name], "boolean");
  const { token, issuer, region, failoverRegions = [], endpointUrl } = options;
  // An empty token is for the doctor to find.
  if (token !== "") checkString("token", token);
  if (region !== undefined) checkAwsRegion("region", region);
  checkStrings("failoverRegions", failoverRegions);
  for (const name of failoverRegions) checkAwsRegion("failoverRegions", name);
  if (endpointUrl !== undefined && !/^https?:$/.test(protocolOf(endpointUrl))) {
    throw expected("endpointUrl", "to be an http or https URL", endpointUrl);
  }
  resolveNumber("timeoutMs", options.timeoutMs, 0, 1_000, 60_000);
  checkType("onProgress", options.onProgress, "function");
  checkSignal(options.signal);
  const { tokenSource } = options;
  if (tokenSource !== undefined) {
    const known = ["auto", ...TOKEN_SOURCE_NAMES];
    if (!known.includes(tokenSource)) {
      throw expected("tokenSource", `to be one of ${known.join(", ")}`, word(tokenSource));
    }
    if ((token ?? options.tokenFile ?? issuer) !== undefined) {
      throw new TypeError("Expected one of `tokenSource`, `token`, `tokenFile` and `issuer`.");
    }
  }
  if (issuer !== undefined && (token ?? options.tokenFile) !== undefined) {
    throw new TypeError("Expected either `issuer` or a token, not both: a token names its issuer.");
  }
}

/** The SDK takes capitals too, which services then do not find in their signatures. */
function checkAwsRegion(name: string, region: string): void {
  checkRegion(name, region);
  if (region === region.toLowerCase()) return;
  throw expected(name, "to be in lower case, such as eu-west-1", word(region));
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
