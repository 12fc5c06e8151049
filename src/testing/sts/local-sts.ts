import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { checkKeys, expected } from "../../runtime/validators.js";
import { createRateLimit, FaultScript } from "../fault-script.js";
import {
  type Exchange,
  type LocalServer,
  sendResponse,
  startLoopbackServer,
  type TlsIdentity,
} from "../loopback-server.js";
import {
  type AssumeRoleOutcome,
  assumeRole,
  callerIdentity,
  Sessions,
  type TrustedProvider,
  type TrustedRole,
} from "./account.js";
import type { RoleArn } from "./assume-role-request.js";
import { KeySource } from "./issuer-keys.js";
import {
  type GrantedSession,
  type OpenStsRequest,
  type QueryRequest,
  readQueryRequest,
  recordRequest,
  type StsRequest,
  sendError,
  sendResult,
  type XmlContent,
} from "./query-protocol.js";
import {
  checkStsFault,
  playStsFault,
  type ScriptedStsFault,
  type StsFault,
  type StsFaultOptions,
} from "./sts-fault.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";

/*
 * The local STS: `local-sts.ts` receives a request over the AWS query protocol (`query-protocol.ts`),
 * plays a fault (`sts-fault.ts`) or calls an action of the account (`account.ts`), and sends the response
 * or an error (`wire-error.ts`). The account checks the request (`assume-role-request.ts`), the token
 * (`web-identity-token.ts`), its signature (`issuer-keys.ts`) and finally the trust of the role.
 */

/** An STS on a loopback port. */
export interface LocalSts extends LocalServer {
  /** The endpoint for an SDK client, the AWS CLI or botocore. */
  readonly url: string;
  /** The requests received and their outcomes, oldest first. Without tokens and secrets. */
  readonly requests: readonly StsRequest[];
  /**
   * Fails the next request, or the next `times` requests.
   *
   * @throws TypeError for a fault that STS can't play.
   */
  failNext(fault: StsFault, options?: StsFaultOptions): void;
  /**
   * Fails every request that the options select, until {@link LocalSts.clearFaults}.
   *
   * @throws TypeError for a fault that STS can't play.
   */
  setFault(fault: StsFault, options?: StsFaultOptions): void;
  /** Ends every fault. */
  clearFaults(): void;
  /** Changes the form of the responses from now on. An option that is absent keeps its value. */
  configure(responses: StsResponseOptions): void;
  /** Clears `requests`. */
  resetRequests(): void;
}

/** A part of the response that another implementation of STS may leave out. */
export type ResponseField =
  | "AssumedRoleUser"
  | "Audience"
  | "Credentials"
  | "Expiration"
  | "PackedPolicySize"
  | "Provider"
  | "SubjectFromWebIdentityToken";

/** The form of the responses. The default is the form of AWS; Ceph RGW, MinIO and others differ. */
export interface ResponseShape {
  /** Fields to leave out of the response. @default none */
  readonly omit?: readonly ResponseField[] | undefined;
  /** The precision of `Expiration`. @default "seconds" */
  readonly expirationPrecision?: "seconds" | "milliseconds" | "nanoseconds" | undefined;
}

/** The form and the content of the local STS's responses. */
export interface StsResponseOptions extends ResponseShape {
  /**
   * The lifetime of the credentials, in seconds, in place of the requested one. A negative one makes
   * expired credentials. @default the requested duration
   */
  readonly credentialLifetimeSeconds?: number | undefined;
}

