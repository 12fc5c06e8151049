import type { AwsCredentialIdentity } from "@smithy/types";
import { isWebIdentityError } from "../model/errors.js";
import { callListener } from "../model/events.js";
import { canSign } from "../model/sts-limits.js";
import type { ProviderStatus } from "../provider/web-identity-provider.js";
import type { Clock } from "../runtime/clock.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";

/** What {@link serveCredentials} needs of a provider: every provider of this package has it. */
export interface ServedProvider {
  (): Promise<AwsCredentialIdentity>;
  /** Its `lastError` explains why there are no credentials yet. */
  status?(): ProviderStatus;
}

/** One HTTP response of the endpoint. */
export interface EndpointResponse {
  readonly status: number;
  readonly body: object;
  /** Methods that a client may use, where it used another. */
  readonly allow?: string;
}

/** boto3 and the AWS CLI wait 2 s for a response (botocore, `ContainerMetadataFetcher`), in milliseconds. */
const MAX_WAIT_MS = 1_800;

/**
 * Responds with credentials in the format that every SDK accepts, or with 503 and what boto3 and the
 * AWS CLI print: the error code, and who must change what. The provider may be the user's own code:
 * whatever it returns or throws, there is a response.
 */
export async function responseFor(
  provider: ServedProvider,
  clock: Clock,
): Promise<EndpointResponse> {
  try {
    const credentials = await withinLimit(provider, clock);
    if (credentials === undefined) return stillFetching(provider);
    return granted(credentials, clock.now());
  } catch (error) {
    return failed(error);
  }
}

/** The provider's credentials, or `undefined` if they take too long. The provider continues: a later request
 * gets its result. */
function withinLimit(
  provider: ServedProvider,
  clock: Clock,
): Promise<AwsCredentialIdentity | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(MAX_WAIT_MS, () => resolve(undefined));
    // `async` turns a synchronous throw into a rejection.
    (async () => provider())().then(resolve, reject).finally(cancel);
  });
}

function granted(credentials: AwsCredentialIdentity, now: number): EndpointResponse {
  const [accessKeyId, secretAccessKey, sessionToken] = (
    ["accessKeyId", "secretAccessKey", "sessionToken"] as const
  ).map((name) => textIn(credentials, name));
  const expires = readField(credentials, "expiration");
  if (!accessKeyId || !secretAccessKey || !sessionToken || expires === undefined) {
    // botocore fails with a KeyError for a missing field, and other SDKs refuse the response.
    const message =
      "The provider returned credentials without a key, a session token or an expiration. Workload: serve a provider of temporary credentials.";
    return unavailable("ERR_INCOMPLETE_CREDENTIALS", message);
  }
  if (!canSign({ accessKeyId, secretAccessKey, sessionToken })) {
    const message =
      "The provider returned credentials that no request can be signed with: they contain a blank, a line break or a control character. Workload: check where the provider reads them, for example a file with a line break at its end.";
    return unavailable("ERR_UNUSABLE_CREDENTIALS", message);
  }
  const accountId = textIn(credentials, "accountId");
  // A provider that reads JSON may return a string where the type says `Date`.
  const expiration = new Date(expires as Date | string);
  // The JavaScript SDK accepts an expiration in the past and signs with it.
  if (!(expiration.getTime() > now)) {
    const message = "The provider returned expired credentials: it could not refresh them.";
    return unavailable("ERR_EXPIRED_CREDENTIALS", message);
  }
  return {
    status: 200,
    body: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: sessionToken,
      // With `Z`: the JavaScript SDK refuses an offset such as +00:00.
      Expiration: expiration.toISOString(),
      ...(accountId !== undefined && { AccountId: accountId }),
    },
  };
}

function textIn(credentials: unknown, name: string): string | undefined {
  const value = readField(credentials, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The provider's status, whatever its type; `undefined` for a provider without one. */
export function statusOf(provider: ServedProvider): unknown {
  let status: unknown;
  // Other code's may be async: its rejection must not end the process.
  callListener(
    () => {
      status = provider.status?.();
      return status;
    },
    () => {},
  );
  return status;
}

function stillFetching(provider: ServedProvider): EndpointResponse {
  const last = readField(statusOf(provider), "lastError");
  if (last !== undefined) return failed(last);
  const message = "The first credentials are still being fetched; try again in a few seconds.";
  return unavailable("ERR_NOT_READY", message);
}

/** Longer than any message of this package, in characters. Some messages contain a finding and its remedy. */
const MAX_MESSAGE = 4_000;

/** Trusts no field of the error: code outside this package can also name its errors `WebIdentityError`. */
function failed(error: unknown): EndpointResponse {
  const [code, message] = isWebIdentityError(error)
    ? (["code", "message"] as const).map((name) => textIn(error, name))
    : [];
  if (code !== undefined && message !== undefined && ERROR_CODE.test(code)) {
    return unavailable(code, safeText(message, MAX_MESSAGE));
  }
  return unavailable("ERR_PROVIDER_FAILED", `The provider failed: ${safeCause(error).message}`);
}

const ERROR_CODE = /^ERR_[A-Z_]{1,60}$/;

function unavailable(code: string, message: string): EndpointResponse {
  return { status: 503, body: { Code: code, Message: message } };
}
