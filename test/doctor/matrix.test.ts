import { beforeAll, describe, expect, it } from "vitest";
import { RANKING } from "../../src/doctor/ranking.js";
import type { FindingId } from "../../src/model/findings.js";
import { MATRIX, scoreMatrix } from "./matrix.js";
import type { Expectation } from "./matrix-row.js";
import { NETWORK_ROWS } from "./networks/matrix-of-networks.js";
import type { Score } from "./score-rows.js";

const EVERY_ROW: readonly Expectation[] = [...MATRIX, ...NETWORK_ROWS];

let scores: ReadonlyMap<Expectation, Score> = new Map();

beforeAll(async () => {
  scores = await scoreMatrix();
}, 240_000);

describe("the doctor names the cause, and only it, of", () => {
  for (const row of MATRIX) {
    it(row.name, () => expect(scores.get(row)?.mistakes).toEqual([]));
  }
});

it("is tried on at least 40 broken worlds", () => {
  expect(MATRIX.filter(({ cause }) => cause !== null).length).toBeGreaterThanOrEqual(40);
});

/** Of options that the provider has and the doctor has not. */
const OF_THE_PROVIDER: readonly FindingId[] = ["duration-invalid", "issuer-not-allowed"];

/** It takes two regions' own endpoints, which are at a port that not everybody may listen on. */
const IN_NAMESPACES_ALONE: readonly FindingId[] = ["sts-region-slower"];

const untriedBy = (rows: readonly Expectation[]) => {
  const tried = new Set(rows.flatMap(({ cause, also = [] }) => [cause, ...also]));
  return RANKING.filter((id) => !tried.has(id));
};

it("is tried on a world for every finding that it can make", () => {
  expect(untriedBy(EVERY_ROW)).toEqual(OF_THE_PROVIDER);
});

it("is tried on nearly all of them where there are no network namespaces, too", () => {
  expect(untriedBy(MATRIX)).toEqual([...OF_THE_PROVIDER, ...IN_NAMESPACES_ALONE]);
});

it("is tried on no world twice", () => {
  const names = EVERY_ROW.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
