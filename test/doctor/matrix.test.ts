import { beforeAll, describe, expect, it } from "vitest";
import { MATRIX, type Scored, scoreMatrix } from "./matrix.js";

let scores: readonly Scored[] = [];

beforeAll(async () => {
  scores = await scoreMatrix();
}, 240_000);

describe("the doctor names the cause, and only it, of", () => {
  for (const [index, { name }] of MATRIX.entries()) {
    it(name, () => expect(scores[index]?.mistakes).toEqual([]));
  }
});

it("is tried on at least 40 broken worlds", () => {
  expect(MATRIX.filter(({ cause }) => cause !== null).length).toBeGreaterThanOrEqual(40);
});

it("is tried on no world twice", () => {
  const names = MATRIX.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
