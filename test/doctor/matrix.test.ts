import { beforeAll, describe, expect, test } from "vitest";
import { RANKING } from "../../src/doctor/conclude.js";
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

describe("the doctor names the cause, and only it", () => {
  for (const row of MATRIX) {
    test(`in the world: ${row.name}`, () => expect(scores.get(row)?.mistakes).toEqual([]));
  }
});

test("the matrix has at least 40 broken worlds", () => {
  expect(MATRIX.filter(({ cause }) => cause !== null).length).toBeGreaterThanOrEqual(40);
});

/** They need options that the provider has and the doctor does not have. */
const OF_THE_PROVIDER: readonly FindingId[] = ["duration-invalid", "issuer-not-allowed"];

/** It needs the endpoints of two regions, at a port that only root may listen on. */
const IN_NAMESPACES_ALONE: readonly FindingId[] = ["sts-region-slower"];

const without = (rows: readonly Expectation[]) => {
  const covered = new Set(rows.flatMap(({ cause, also = [] }) => [cause, ...also]));
  return RANKING.filter((id) => !covered.has(id));
};

test("the matrix has a world for every finding that the doctor can make", () => {
  expect(without(EVERY_ROW)).toEqual(OF_THE_PROVIDER);
});

test("without network namespaces, the matrix lacks a world for one finding only", () => {
  expect(without(MATRIX)).toEqual([...OF_THE_PROVIDER, ...IN_NAMESPACES_ALONE]);
});

test("no world is in the matrix twice", () => {
  const names = EVERY_ROW.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
