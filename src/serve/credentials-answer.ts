import type { AwsCredentialIdentity } from "@smithy/types";
import { isWebIdentityError } from "../model/errors.js";
import type { ProviderStatus } from "../provider/web-identity-provider.js";
import type { Clock } from "../runtime/clock.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";

/** What {@link serveCredentials} needs of a provider: every provider of this package has it. */
export interface ServedProvider {
  (): Promise<AwsCredentialIdentity>;
  /** Tells why there are no credentials yet. */
  status?(): ProviderStatus;
}

/** One HTTP response of the endpoint. */
export interface EndpointAnswer {
  readonly status: number;
  readonly body: object;
  /** Methods that a client may use, where it used another. */
  readonly allow?: string;
}

/** boto3 and the AWS CLI wait 2 s for a response (botocore, `ContainerMetadataFetcher`), in milliseconds. */
const MAX_WAIT_MS = 1_800;

/**
 * Credentials in the shape that every SDK accepts, or 503 with what boto3 and the AWS CLI print:
 * the error code, and who must change what. A provider may be any code: whatever it returns or throws,
 * there is a response.
 */
export async function answerFor(provider: ServedProvider, clock: Clock): Promise<EndpointAnswer> {
  try {
    const credentials = await withinLimit(provider, clock);
    if (credentials === undefined) return stillFetching(provider);
    return granted(credentials, clock.now());
  } catch (error) {
    return failed(error);
  }
}

/** `undefined` when the provider has no response in time. It goes on for the next request. */
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

function granted(credentials: AwsCredentialIdentity, now: number): EndpointAnswer {
  const [accessKeyId, secretAccessKey, sessionToken] = (
    ["accessKeyId", "secretAccessKey", "sessionToken"] as const
  ).map((name) => textIn(credentials, name));
  const expires = readField(credentials, "expiration");
  if (!accessKeyId || !secretAccessKey || !sessionToken || expires === undefined) {
    // botocore fails with a KeyError over what is missing, and other SDKs refuse it.
    const message = "The provider returned credentials without a session token or an expiration.";
    return unavailable("ERR_INCOMPLETE_CREDENTIALS", message);
  }
  const accountId = textIn(credentials, "accountId");
  // A provider that reads JSON may return a string where the type says `Date`.
  const expiration = new Date(expires as Date | string);
  // The JavaScript SDK accepts an expiration in the past and signs with it.
  if (!(expiration.getTime() > now)) {
    const message = "The provider has expired credentials alone; it can't refresh them.";
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

/** The provider's status, which may be anything; `undefined` for a provider without one. */
export function statusOf(provider: ServedProvider): unknown {
  try {
    return provider.status?.();
  } catch {
    return undefined;
  }
}

function stillFetching(provider: ServedProvider): EndpointAnswer {
  const last = readField(statusOf(provider), "lastError");
  if (last !== undefined) return failed(last);
  const message = "The first credentials are still being fetched; try again in a few seconds.";
  return unavailable("ERR_NOT_READY", message);
}

/** Longer than any message of this package, in characters: a finding and its remedy are part of some. */
const MAX_MESSAGE = 4_000;

/** Reads the error as one of any code: other code can also name its errors `WebIdentityError`. */
function failed(error: unknown): EndpointAnswer {
  const [code, message] = isWebIdentityError(error)
    ? (["code", "message"] as const).map((name) => textIn(error, name))
    : [];
  if (code !== undefined && message !== undefined && ERROR_CODE.test(code)) {
    return unavailable(code, safeText(message, MAX_MESSAGE));
  }
  return unavailable("ERR_PROVIDER_FAILED", `The provider failed: ${safeCause(error).message}`);
}

const ERROR_CODE = /^ERR_[A-Z_]{1,60}$/;

function unavailable(code: string, message: string): EndpointAnswer {
  return { status: 503, body: { Code: code, Message: message } };
}
