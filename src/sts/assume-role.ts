import type { AssumeRoleWithWebIdentityCommandOutput, STSClient } from "@aws-sdk/client-sts";
import type { AwsCredentialIdentity, ResponseMetadata } from "@smithy/types";
import { AttemptError, type Failure } from "../model/failure.js";
import { canSign, STS_DURATION_SECONDS } from "../model/sts-limits.js";
import { startLimit, untilAborted, withTimeout } from "../runtime/abort.js";
import { type Clock, type Deadline, momentOf } from "../runtime/clock.js";
import type { ClientPool, StsResponse } from "./client-pool.js";
import { loadSdk } from "./load-sdk.js";
import { readFailure, shownRequestId } from "./read-failure.js";
import type { RejectedDate, ServerClock } from "./server-clock.js";
import type { StsTarget } from "./target.js";

/** Parameters of the call, exactly as the SDK passes them to a role assumer. */
export interface AssumeRoleInput {
  /** ARN of the role to assume. */
  RoleArn: string;
  /** Name of the session. */
  RoleSessionName: string;
  /** The token of the identity provider. */
  WebIdentityToken: string;
  /** Domain of an OAuth 2.0 provider that does not issue OIDC tokens. */
  ProviderId?: string;
  /** ARNs of managed policies that limit the session. */
  PolicyArns?: { arn?: string }[];
  /** Inline policy that limits the session, as JSON. */
  Policy?: string;
  /** Length of the session, in seconds. */
  DurationSeconds?: number;
}

/**
 * Credentials as the SDK's own providers return them. `$source` has the codes that report to AWS, in the
 * `User-Agent` header, how the credentials were obtained.
 */
export type AttributedCredentials = AwsCredentialIdentity & { $source?: Record<string, string> };

/** Credentials whose expiration is by this machine's clock, because callers compare it with that clock. */
export interface IssuedCredentials {
  readonly credentials: AttributedCredentials;
  /** The `Date` of the response, if it can't be right. */
  readonly rejectedDate?: RejectedDate | undefined;
}

/** Replaces the STS client, as the SDK's `roleAssumerWithWebIdentity` does. */
export type RoleAssumer = (input: AssumeRoleInput) => Promise<AttributedCredentials>;

interface CallLimits {
  readonly signal: AbortSignal;
  /** The limit of one call, in milliseconds. It starts when the call is sent, after any wait in the queue. */
  readonly timeoutMs: number;
  readonly deadline: Deadline;
}

export interface AssumeRoleOptions extends CallLimits {
  readonly target: StsTarget;
  readonly pool: ClientPool;
  /** Runs the call when the queue reaches it. The next call starts only after this one has settled. */
  readonly runCall?: (call: () => Promise<IssuedCredentials>) => Promise<IssuedCredentials>;
}

export interface AssumerOptions extends CallLimits {
  readonly clock: Clock;
}

/**
 * One AssumeRoleWithWebIdentity call: never retried, never longer than its timeout.
 *
 * @throws AttemptError, or the signal's reason.
 */
export async function assumeRole(
  input: AssumeRoleInput,
  options: AssumeRoleOptions,
): Promise<IssuedCredentials> {
  const { target, pool, signal, timeoutMs, deadline, runCall = (call) => call() } = options;
  const { clock } = pool;
  const serverClock = pool.serverClock(target);
  return pool.use(target, async ({ limit }) => {
    const request = requestName(input);
    const send = async (waiting: AbortSignal) => {
      const response = await pool.share(
        { target, request, signal: waiting },
        (client, abortSignal) => sendRequest(client, input, { clock, serverClock, abortSignal }),
      );
      const { output, date, sentAt } = response;
      const credentials = toCredentials(output, input.DurationSeconds, clock.now());
      if (credentials === undefined)
        throw new AttemptError(emptyResponse(input.WebIdentityToken, output.$metadata));
      const requestedMs = (input.DurationSeconds ?? STS_DURATION_SECONDS.default) * 1000;
      const times = { date, expiration: output.Credentials?.Expiration, requestedMs, sentAt };
      const { skewMs, rejectedDate } = serverClock.learnFromSession(times);
      const expiration = new Date((credentials.expiration?.getTime() ?? Number.NaN) - skewMs);
      return { credentials: { ...credentials, expiration }, rejectedDate };
    };
    // A wait in the queue is not the endpoint's fault: the limit of the call starts after it.
    signal.throwIfAborted();
    const reason = new AttemptError(leftInQueue(target));
    const wait = startLimit({ clock, signal, timeoutMs: deadline.remainingMs(), reason });
    try {
      return await limit.run(wait.signal, () => {
        wait.end();
        const limits = { clock, signal, timeoutMs, deadline, region: target.region };
        return runCall(() => bounded(input, limits, send));
      });
    } finally {
      wait.end();
    }
  });
}

