import { STS_ISSUER_TIMEOUT_MS } from "../../model/sts-limits.js";
import { expected } from "../../runtime/validators.js";
import { sendAnswer } from "../answer.js";
import { FaultScript } from "../fault-script.js";
import { type Exchange, startLoopbackServer } from "../loopback-server.js";
import { createRateLimit } from "../rate-limit.js";
import { assumeRole } from "./assume-role.js";
import { type AssumeRoleAnswer, assumeRoleResult } from "./assume-role-answer.js";
import { callerIdentity } from "./caller-identity.js";
import { checkStsFault } from "./check-sts-fault.js";
import { KeySource } from "./key-source.js";
import { playStsFault, type ScriptedStsFault } from "./play-sts-fault.js";
import { type QueryRequest, readQueryRequest } from "./query-request.js";
import {
  type GrantedSession,
  type OpenStsRequest,
  recordRequest,
  type StsRequest,
} from "./request-log.js";
import { Sessions } from "./sessions.js";
import { sendError, sendResult } from "./sts-answer.js";
import type { StsFault, StsFaultOptions } from "./sts-fault.js";
import type { LocalSts, LocalStsOptions, StsAnswerOptions } from "./sts-interface.js";
import { StsRefusal, WIRE_ERRORS } from "./wire-error.js";
import type { XmlContent } from "./xml.js";

/**
 * Starts an STS on a loopback port: AssumeRoleWithWebIdentity, which verifies tokens as AWS was seen
 * to do it, and GetCallerIdentity, with faults on demand.
 *
 * @throws TypeError for an option that makes no sense, and the system's error (`EADDRINUSE`) when
 * the port is taken.
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
  const faults = new FaultScript<ScriptedStsFault, StsRequest>(random);
  const requests: OpenStsRequest[] = [];
  let answers: StsAnswerOptions = options;

  async function act(
    request: QueryRequest,
    record: OpenStsRequest,
    signal: AbortSignal,
  ): Promise<XmlContent> {
    switch (record.action) {
      case "AssumeRoleWithWebIdentity": {
        const { credentialLifetimeSeconds } = answers;
        const context = { now, providers, roles, keySource, sessions, credentialLifetimeSeconds };
        const answer = await assumeRole(request.parameters, context, signal);
        record.granted = grantedSession(answer);
        return assumeRoleResult(answer, answers);
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
      sendAnswer(exchange, 413, "", { connection: "close" });
      return;
    }
    const record = recordRequest(request, now(), exchange.connection);
    requests.push(record);
    const { signal } = exchange;
    try {
      const fault = faults.take(record);
      if (fault && (await playStsFault(fault, exchange, record, now))) return;
      const result = await act(request, record, signal);
      record.outcome = "ok";
      sendResult(exchange, now(), record.action, result);
    } catch (error) {
      const refusal = error instanceof StsRefusal ? error.answer : undefined;
      record.outcome = signal.aborted ? "aborted" : (refusal?.code ?? "failed");
      if (!refusal) throw error;
      sendError(exchange, now(), refusal);
    }
  }

  function setFault(fault: StsFault, how: StsFaultOptions = {}): void {
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
      answers = { ...answers, ...changes };
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

function grantedSession(answer: AssumeRoleAnswer): GrantedSession {
  const { tags, transitiveTagKeys, sourceIdentity } = answer;
  const { accessKeyId, arn, expiresAt } = answer.session;
  return { accessKeyId, arn, expiresAt, tags, transitiveTagKeys, sourceIdentity };
}
