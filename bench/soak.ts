import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { HttpResponse } from "@smithy/core/protocols";
import { createProvider } from "../src/provider/create-provider.js";
import { ClientPool } from "../src/sts/client-pool.js";
import { startLocalIdp } from "../src/testing/index.js";
import { lineChart } from "./chart.js";
import { REGION, ROLE_ARN } from "./in-process.js";
import { figure, type PartResult } from "./report.js";
import { FakeClock } from "./support/fake-clock.js";
import { seededRandom } from "./support/seeded-random.js";

const CALLS = 1_000_000;
const REFRESHES = 5_000;
const LIFETIME_MS = 3_600_000;
/** Longer than the wait for the ahead-of-time refresh, so that every round has one. */
const STEP_MS = 50 * 60_000;
/** Lazily compiled code and the pools of the runtime settle in the first tenth. */
const SETTLED_SHARE = 0.1;
const SAMPLES = 20;
/** The most by which a flat heap may change. */
const FLAT_MIB = 1;

/** A million calls and five thousand refreshes through the real SDK client, in virtual time. */
export async function soakPart(): Promise<PartResult> {
  setFlagsFromString("--expose-gc");
  const collectGarbage: () => void = runInNewContext("gc");
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  const clock = new SoakClock(Date.now());
  const token = await idp.issueToken({ expiresInSeconds: 10 * 365 * 86_400 });
  const handler = new RespondingHandler(clock.now);
  const seams = { clock, env: {}, random: seededRandom(1) };
  const provider = createProvider(
    () => ({
      source: async () => token,
      sourceName: "the token",
      roleArn: ROLE_ARN,
      roleSessionName: "bench",
      marks: {},
    }),
    {
      preflight: "off",
      onEvent: ({ type }) => {
        clock.isRefreshing = type === "token.loaded";
      },
      clientConfig: { endpoint: "http://127.0.0.1:9", region: REGION, requestHandler: handler },
    },
    { ...seams, pool: new ClientPool(seams) },
  );
  // Virtual time does not advance while the SDK is loading.
  await provider();
  const heap: (readonly [refreshes: number, mib: number])[] = [];
  const callsEach = CALLS / REFRESHES;
  let calls = 0;
  let failed = 0;
  for (let round = 0; round <= REFRESHES; round += 1) {
    if (round % (REFRESHES / SAMPLES) === 0) {
      // The clock records every delay for tests; here they would fill the heap.
      clock.scheduled.length = 0;
      collectGarbage();
      heap.push([round, process.memoryUsage().heapUsed / 2 ** 20]);
    }
    for (let call = 0; call < callsEach; call += 1) {
      calls += 1;
      await provider().catch(() => {
        failed += 1;
      });
    }
    const served = handler.calls;
    await clock.advance(STEP_MS);
    // The background refresh takes a few turns of the event loop, and no virtual time.
    while (handler.calls === served) await clock.flush();
    await clock.flush();
  }
  provider.close();
  const settled = heap.filter(([round]) => round >= REFRESHES * SETTLED_SHARE);
  const [from = 0, to = 0] = [settled[0]?.[1], settled.at(-1)?.[1]];
  const growth = to - from;
  return {
    tables: [
      {
        title: "Soak: the heap after garbage collections",
        note: "Calls go through the SDK's client; a request handler in memory replaces the network.",
        columns: [
          "",
          "calls",
          "refreshes",
          "failed",
          "heap after 10 %",
          "heap at the end",
          "growth",
        ],
        rows: [
          [
            "ours",
            figure(calls),
            figure(handler.calls),
            figure(failed),
            figure(from, "MiB"),
            figure(to, "MiB"),
            figure(growth, "MiB"),
          ],
        ],
      },
    ],
    promises: [
      {
        what: `the heap over ${figure(CALLS)} calls and ${figure(REFRESHES)} refreshes`,
        limit: `flat (± ${FLAT_MIB} MiB after the first tenth), no failed call`,
        measured: `${figure(growth, "MiB")}, ${failed} failed`,
        kept: Math.abs(growth) <= FLAT_MIB && failed === 0 && handler.calls >= REFRESHES,
      },
    ],
    charts: {
      "soak.svg": lineChart(
        { title: "Heap over a million calls", xName: "refreshes", yName: "MiB" },
        [{ name: "ours", points: heap }],
      ),
    },
  };
}

/**
 * A refresh takes turns of the event loop and no virtual time. Virtual time does not advance during a
 * refresh, or its time limits would expire before it reads the response.
 */
class SoakClock extends FakeClock {
  isRefreshing = false;

  override async flush(): Promise<void> {
    do await super.flush();
    while (this.isRefreshing);
  }
}

/** STS without a network: credentials that are valid for an hour of the clock. */
class RespondingHandler {
  calls = 0;
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  async handle() {
    this.calls += 1;
    const expiration = new Date(this.#now() + LIFETIME_MS).toISOString();
    const body = new TextEncoder().encode(
      `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA${this.calls}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
    );
    return { response: new HttpResponse({ statusCode: 200, headers: {}, body }) };
  }

  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  destroy(): void {}
}
