import { CredentialCache } from "../../src/credentials/credential-cache.js";
import type { CredentialStore } from "../../src/model/credential-store.js";
import type { EmitEvent } from "../../src/model/events.js";
import { AttemptError } from "../../src/model/failure.js";
import { type SharedRefresh, SharedStore } from "../../src/provider/shared-refresh.js";
import { resolveOptions } from "../../src/provider/validate-options.js";
import { sleep } from "../../src/runtime/abort.js";
import { type Clock, type Deadline, startDeadline } from "../../src/runtime/clock.js";
import type { AttributedCredentials } from "../../src/sts/assume-role.js";
import { ClientPool } from "../../src/sts/client-pool.js";
import type { StsTarget } from "../../src/sts/target.js";
import { QUIET_CACHE } from "../support/quiet-cache.js";
import { OURS_WITHOUT_CHECKS } from "./policy.js";
import { WorkloadLoop } from "./workload-loop.js";

const TARGET: StsTarget = {
  region: "eu-west-1",
  regionSource: "region",
  customEndpoint: false,
  config: {},
  isHandlerLent: false,
  plugins: [],
};

const OPTIONS = resolveOptions({});

interface SharingMemberOptions {
  readonly role: string;
  readonly store: CredentialStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** One STS call. @throws AttemptError as the simulated STS does, and nothing else */
  readonly askSts: (signal: AbortSignal) => Promise<AttributedCredentials>;
  readonly emit?: EmitEvent | undefined;
}

export type SharingMember = CredentialCache<
  { readonly credentials: AttributedCredentials },
  object
>;

/**
 * One process of a fleet: the library's own cache, waits and decisions about the store, with a function
 * instead of STS.
 */
export function sharingMember(options: SharingMemberOptions): SharingMember {
  const { role, store, clock, random, askSts, emit = () => {} } = options;
  const seams = { clock, random, env: {} };
  const runtime = { ...seams, pool: new ClientPool(seams) };
  const shared = new SharedStore({ store, init: {}, options: OPTIONS, runtime });
  const token = unsignedToken(role);
  const identity = {
    source: async () => token,
    sourceName: "the token source",
    roleArn: `arn:aws:iam::123456789012:role/${role}`,
    roleSessionName: undefined,
    marks: {},
  };
  const loop = new WorkloadLoop(OURS_WITHOUT_CHECKS, random);
  const attempt = async (sharedRefresh: SharedRefresh, deadline: Deadline, signal: AbortSignal) => {
    const found = await sharedRefresh.findOrClaim(token, deadline);
    if (found !== undefined && "refused" in found) throw new Error(found.refused.message);
    if (found !== undefined) return { credentials: found.credentials };
    try {
      const credentials = await askSts(signal);
      return { credentials, issued: { credentials, region: TARGET.region } };
    } catch (error) {
      if (error instanceof AttemptError) sharedRefresh.refused(error.failure);
      throw error;
    }
  };
  const attempts = async (sharedRefresh: SharedRefresh, signal: AbortSignal) => {
    const start = clock.monotonic();
    const deadline = startDeadline(clock, OPTIONS.retry.budgetMs);
    let waitMs = 0;
    for (let failures = 1; ; failures += 1) {
      try {
        return await attempt(sharedRefresh, deadline, signal);
      } catch (error) {
        const isRetryable = error instanceof AttemptError;
        const next = loop.waitAfter(failures, clock.monotonic() - start, waitMs);
        if (!isRetryable || next === undefined) throw error;
        waitMs = next;
        await sleep(clock, waitMs, signal);
      }
    }
  };
  const cache: SharingMember = new CredentialCache({
    refresh: async (_, signal) => {
      const snapshot = cache.snapshot();
      const sharedRefresh = shared.begin({
        identity,
        target: TARGET,
        snapshot,
        isForced: false,
        emit,
        signal,
      });
      try {
        const { credentials, issued } = await attempts(sharedRefresh, signal);
        sharedRefresh.end(issued);
        return { credentials };
      } catch (error) {
        sharedRefresh.end();
        throw error;
      }
    },
    staleResponse: () => new Error("STS returned expired credentials"),
    ...QUIET_CACHE,
    aheadOfTime: true,
    clock,
    random,
  });
  return cache;
}

function unsignedToken(subject: string): string {
  return `e30.${Buffer.from(JSON.stringify({ sub: subject })).toString("base64url")}.x`;
}