/** How to start a {@link LocalSts}. */
export interface LocalStsOptions extends StsResponseOptions {
  /**
   * The OIDC providers of the account. A `LocalIdp` can be passed as one.
   * @default every issuer on the loopback address, with any audience
   */
  readonly providers?: readonly TrustedProvider[];
  /** Roles of the account. @default every role exists and trusts every valid token */
  readonly roles?: readonly TrustedRole[];
  /** Port to listen on. @default an ephemeral port */
  readonly port?: number;
  /** Serves HTTPS. @default HTTP */
  readonly tls?: TlsIdentity;
  /** The host name in `url`; it must resolve to 127.0.0.1. @default "127.0.0.1" */
  readonly host?: string;
  /** PEM certificates to trust for an HTTPS issuer. @default those of Node.js */
  readonly ca?: string | Buffer;
  /**
   * The timeout for the discovery document and the JWKS together, in milliseconds. When STS reaches
   * it, STS reports that it can't retrieve the verification key. @default 5000
   */
  readonly idpTimeoutMs?: number;
  /**
   * How long STS caches a JWKS, in seconds, whatever its headers are; 0 never caches it.
   * @default according to its headers
   */
  readonly jwksCacheSeconds?: number;
  /** Milliseconds since the epoch: for tokens, credentials, caches and `Date`. @default Date.now */
  readonly now?: () => number;
  /** Returns a number from 0 to 1, for faults with a probability. @default Math.random */
  readonly random?: () => number;
}

/** Records, so that the compiler reports a missing name. */
const RESPONSE_KEYS: Readonly<Record<keyof StsResponseOptions, true>> = {
  omit: true,
  expirationPrecision: true,
  credentialLifetimeSeconds: true,
};
const FAULT_KEYS: Readonly<Record<keyof StsFaultOptions, true>> = {
  times: true,
  probability: true,
  when: true,
  delayMs: true,
  retryAfterSeconds: true,
  httpStatus: true,
  limit: true,
};
const STS_KEYS: Readonly<Record<keyof LocalStsOptions, true>> = {
  ...RESPONSE_KEYS,
  providers: true,
  roles: true,
  port: true,
  tls: true,
  host: true,
  ca: true,
  idpTimeoutMs: true,
  jwksCacheSeconds: true,
  now: true,
  random: true,
};

/**
 * Starts an STS on a loopback port: AssumeRoleWithWebIdentity, which verifies tokens as AWS was
 * observed to do, and GetCallerIdentity, with faults on demand.
 *
 * @throws TypeError for an option out of its range, and the system error (`EADDRINUSE`) when another
 * process uses the port.
 *
 * @example
 * ```ts
 * import { STSClient } from "@aws-sdk/client-sts";
 * import { startLocalIdp, startLocalSts } from "resilient-sts/testing";
 *
 * await using idp = await startLocalIdp();
 * await using sts = await startLocalSts({ providers: [idp] });
 * const client = new STSClient({ endpoint: sts.url, region: "us-east-1" });
 * sts.failNext("throttled", { times: 2, retryAfterSeconds: 1 });
 * ```
 */
