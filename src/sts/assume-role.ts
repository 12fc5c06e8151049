import type { STSClient } from "@aws-sdk/client-sts";
import { AttemptError, type Failure } from "../model/failure.js";
import { startLimit, withTimeout } from "../runtime/abort.js";
import { type Clock, momentOf } from "../runtime/clock.js";
import type { Deadline } from "../runtime/deadline.js";
import type { Environment } from "../runtime/environment.js";
import { withBoundedBody } from "./bounded-answer.js";
import type { ClientPool, StsAnswer } from "./client-pool.js";
import {
  type AttributedCredentials,
  DEFAULT_DURATION_SECONDS,
  type IssuedCredentials,
  toCredentials,
} from "./credentials.js";
import { loadSdk } from "./load-sdk.js";
import { readFailure } from "./read-failure.js";
import type { ServerClock } from "./server-clock.js";
import type { StsTarget } from "./target.js";

/** Parameters of the call; to the letter what the SDK hands to a role assumer. */
export interface AssumeRoleInput {
  RoleArn: string;
  RoleSessionName: string;
  WebIdentityToken: string;
  ProviderId?: string;
  PolicyArns?: { arn?: string }[];
  Policy?: string;
  DurationSeconds?: number;
}

/** Stands in for the STS client, as the SDK's `roleAssumerWithWebIdentity` does. */
export type RoleAssumer = (input: AssumeRoleInput) => Promise<AttributedCredentials>;

interface CallLimits {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One call's own limit, in milliseconds. */
  readonly timeoutMs: number;
  readonly deadline: Deadline;
}

export interface AssumeRoleOptions extends CallLimits {
  readonly target: StsTarget;
  readonly pool: ClientPool;
  readonly env: Environment;
  /** Runs the call once it has its turn, which ends with it: the next call comes after. */
  readonly inTurn?: (call: () => Promise<IssuedCredentials>) => Promise<IssuedCredentials>;
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
  const { target, pool, env, clock, signal, deadline, inTurn = (call) => call() } = options;
  const serverClock = pool.serverClock(target, env);
  return pool.use(target, env, async ({ limit }) => {
    const name = pool.nameOf(requestName(input), target, env);
    const send = async (waiting: AbortSignal) => {
      const answer = await pool.calls.join(name, { clock, signal: waiting }, (abortSignal) =>
        // Lent for as long as anybody waits for the answer, whoever asked first.
        pool.use(target, env, ({ client }) =>
          ask(client, input, { clock, serverClock, abortSignal }),
        ),
      );
      const { output, date, sentAt } = answer;
      const credentials = toCredentials(output, input.DurationSeconds, clock.now());
      if (credentials === undefined) throw new AttemptError(emptyAnswer(output.$metadata));
      const askedMs = (input.DurationSeconds ?? DEFAULT_DURATION_SECONDS) * 1000;
      const times = { date, expiration: output.Credentials?.Expiration, askedMs, sentAt };
      const { skewMs, rejectedDate } = serverClock.session(times);
      const expiration = new Date((credentials.expiration?.getTime() ?? Number.NaN) - skewMs);
      return { credentials: { ...credentials, expiration }, rejectedDate };
    };
    // Time spent waiting for a turn is not the endpoint's fault: the call's own limit starts inside.
    signal.throwIfAborted();
    const reason = new AttemptError(noTurn(target));
    const wait = startLimit({ clock, signal, timeoutMs: deadline.remainingMs(), reason });
    try {
      return await limit.run(wait.signal, () => {
        wait.end();
        return inTurn(() => bounded(input, options, send, target.region));
      });
    } finally {
      wait.end();
    }
  });
}

interface AskOptions {
  readonly clock: Clock;
  readonly serverClock: ServerClock;
  readonly abortSignal: AbortSignal;
}

/** The call itself. The SDK keeps the `Date` of an answer to itself, so it is noted on its way in, and its body is bounded. */
async function ask(
  client: STSClient,
  input: AssumeRoleInput,
  { clock, serverClock, abortSignal }: AskOptions,
): Promise<StsAnswer> {
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
    // The innermost place: refusals pass here too, before they become errors.
    { step: "deserialize", priority: "low", name: "boundedAnswer" },
  );
  const sentAt = momentOf(clock);
  try {
    const output = await client.send(command, { abortSignal });
    return { output, date: headers.date, sentAt };
  } catch (error) {
    // Without STS's request id it may be a proxy's.
    if (headers["x-amzn-requestid"] !== undefined) serverClock.refusal(headers.date);
    throw error;
  }
}

/** Equal for requests whose answers are as good as each other: a name that is but the time tells nothing. */
function requestName({ RoleSessionName, ...input }: AssumeRoleInput): string {
  const sessionName = /^aws-sdk-js-session-\d+$/.test(RoleSessionName) ? null : RoleSessionName;
  return JSON.stringify([sessionName, Object.entries(input)]);
}

/**
 * The same through a role assumer of the user's, which asks whom it will. It cannot be aborted, only
 * left behind.
 */
export function assumeRoleWith(
  assumer: RoleAssumer,
  input: AssumeRoleInput,
  options: CallLimits,
): Promise<IssuedCredentials> {
  return bounded(input, options, async () => {
    const credentials = await assumer(input);
    if (!credentials?.accessKeyId || !credentials.secretAccessKey) {
      throw new AttemptError(emptyAnswer());
    }
    // Whom it asks, and what time it is there, is not known.
    return { credentials: withDate(credentials) };
  });
}

/** An assumer that reads JSON has a text, or a number, where the type says `Date`. */
function withDate(credentials: AttributedCredentials): AttributedCredentials {
  const expiration: unknown = credentials.expiration ?? undefined;
  if (expiration === undefined) return credentials;
  return { ...credentials, expiration: new Date(expiration as Date | string | number) };
}

/** Runs a call under its timeout and turns whatever it throws into a {@link Failure}. */
async function bounded<T>(
  input: AssumeRoleInput,
  options: CallLimits,
  call: (abortSignal: AbortSignal) => Promise<T>,
  region?: string,
): Promise<T> {
  const { clock, signal, deadline } = options;
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
  const message = `no answer from STS within ${Math.round(timeoutMs)} ms`;
  return { kind: "timeout", code: "TimeoutError", message, cutShort };
}

/** So many calls were waiting for this endpoint that the retry budget ended first. */
function noTurn({ region }: StsTarget): Failure {
  const message = "too many calls to this endpoint were waiting for an answer";
  return { kind: "timeout", code: "TimeoutError", message, cutShort: true, region };
}

function emptyAnswer(metadata?: { httpStatusCode?: number; requestId?: string }): Failure {
  return {
    kind: "bad-answer",
    message: "a success without credentials in it: a proxy or another server may have sent it",
    httpStatus: metadata?.httpStatusCode,
    requestId: metadata?.requestId,
  };
}
