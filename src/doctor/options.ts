import type { Environment } from "../runtime/environment.js";
import type { TokenSourceName } from "../token-sources/source-names.js";
import type { Progress } from "./diagnosis.js";

/** What {@link diagnose} looks at. Everything that is left out is read from the environment. */
export interface DiagnoseOptions {
  /** Path of the token file. @default AWS_WEB_IDENTITY_TOKEN_FILE, the profile's */
  readonly tokenFile?: string | undefined;
  /** The token itself; wins over `tokenFile`. */
  readonly token?: string | undefined;
  /**
   * The source of `resilient-sts/token-sources` that the token comes from, or `"auto"`: the one that
   * the environment names.
   * @default the token file; where none is configured, `"auto"`
   */
  readonly tokenSource?: TokenSourceName | "auto" | undefined;
  /** The audience to request from the source. @default what the source takes by default */
  readonly audience?: string | undefined;
  /**
   * The profile whose `role_arn`, `web_identity_token_file`, `role_session_name`, `duration_seconds` and
   * `region` are in use. Given here, it comes before the environment; as AWS_PROFILE, after it.
   * @default AWS_PROFILE, else "default"
   */
  readonly profile?: string | undefined;
  /** @default AWS_ROLE_ARN, the profile's `role_arn` */
  readonly roleArn?: string | undefined;
  /** @default AWS_ROLE_SESSION_NAME, the profile's, or a name of the doctor's own */
  readonly roleSessionName?: string | undefined;
  /** @default AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1 */
  readonly region?: string | undefined;
  /** Regions whose STS is measured too. @default [] */
  readonly failoverRegions?: readonly string[] | undefined;
  /** Looks at this issuer alone: no token, no STS. */
  readonly issuer?: string | undefined;
  /** An STS endpoint that is not AWS's own choice. @default AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL */
  readonly endpointUrl?: string | undefined;
  /**
   * Checks private and loopback issuers too, the latter over http as well.
   * @default false, but loopback issuers are checked where the environment has
   * `RESILIENT_STS_ALLOW_LOOPBACK_ISSUERS=true`
   */
  readonly allowPrivateIssuers?: boolean | undefined;
  /** Whether one real AssumeRoleWithWebIdentity call is made. @default true */
  readonly assume?: boolean | undefined;
  /** Masks account ids and leaves out the subject. @default false */
  readonly redact?: boolean | undefined;
  /** The whole run, in milliseconds; from 1000 to 60000. @default 18000 */
  readonly timeoutMs?: number | undefined;
  /** Is told when a step begins and ends. What it throws is ignored. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the run: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** @default process.env */
  readonly env?: Environment | undefined;
}
