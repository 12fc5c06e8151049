import type { HttpRequest } from "@smithy/core/protocols";
import type { FinalizeRequestMiddleware } from "@smithy/types";
import type { ClientPlugin } from "../../src/sts/target.js";
import type { LocalSts } from "../../src/testing/index.js";
import { until, VirtualClock } from "../support/virtual-clock.js";
import { type RegionWorld, startRegions } from "./region-world.js";

export const [FIRST, SECOND] = ["eu-west-1", "eu-central-1"] as const;

/** Two regions under a clock that moves only when a test says so. */
export async function twoRegions(): Promise<RegionWorld & { first: LocalSts; second: LocalSts }> {
  const world = await startRegions([FIRST, SECOND], new VirtualClock(0));
  const [first, second] = world.stss;
  if (first === undefined || second === undefined) throw new Error("two regions were started");
  return Object.assign(world, { first, second });
}

/** Resolves when a region has been asked so often. */
export const inFlight = (sts: LocalSts, count = 1) => until(() => sts.requests.length === count);

/** What waits for it goes on once it is opened. */
export function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

/** A plugin that keeps back how a region's calls end until it is released. */
export function heldBack(region: string, released: Promise<void>): ClientPlugin {
  return {
    applyToStack: (stack) => {
      const hold: FinalizeRequestMiddleware<object, object> = (next) => async (args) => {
        const { hostname } = args.request as HttpRequest;
        try {
          return await next(args);
        } finally {
          if (hostname.includes(region)) await released;
        }
      };
      stack.add(hold, { step: "finalizeRequest", priority: "low", name: `held back ${region}` });
    },
  };
}
