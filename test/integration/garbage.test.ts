import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { createProvider } from "../../src/provider/create-provider.js";
import { systemClock } from "../../src/runtime/clock.js";
import type { ClientPool } from "../../src/sts/client-pool.js";
import { holdsAfterCollection } from "../support/garbage.js";
import { makePool } from "../support/make-pool.js";
import { until } from "../support/virtual-clock.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";

/** A provider on the real clock, with its timer. */
function provide({ sts, idp }: World, pool: ClientPool, signal: AbortSignal) {
  return createProvider(
    () => ({
      source: () => idp.issueToken(),
      sourceName: "the token source",
      roleArn: ROLE_ARN,
      roleSessionName: undefined,
      marks: {},
    }),
    { preflight: "off", signal, clientConfig: { endpoint: sts.url, region: REGION } },
    { clock: systemClock, pool, env: {}, random: Math.random },
  );
}

describe("a signal that lives as long as the process", () => {
  test("does not keep a dropped provider or its listeners in memory", async () => {
    await using world = await startWorld();
    const pool = makePool();
    const { signal } = new AbortController();
    // In a function of its own: a variable of this one would keep its last value alive.
    const useAndDrop = async () => {
      const provider = provide(world, pool, signal);
      await provider();
      return new WeakRef(provider);
    };
    const dropped: WeakRef<object>[] = [];
    for (let count = 0; count < 20; count += 1) dropped.push(await useAndDrop());
    const isGone = () => dropped.every((ref) => ref.deref() === undefined);
    expect(await holdsAfterCollection(isGone)).toBe(true);
    const isSilent = () => getEventListeners(signal, "abort").length === 0;
    expect(await holdsAfterCollection(isSilent)).toBe(true);
  });

  test("still ends a provider that only a waiting caller refers to", async () => {
    await using world = await startWorld();
    world.sts.setFault("hang");
    const life = new AbortController();
    const credentials = rejection(provide(world, makePool(), life.signal)());
    await until(() => world.calls() === 1);
    await holdsAfterCollection(() => false);
    const reason = new Error("shutting down");
    life.abort(reason);
    expect(await credentials).toBe(reason);
    await until(() => world.sts.connections.open === 0);
  });

  test("has no listener of a closed provider", async () => {
    await using world = await startWorld();
    const { signal } = new AbortController();
    const provider = provide(world, makePool(), signal);
    provider.close();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