interface RequestOptions {
  readonly clock: Clock;
  readonly serverClock: ServerClock;
  readonly abortSignal: AbortSignal;
}

/**
 * Sends the request. The SDK does not return the `Date` header of a response, so a middleware reads it,
 * and limits the length of the body.
 */
async function sendRequest(
  client: STSClient,
  input: AssumeRoleInput,
  { clock, serverClock, abortSignal }: RequestOptions,
): Promise<StsResponse> {
  const { AssumeRoleWithWebIdentityCommand } = await loadSdk();
  const command = new AssumeRoleWithWebIdentityCommand(input);
  let headers: Readonly<Record<string, string | undefined>> = {};
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      headers =
        (result.response as { headers?: Record<string, string> } | undefined)?.headers ?? {};
      return { ...result, response: await withBoundedBody(result.response, abortSignal) };
    },
    // The innermost position: it sees refusals too, before the SDK turns them into errors.
    { step: "deserialize", priority: "low", name: "boundedResponse" },
  );
  const sentAt = momentOf(clock);
  try {
    const output = await client.send(command, { abortSignal });
    return { output, date: headers.date, sentAt };
  } catch (error) {
    // Without the request ID of STS, a proxy may have sent it.
    if (headers["x-amzn-requestid"] !== undefined) serverClock.learnFromRefusal(headers.date);
    throw error;
  }
}

/** Identifies requests whose responses are interchangeable: leaves out a session name that the SDK made from the time. */
function requestName({ RoleSessionName, ...input }: AssumeRoleInput): string {
  const sessionName = /^aws-sdk-js-session-\d+$/.test(RoleSessionName) ? null : RoleSessionName;
  return JSON.stringify([sessionName, Object.entries(input)]);
}

/**
 * The same call through the user's role assumer, which may call any service. An assumer can't be aborted:
 * a response after the timeout is ignored.
 */
export function assumeRoleWith(
  assumer: RoleAssumer,
  input: AssumeRoleInput,
  options: AssumerOptions,
): Promise<IssuedCredentials> {
  return bounded(input, options, async () => {
    const credentials = await assumer(input);
    if (!canSign(credentials)) throw new AttemptError(emptyResponse(input.WebIdentityToken));
    // Which service it calls, and the clock of that service, are unknown.
    return { credentials: withDate(credentials) };
  });
}

/** An assumer that reads JSON may return a string, a number or null where the type says `Date`. */
function withDate(credentials: AttributedCredentials): AttributedCredentials {
  const { expiration, ...others } = credentials;
  const given: unknown = expiration ?? undefined;
  if (given === undefined) return others;
  return { ...others, expiration: new Date(given as Date | string | number) };
}

interface BoundedOptions extends AssumerOptions {
  readonly region?: string;
}

/** Runs a call with its timeout. Converts any error to a {@link Failure}. */
async function bounded<T>(
  input: AssumeRoleInput,
  options: BoundedOptions,
  call: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, signal, deadline, region } = options;
  const timeoutMs = Math.min(options.timeoutMs, deadline.remainingMs());
  const reason = new AttemptError(timedOut(timeoutMs, timeoutMs < options.timeoutMs));
  try {
    return await withTimeout({ clock, signal, timeoutMs, reason }, call);
  } catch (error) {
    signal.throwIfAborted();
    const failure =
      error instanceof AttemptError
        ? error.failure
        : readFailure(error, input.WebIdentityToken, clock.now());
    throw new AttemptError({ ...failure, region });
  }
}

function timedOut(timeoutMs: number, cutShort: boolean): Failure {
  const message = `no response from STS within ${Math.round(timeoutMs)} ms`;
  return { kind: "timeout", code: "TimeoutError", message, cutShort };
}

/** The retry budget ended while the call waited in the queue of its endpoint. */
function leftInQueue({ region }: StsTarget): Failure {
  const message = "too many calls to this endpoint were waiting for a response";
  return { kind: "timeout", code: "TimeoutError", message, cutShort: true, region };
}

/** A success without usable credentials. A proxy may have written anything in its headers. */
function emptyResponse(token: string, metadata?: ResponseMetadata): Failure {
  return {
    kind: "bad-response",
    message: "a success without credentials in it: a proxy or another server may have sent it",
    httpStatus: metadata?.httpStatusCode,
    requestId: shownRequestId(metadata?.requestId, token),
  };
}

