import type fc from "fast-check";
import { vi } from "vitest";

/*
 * For the mutation runner, which runs each property once for each mutant: few draws, the same ones every
 * time, and no search for a smaller counterexample.
 */

const MAX_RUNS = 20;

vi.mock("fast-check", async (importOriginal) => {
  const original = await importOriginal<typeof import("fast-check")>();
  const assert = (
    property: fc.IRawProperty<unknown, boolean>,
    params: fc.Parameters<unknown> = {},
  ): unknown => {
    const numRuns = Math.min(params.numRuns ?? MAX_RUNS, MAX_RUNS);
    return original.assert(property, { ...params, numRuns, seed: 1, endOnFailure: true });
  };
  return { ...original, assert, default: { ...original.default, assert } };
});
