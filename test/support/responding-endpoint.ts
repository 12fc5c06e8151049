import { HttpResponse } from "@smithy/core/protocols";
import { AttemptError, type Failure } from "../../src/model/failure.js";
import { startDeadline } from "../../src/runtime/clock.js";
import {
  type AssumeRoleInput,
  type AssumeRoleOptions,
  assumeRole,
} from "../../src/sts/assume-role.js";
import type { StsTarget } from "../../src/sts/target.js";
import { FakeClock } from "./fake-clock.js";
import { makePool } from "./make-pool.js";
import { makeTarget } from "./make-target.js";

/** A request that STS accepts. */
export const INPUT: AssumeRoleInput = {
  RoleArn: "arn:aws:iam::123456789012:role/app",
  RoleSessionName: "session",
  WebIdentityToken: "a.token.b",
};

interface SentRequest {
  /** The region that the host of the request names. */
  readonly region: string | undefined;
  readonly body: string;
  readonly abortSignal: AbortSignal | undefined;
}

/** Makes the response to a request. */
type Respond = (sent: SentRequest) => Promise<Partial<HttpResponse>>;

interface HandledRequest {
  readonly hostname: string;
  readonly body: string;
}

/** STS over a request handler that responds as the test says. */
export function respondingEndpoint(respond: Respond) {
  const clock = new FakeClock();
  const pool = makePool({ clock, random: () => 0 });
  const sent: SentRequest[] = [];
  const requestHandler = {
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    async handle(
      { hostname, body }: HandledRequest,
      { abortSignal }: { abortSignal?: AbortSignal } = {},
    ) {
      const request = { region: hostname.split(".")[1], body, abortSignal };
      sent.push(request);
      return { response: new HttpResponse({ statusCode: 200, ...(await respond(request)) }) };
    },
  } as unknown as NonNullable<StsTarget["config"]["requestHandler"]>;
  const targetIn = (region: string) => makeTarget({ region, config: { region, requestHandler } });
  const target = targetIn("eu-west-1");
  const call = (
    input: Partial<AssumeRoleInput> = {},
    options: Partial<AssumeRoleOptions> & { readonly budgetMs?: number } = {},
  ) => {
    const { budgetMs = 60_000, ...rest } = options;
    const { signal } = new AbortController();
    const deadline = startDeadline(clock, budgetMs);
    return assumeRole(
      { ...INPUT, ...input },
      { target, pool, signal, deadline, timeoutMs: 5_000, ...rest },
    );
  };
  return { clock, pool, target, targetIn, sent, call };
}

/** The failure of a call; any other outcome is an error. */
export const failureOf = (call: Promise<unknown>): Promise<Failure> =>
  call.then(
    () => Promise.reject(new Error("the call succeeded")),
    (error: unknown) => {
      if (error instanceof AttemptError) return error.failure;
      throw error;
    },
  );

/** Lets real time pass until the endpoint has received this many requests: the SDK reads its files first. */
export async function untilSent({ sent }: { readonly sent: readonly unknown[] }, times: number) {
  while (sent.length < times) await new Promise(setImmediate);
}

interface Session {
  readonly expiresAt?: number;
  /** Added to the response, outside the XML elements. */
  readonly padding?: number;
}

/** A successful response of STS. */
export function sessionXml({
  expiresAt = Date.UTC(2026, 0, 2, 4, 4, 5),
  padding = 0,
}: Session = {}): string {
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>
    <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
    <Expiration>${new Date(expiresAt).toISOString()}</Expiration></Credentials>
    </AssumeRoleWithWebIdentityResult>
  </AssumeRoleWithWebIdentityResponse>${" ".repeat(padding)}`;
}

export const bytes = (text: string) => new TextEncoder().encode(text);
/** Responds to every request with a session. */
export const granted = (session?: Session) => async () => ({ body: bytes(sessionXml(session)) });
/** Never responds. */
export const never = () => new Promise<never>(() => {});

/** Refuses every request with an error of STS. */
export const refusal =
  (code: string, { httpStatus = 400, headers = {} }: RefusalOptions = {}) =>
  async () => ({
    statusCode: httpStatus,
    headers: { "x-amzn-requestid": "r-1", ...headers },
    body: bytes(
      `<ErrorResponse><Error><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`,
    ),
  });

interface RefusalOptions {
  readonly httpStatus?: number;
  readonly headers?: Readonly<Record<string, string>>;
}
