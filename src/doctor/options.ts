import type { CredentialStore } from "../model/credential-store.js";
import type { Environment } from "../runtime/environment.js";
import {
  checkKeys,
  checkNumber,
  checkRegion,
  checkSignal,
  checkStore,
  checkString,
  checkStrings,
  checkType,
  expected,
  word,
} from "../runtime/validators.js";
import { TOKEN_SOURCE_NAMES, type TokenSourceName } from "../token-sources/source-names.js";
import type { Progress } from "./diagnosis.js";

/** Options of {@link diagnose}. What is left out is read from the environment. */
export interface DiagnoseOptions {
  /** Path of the token file. @default AWS_WEB_IDENTITY_TOKEN_FILE, the profile's */
  readonly tokenFile?: string | undefined;
  /** The token itself; wins over `tokenFile`. */
  readonly token?: string | undefined;
  /**
   * The source from `resilient-sts/token-sources` that provides the token, or `"auto"`: the one that
   * the environment names.
   * @default the token file; where none is configured, `"auto"`
   */
  readonly tokenSource?: TokenSourceName | "auto" | undefined;
  /** The audience to request from the source. @default the source's own default */
  readonly audience?: string | undefined;
  /**
   * The profile whose `role_arn`, `web_identity_token_file`, `role_session_name`, `duration_seconds` and
   * `region` apply. As an option, the profile comes before the environment; as AWS_PROFILE, after it.
   * @default AWS_PROFILE, else "default"
   */
  readonly profile?: string | undefined;
  /** ARN of the role to assume. @default AWS_ROLE_ARN, the profile's `role_arn` */
  readonly roleArn?: string | undefined;
  /** Name of the session. @default AWS_ROLE_SESSION_NAME, the profile's, `resilient-sts-doctor` */
  readonly roleSessionName?: string | undefined;
  /** Region whose STS is called. @default AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1 */
  readonly region?: string | undefined;
  /** Regions whose STS is measured too. @default [] */
  readonly failoverRegions?: readonly string[] | undefined;
  /** Checks this issuer alone, without a token and without STS. */
  readonly issuer?: string | undefined;
  /** URL of the STS endpoint. @default AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the region's endpoint */
  readonly endpointUrl?: string | undefined;
  /**
   * Allows requests to issuers on private and loopback addresses, to the latter over http as well.
   * @default false, but loopback issuers are allowed where the environment has
   * `RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS=true`
   */
  readonly allowPrivateIssuers?: boolean | undefined;
  /**
   * A shared store to check: whether it answers, its clock, its keys, and a round trip under a key of
   * the doctor's own, which is removed afterwards.
   */
  readonly store?: CredentialStore | undefined;
  /** Whether to make one real AssumeRoleWithWebIdentity call. @default true */
  readonly assume?: boolean | undefined;
  /** Whether to mask account ids and leave out the subject. @default false */
  readonly redact?: boolean | undefined;
  /** Limit of the whole run, in milliseconds, from 1000 to 60000. When it is reached, the run ends with what was found. @default 18000 */
  readonly timeoutMs?: number | undefined;
  /** Called when a step begins and when it ends. Errors that it throws are ignored. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the run. The promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Environment variables to read. @default process.env */
  readonly env?: Environment | undefined;
}

const TEXTS = [
  ...(["tokenFile", "audience", "profile", "roleArn", "roleSessionName"] as const),
  ...(["issuer", "endpointUrl"] as const),
] as const;
const SWITCHES = ["allowPrivateIssuers", "assume", "redact"] as const;
const OTHERS = [
  ...(["token", "tokenSource", "region", "failoverRegions", "store", "timeoutMs"] as const),
  ...(["onProgress", "signal", "env"] as const),
] as const;
const KNOWN = [...TEXTS, ...SWITCHES, ...OTHERS] satisfies (keyof DiagnoseOptions)[];

/** @throws TypeError that names the option. */
export function validateOptions(options: DiagnoseOptions): void {
  checkKeys("options", options ?? null, KNOWN);
  for (const name of TEXTS) checkString(name, options[name]);
  for (const name of SWITCHES) checkType(name, options[name], "boolean");
  const { token, issuer, region, failoverRegions = [], endpointUrl } = options;
  // An empty token is a finding, not a misuse.
  if (token !== "") checkString("token", token);
  if (region !== undefined) checkAwsRegion("region", region);
  checkStrings("failoverRegions", failoverRegions);
  for (const name of failoverRegions) checkAwsRegion("failoverRegions", name);
  if (endpointUrl !== undefined && !/^https?:$/.test(protocolOf(endpointUrl))) {
    throw expected("endpointUrl", "to be an http or https URL", endpointUrl);
  }
  checkNumber("timeoutMs", options.timeoutMs, { min: 1_000, max: 60_000 });
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
  checkStore(options.store);
  if (issuer !== undefined && (token ?? options.tokenFile) !== undefined) {
    throw new TypeError("Expected either `issuer` or a token, not both: a token names its issuer.");
  }
}

/** The SDK accepts capital letters too, but services reject the signatures. */
function checkAwsRegion(name: string, region: string): void {
  checkRegion(name, region);
  if (region === region.toLowerCase()) return;
  throw expected(name, "to be in lower case, such as eu-west-1", word(region));
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