/**
 * The credentials in an STS response; `undefined` when it has none. Other
 * implementations may leave out `AssumedRoleUser`, the session token and the expiration.
 */
export function toCredentials(
  output: AssumeRoleWithWebIdentityCommandOutput,
  durationSeconds: number | undefined,
  now: number,
): AttributedCredentials | undefined {
  const { Credentials: issued, AssumedRoleUser: user } = output;
  const keys = {
    accessKeyId: issued?.AccessKeyId,
    secretAccessKey: issued?.SecretAccessKey,
    ...(issued?.SessionToken && { sessionToken: issued.SessionToken }),
  };
  if (issued === undefined || !canSign(keys)) return undefined;

  const accountId = accountOf(user?.Arn);
  const scope = (issued as { CredentialScope?: string }).CredentialScope;
  return {
    ...keys,
    expiration:
      issued.Expiration ?? new Date(now + (durationSeconds ?? STS_DURATION_SECONDS.default) * 1000),
    ...(scope && { credentialScope: scope }),
    ...(accountId && { accountId }),
    $source: {
      ...(accountId && { RESOLVED_ACCOUNT_ID: "T" }),
      CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: "k",
    },
  };
}

/** `arn:aws:sts::123456789012:assumed-role/…` names the account in its fifth part. */
function accountOf(arn: string | undefined): string | undefined {
  return arn?.split(":")[4] || undefined;
}

/**
 * The longest response that is read, in bytes. A successful response of STS has 1 to 3 KiB, and at
 * most about 20 KiB: with a packed policy, and a subject and audience of the maximum length.
 */
const MAX_RESPONSE_BYTES = 1024 * 1024;

/**
 * The longest response that the SDK parses, in bytes. Its parser blocks the process for up to half a second
 * for 1 MiB. A longer response does not come from STS, and is treated as one without a body.
 */
const MAX_PARSED_BYTES = 128 * 1024;

interface RawResponse {
  readonly statusCode?: number;
  readonly body?: unknown;
}

/**
 * The same response with its body read into memory, which the SDK would do next without a limit. This
 * reads the streams of Node and of the web, from any request handler. The SDK reads any other body.
 *
 * @throws AttemptError as soon as a response is too long; any error of the body.
 */
async function withBoundedBody<A>(response: A, signal: AbortSignal): Promise<A> {
  const { body, statusCode } = (response ?? {}) as RawResponse;
  if (!isStream(body)) {
    const size = sizeOf(body);
    if (size > MAX_RESPONSE_BYTES) throw tooLong(statusCode);
    return size > MAX_PARSED_BYTES ? { ...response, body: NOTHING } : response;
  }
  const reading = body[Symbol.asyncIterator]();
  try {
    const bytes = await untilAborted(readAll(reading, statusCode), signal);
    return { ...response, body: bytes.length > MAX_PARSED_BYTES ? NOTHING : bytes };
  } catch (error) {
    // The rest is never read, so the connection is closed. Nothing waits for a read that hangs.
    (body as { destroy?: () => void }).destroy?.();
    reading.return?.().catch(() => {});
    throw error;
  }
}

async function readAll(
  reading: AsyncIterator<Uint8Array | string>,
  httpStatus: number | undefined,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reading.next();
    if (done) return Buffer.concat(chunks);
    const chunk = Buffer.from(value as Uint8Array);
    bytes += chunk.length;
    if (bytes > MAX_RESPONSE_BYTES) throw tooLong(httpStatus);
    chunks.push(chunk);
  }
}

function isStream(body: unknown): body is AsyncIterable<Uint8Array | string> {
  return (
    typeof (body as Partial<AsyncIterable<unknown>> | null)?.[Symbol.asyncIterator] === "function"
  );
}

const NOTHING = new Uint8Array(0);

/** The length of a text, of bytes or of a blob; 0 for anything else. */
function sizeOf(body: unknown): number {
  if (typeof body === "string") return body.length;
  if (ArrayBuffer.isView(body)) return body.byteLength;
  const size = (body as { size?: unknown } | null | undefined)?.size;
  return typeof size === "number" ? size : 0;
}

function tooLong(httpStatus: number | undefined): AttemptError {
  return new AttemptError({
    kind: "bad-response",
    code: "ResponseTooLong",
    message: `the response is longer than ${MAX_RESPONSE_BYTES} bytes; reading stopped there`,
    httpStatus,
  });
}