export async function startLocalSts(options: LocalStsOptions = {}): Promise<LocalSts> {
  checkKeys("startLocalSts", options, Object.keys(STS_KEYS));
  const { providers, roles, now = Date.now, random = Math.random, tls } = options;
  const { idpTimeoutMs = STS_ISSUER_TIMEOUT_MS, jwksCacheSeconds, ca } = options;
  for (const [name, list] of Object.entries({ providers, roles })) {
    if (list === undefined || Array.isArray(list)) continue;
    throw expected(name, "to be an array", list);
  }
  if (!(idpTimeoutMs > 0)) {
    throw new TypeError(`Expected \`idpTimeoutMs\` to be a positive number, got ${idpTimeoutMs}`);
  }
  const keySource = new KeySource({ now, idpTimeoutMs, jwksCacheSeconds, ca });
  const sessions = new Sessions();
  const account = { now, providers, roles, keySource, sessions };
  const faults = new FaultScript<ScriptedStsFault, StsRequest>(random);
  const requests: OpenStsRequest[] = [];
  let responses: StsResponseOptions = options;

  async function act(
    request: QueryRequest,
    record: OpenStsRequest,
    signal: AbortSignal,
  ): Promise<XmlContent> {
    switch (record.action) {
      case "AssumeRoleWithWebIdentity": {
        const { credentialLifetimeSeconds } = responses;
        const { parameters } = request;
        const outcome = await assumeRole(account, {
          parameters,
          credentialLifetimeSeconds,
          signal,
        });
        record.granted = grantedSession(outcome);
        return assumeRoleResult(outcome, responses);
      }
      case "GetCallerIdentity":
        return callerIdentity(request, sessions, now());
      default:
        throw new StsRefusal(WIRE_ERRORS.invalidAction(record.action));
    }
  }

  async function onRequest(exchange: Exchange): Promise<void> {
    const request = await readQueryRequest(exchange.request);
    if (!request) {
      sendResponse(exchange, { httpStatus: 413, body: "", headers: { connection: "close" } });
      return;
    }
    const record = recordRequest(request, now(), exchange.connection);
    requests.push(record);
    const { signal } = exchange;
    try {
      const fault = faults.take(record);
      if (fault && (await playStsFault(fault, { exchange, record, now }))) return;
      const result = await act(request, record, signal);
      record.outcome = "ok";
      sendResult(exchange, now(), { action: record.action, result });
    } catch (error) {
      const refusal = error instanceof StsRefusal ? error.response : undefined;
      record.outcome = signal.aborted ? "aborted" : (refusal?.code ?? "failed");
      if (!refusal) throw error;
      sendError(exchange, now(), refusal);
    }
  }

  function setFault(fault: StsFault, how: StsFaultOptions = {}): void {
    checkKeys("options", how, Object.keys(FAULT_KEYS));
    checkStsFault(fault, how);
    const { when = () => true, limit } = how;
    const isOverLimit = limit ? createRateLimit(limit, now) : () => true;
    faults.add({ fault, options: how }, { ...how, when: (each) => when(each) && isOverLimit() });
  }

  const server = await startLoopbackServer({ port: options.port, tls, onRequest });
  return {
    url: `${tls ? "https" : "http"}://${options.host ?? "127.0.0.1"}:${server.port}`,
    port: server.port,
    get connections() {
      return server.connections;
    },
    requests,
    failNext: (fault, how) => setFault(fault, { ...how, times: how?.times ?? 1 }),
    setFault,
    clearFaults: () => faults.clear(),
    configure(changes) {
      checkKeys("configure", changes, Object.keys(RESPONSE_KEYS));
      responses = { ...responses, ...changes };
    },
    resetRequests() {
      requests.length = 0;
    },
    refuseConnections: server.refuseConnections,
    acceptConnections: server.acceptConnections,
    close: server.close,
    [Symbol.asyncDispose]: server.close,
  };
}

function grantedSession(outcome: AssumeRoleOutcome): GrantedSession {
  const { tags, transitiveTagKeys, sourceIdentity } = outcome;
  const { accessKeyId, arn, expiresAt } = outcome.session;
  return { accessKeyId, arn, expiresAt, tags, transitiveTagKeys, sourceIdentity };
}

/** The content of the result element. */
function assumeRoleResult(outcome: AssumeRoleOutcome, shape: ResponseShape): XmlContent {
  const { role, identity, session, packedSize, sourceIdentity } = outcome;
  const omitted = new Set(shape.omit);
  const unless = (field: ResponseField, content: XmlContent) =>
    omitted.has(field) ? undefined : content;
  return {
    SubjectFromWebIdentityToken: unless("SubjectFromWebIdentityToken", identity.subject),
    Audience: unless("Audience", identity.audience),
    AssumedRoleUser: unless("AssumedRoleUser", {
      AssumedRoleId: session.assumedRoleId,
      Arn: session.arn,
    }),
    Credentials: unless("Credentials", {
      AccessKeyId: session.accessKeyId,
      SecretAccessKey: session.secretAccessKey,
      SessionToken: session.sessionToken,
      Expiration: unless("Expiration", printTime(session.expiresAt, shape)),
    }),
    PackedPolicySize: unless("PackedPolicySize", packedSize),
    Provider: unless("Provider", providerArn(role, identity.issuer)),
    SourceIdentity: sourceIdentity,
  };
}

/** The provider's ARN is its issuer without the scheme. */
function providerArn({ partition, accountId }: RoleArn, issuer: string): string {
  return `arn:${partition}:iam::${accountId}:oidc-provider/${issuer.replace(/^https?:\/\//, "")}`;
}

function printTime(epochMs: number, { expirationPrecision }: ResponseShape): string {
  const text = new Date(epochMs).toISOString();
  if (expirationPrecision === "milliseconds") return text;
  return text.replace(/\.(\d+)Z$/, expirationPrecision === "nanoseconds" ? ".$1456789Z" : "Z");
}
