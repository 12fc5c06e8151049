import { fromWebToken as stockFromWebToken } from "@aws-sdk/credential-provider-web-identity";
import { memoizeIdentityProvider } from "@smithy/core";
import type { AwsCredentialIdentity } from "@smithy/types";
import pRetry, { type Options } from "p-retry";
import { createProvider } from "../src/provider/create-provider.js";
import { sleep } from "../src/runtime/abort.js";
import { ClientPool } from "../src/sts/client-pool.js";
import { WIRE_ERRORS } from "../src/testing/sts/wire-error.js";
import { type GetCredentials, REGION, ROLE_ARN } from "./in-process.js";
import { FakeClock } from "./support/fake-clock.js";

/** How STS fails: not at all, immediately with a verification-key error, by a reset, or by silence. */
export type VirtualFault = "none" | "verification-key" | "reset" | "silence";

/** An STS in virtual time, and each contender's way to call it: no sockets, no real waits. */
export interface VirtualWorld {
  readonly clock: FakeClock;
  /** How STS responds to a call that arrives now. */
  fault: () => VirtualFault;
  readonly calls: number;
  readonly ours: () => GetCredentials;
  readonly stock: () => GetCredentials;
  /**
   * Needs {@link timersOf} this clock.
   *
   * @param options - p-retry's own defaults unless given
   */
  readonly stockWithRetry: (options?: Options) => GetCredentials;
}

/**
 * Virtual time does not advance while a module is loading: the retry loop loads p-retry after a failure,
 * which takes real turns of the event loop and no virtual time.
 */
class WorldClock extends FakeClock {
  /** STS has failed, and has not succeeded since. */
  isFailing = false;

  override async flush(): Promise<void> {
    await super.flush();
    if (!this.isFailing) return;
    // Node resolves modules in the order of the requests: this one after any other.
    await import("p-retry");
    await super.flush();
  }
}

const STS_MS = 50;
/** From five minutes before the expiration, an SDK client requests new credentials. */
const CLIENT_EXPIRY_MS = 300_000;
const { code, message, httpStatus } = WIRE_ERRORS.verificationKey;

export function createVirtualWorld(
  webIdentityToken: string,
  startMs: number,
  random: () => number,
): VirtualWorld {
  const clock = new WorldClock(startMs);
  const pool = new ClientPool({ clock, env: {}, random });
  const { signal } = new AbortController();
  let calls = 0;
  const assume = async (): Promise<AwsCredentialIdentity> => {
    calls += 1;
    const fault = world.fault();
    clock.isFailing = fault !== "none";
    if (fault === "silence") await new Promise(() => {});
    await sleep(clock, STS_MS, signal);
    if (fault === "verification-key") throw refusal();
    if (fault === "reset") {
      throw Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    }
    return {
      accessKeyId: `ASIA${calls}`,
      secretAccessKey: "secret",
      sessionToken: "session",
      expiration: new Date(clock.now() + 3_600_000),
    };
  };
  const init = {
    webIdentityToken,
    roleArn: ROLE_ARN,
    roleAssumerWithWebIdentity: assume,
    clientConfig: { endpoint: "http://127.0.0.1:9", region: REGION },
  };
  const stock = () => stockFromWebToken(init);
  const world: VirtualWorld = {
    clock,
    fault: () => "none",
    get calls() {
      return calls;
    },
    ours: () =>
      createProvider(
        () => ({
          source: async () => webIdentityToken,
          sourceName: "the token",
          roleArn: ROLE_ARN,
          roleSessionName: "bench",
          marks: {},
        }),
        { ...init, preflight: "off" },
        { clock, pool, env: {}, random },
      ),
    stock,
    stockWithRetry: (options = {}) => {
      const getCredentials = stock();
      return () => pRetry(() => getCredentials(), options);
    },
  };
  return world;
}

function refusal(): Error {
  const error = Object.assign(new Error(message), {
    Code: code,
    $metadata: { httpStatusCode: httpStatus },
  });
  error.name = `${code}Exception`;
  return error;
}

/** Memoizes like an SDK client, on this clock: it requests new credentials shortly before the expiration. */
export function memoizedInVirtualTime(
  clock: FakeClock,
  getCredentials: GetCredentials,
): GetCredentials {
  const memoized = memoizeIdentityProvider(
    getCredentials,
    ({ expiration }) => (expiration?.getTime() ?? 0) - clock.now() < CLIENT_EXPIRY_MS,
    ({ expiration }) => expiration !== undefined,
  );
  if (memoized === undefined) throw new TypeError("Expected the SDK to memoise a function");
  return () => memoized();
}

/** p-retry waits only with the global `setTimeout`. While this is in use, `setTimeout` uses the clock. */
export function timersOf(clock: FakeClock): Disposable {
  const { setTimeout: real } = globalThis;
  const onClock = (callback: () => void, ms = 0) => clock.schedule(ms, callback);
  globalThis.setTimeout = onClock as unknown as typeof setTimeout;
  return {
    [Symbol.dispose]() {
      globalThis.setTimeout = real;
    },
  };
}
