import type { LookupAddress } from "node:dns";
import { expect, it } from "vitest";
import { oncePerName } from "../../src/preflight/guarded-lookup.js";

const ADDRESSES: readonly LookupAddress[] = [{ address: "203.0.113.7", family: 4 }];

/** A resolver that answers when it is told to. */
function slowResolver() {
  const asked: string[] = [];
  let settle: (end: readonly LookupAddress[] | Error) => void = () => {};
  const resolve = oncePerName((hostname) => {
    asked.push(hostname);
    return new Promise((answer, fail) => {
      settle = (end) => (end instanceof Error ? fail(end) : answer(end));
    });
  });
  return { asked, resolve, settle: (end: readonly LookupAddress[] | Error) => settle(end) };
}

it("a name that is asked for meanwhile is asked for once", async () => {
  const { asked, resolve, settle } = slowResolver();
  const both = [resolve("a.invalid"), resolve("a.invalid")];
  settle(ADDRESSES);
  expect(await Promise.all(both)).toEqual([ADDRESSES, ADDRESSES]);
  expect(asked).toEqual(["a.invalid"]);
});

it("names do not wait for each other", () => {
  const { asked, resolve } = slowResolver();
  void resolve("a.invalid");
  void resolve("b.invalid");
  expect(asked).toEqual(["a.invalid", "b.invalid"]);
});

it("an answer is not kept", async () => {
  const { asked, resolve, settle } = slowResolver();
  const first = resolve("a.invalid");
  settle(ADDRESSES);
  await first;
  void resolve("a.invalid");
  expect(asked).toEqual(["a.invalid", "a.invalid"]);
});

it("a failure reaches everybody, and is not kept", async () => {
  const { asked, resolve, settle } = slowResolver();
  const both = [resolve("a.invalid"), resolve("a.invalid")];
  const failure = Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
  settle(failure);
  expect(await Promise.allSettled(both)).toEqual([
    { status: "rejected", reason: failure },
    { status: "rejected", reason: failure },
  ]);
  void resolve("a.invalid");
  expect(asked).toHaveLength(2);
});
