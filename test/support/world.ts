import { seededRandom } from "../../bench/support/seeded-random.js";
import type { TokenSource } from "../../src/model/token-source.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { WebIdentityProvider } from "../../src/provider/web-identity-provider.js";
import type { Environment } from "../../src/runtime/environment.js";
import type { ClientPool } from "../../src/sts/client-pool.js";
import {
  type LocalIdp,
  type LocalSts,
  type LocalStsOptions,
  startLocalIdp,
  startLocalSts,
} from "../../src/testing/index.js";
import { makePool } from "./make-pool.js";
import { VirtualClock } from "./virtual-clock.js";

export const ROLE_ARN = "arn:aws:iam::123456789012:role/app";
export const REGION = "eu-west-1";

/** An IdP, an STS and a provider's runtime that agree on what time it is. */
export interface World extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly idp: LocalIdp;
  readonly sts: LocalSts;
  readonly pool: ClientPool;
  /** A provider that asks this STS; its waits cost no time. */
  provide(init?: WebIdentityInit, identity?: WorldIdentity): WebIdentityProvider;
  /** How often STS was asked for credentials. */
  calls(): number;
}

interface WorldIdentity {
  /** @default a new token of the IdP for every attempt */
  readonly token?: TokenSource;
  readonly roleArn?: string;
}

export interface WorldOptions extends LocalStsOptions {
  /** The environment of the providers. @default {} */
  readonly env?: Environment;
  readonly clock?: VirtualClock;
}

export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { clock = new VirtualClock(), env = {}, ...stsOptions } = options;
  const idp = await startLocalIdp({ algorithm: "ES256", now: clock.now });
  const sts = await startLocalSts({ providers: [idp], now: clock.now, ...stsOptions });
  const pool = makePool({ clock, env, random: seededRandom(1) });
  return {
    clock,
    idp,
    sts,
    pool,
    provide(init, { token = () => idp.issueToken(), roleArn = ROLE_ARN } = {}) {
      return createProvider(
        () => ({
          source: token,
          sourceName: "the token source",
          roleArn,
          roleSessionName: init?.roleSessionName,
          marks: {},
        }),
        {
          preflight: "off",
          clientConfig: { endpoint: sts.url, region: REGION },
          // A clock that jumps from timer to timer would do nothing but refresh.
          refresh: { aheadOfTime: false },
          ...init,
        },
        { clock, pool, env, random: seededRandom(1) },
      );
    },
    calls: () => sts.requests.filter(({ action }) => action === "AssumeRoleWithWebIdentity").length,
    async [Symbol.asyncDispose]() {
      await Promise.all([idp.close(), sts.close()]);
    },
  };
}

/** What a rejected promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("Expected a rejection");
}
