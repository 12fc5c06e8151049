import { execFile } from "node:child_process";
import crypto, { generateKeyPairSync } from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { checkDiscovery } from "../../src/preflight/discovery.js";
import { MAX_DOCUMENT_BYTES } from "../../src/preflight/fetch-document.js";
import { shownText } from "../../src/preflight/json-document.js";
import { KeySetsSeen, MissingKids } from "../../src/preflight/key-history.js";
import { type KeySet, readKeySet } from "../../src/preflight/key-set.js";
import type { Subject } from "../../src/preflight/subject.js";
import { judgeKey, keyTable } from "../../src/preflight/token-key.js";
import { FakeClock } from "../support/fake-clock.js";

const ISSUER = "https://issuer.invalid";
const URL_OF_IT = `${ISSUER}/document`;
const half = MAX_DOCUMENT_BYTES / 2;
const subject = (kid: string): Subject => ({
  issuer: ISSUER,
  needsKey: true,
  kid,
  alg: undefined,
  token: undefined,
});

describe("a document that a JSON parser would be slow to read", () => {
  test.each<[string, string]>([
    ["open brackets", "[".repeat(MAX_DOCUMENT_BYTES)],
    ["nested lists", "[".repeat(half) + "]".repeat(half)],
    ["nested objects", `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`],
    ["nesting inside a key", `{"keys":[{"kid":${"[".repeat(33)}${"]".repeat(33)}}]}`],
    ["empty objects", `{"keys":[${"{},".repeat(100_000)}{}]}`],
    ["numbers", `{"keys":[${"1,".repeat(100_000)}1]}`],
    ["members", `{"keys":[]${',"a":1'.repeat(50_000)}}`],
  ])("is not parsed when it consists of %s", (_, text) => {
    const read = readKeySet(Buffer.from(text), URL_OF_IT);
    expect(read.findings).toMatchObject([{ id: "jwks-too-large", severity: "suspect" }]);
    expect(checkDiscovery(Buffer.from(text), ISSUER, URL_OF_IT).findings).toMatchObject([
      { id: "discovery-not-json", severity: "suspect", detail: expect.stringContaining("nested") },
    ]);
  });

  test("is not recognized by brackets and commas inside strings", () => {
    const text = `${"[{,".repeat(20_000)}\\"${"[".repeat(20_000)}\\\\`;
    const jwks = JSON.stringify({ keys: [{ kid: text, kty: "OKP" }] });
    expect(readKeySet(Buffer.from(jwks), URL_OF_IT).keySet?.entries[0]?.kid).toBe(text);
  });

  test("is never JSON that is neither deep nor long, whatever its text", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 10 }), (text) => {
        const [finding] = checkDiscovery(Buffer.from(text), ISSUER, URL_OF_IT).findings;
        expect(finding?.detail).not.toContain("nested deeper");
      }),
    );
  });

  test("names an issuer in combining marks, which are not normalized", () => {
    const issuer = `${ISSUER}${"\u0315\u0300\u05ae\u0301".repeat(60_000)}`;
    const document = Buffer.from(JSON.stringify({ issuer }));
    const { findings } = checkDiscovery(document, ISSUER, URL_OF_IT);
    expect(findings).toContainEqual(expect.objectContaining({ id: "discovery-issuer-mismatch" }));
  }, 20_000);
});

describe("of a JWKS with hundreds of keys that take long to parse", () => {
  const made = vi.spyOn(crypto, "createPublicKey");
  syncBuiltinESMExports();
  const { x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({
    format: "jwk",
  });
  const ec = (kid: string, more = {}) => ({ kty: "EC", crv: "P-256", x, y, kid, ...more });
  /** How many keys are made of their parameters, without a pause, for one token. */
  const counted = async (
    keys: readonly object[],
    { kid = "k", alg = "ES256", needsKey = true },
  ) => {
    const { keySet } = readKeySet(Buffer.from(JSON.stringify({ keys })), URL_OF_IT);
    if (keySet === undefined) throw new Error("no key set");
    made.mockClear();
    new KeySetsSeen(new FakeClock()).note(keySet);
    const subjectOf = { ...subject(kid), alg, needsKey };
    const { findings } = await judgeKey(
      keySet,
      kid === "" ? { ...subjectOf, kid: undefined } : subjectOf,
    );
    return { count: made.mock.calls.length, findings };
  };
  const hundred = (make: (index: number) => object) =>
    Array.from({ length: 100 }, (_, i) => make(i));

  test.each<[string, readonly object[], object]>([
    ["of one kid, of which the last is unfit", hundred(() => ec("k")), { alg: "RS256" }],
    ["for a token without a kid", hundred((i) => ec(`${i}`, { x5c: ["x"] })), { kid: "" }],
    ["without a token", hundred((i) => ec(`${i}`, { x5c: ["x"] })), { needsKey: false }],
    ["for a kid that is not there", hundred((i) => ec(`${i}`)), {}],
  ])("at most nine are parsed without a pause: %s", async (_, keys, wanted) => {
    const { count } = await counted(keys, wanted);
    expect(count).toBeLessThanOrEqual(9);
  });

  test("keys that were not parsed make no finding certain", async () => {
    const many = await counted(
      hundred(() => ec("k")),
      { alg: "RS256" },
    );
    expect(many.findings).toMatchObject([{ id: "jwks-key-unusable", severity: "suspect" }]);
    const few = await counted([ec("k", { use: "enc" }), ec("k")], { alg: "RS256" });
    expect(few.findings).toMatchObject([{ id: "jwks-key-unusable", severity: "fatal" }]);
  });

  test("the table of keys is complete, and making it yields to the event loop", async () => {
    const keys = hundred((index) => ec(`${index}`));
    const { keySet } = readKeySet(Buffer.from(JSON.stringify({ keys })), URL_OF_IT);
    made.mockClear();
    const perTurn: number[] = [];
    let isDone = false;
    const table = keyTable(keySet as KeySet, subject("k")).finally(() => {
      isDone = true;
    });
    for (let before = 0; !isDone; before = made.mock.calls.length) {
      perTurn.push(made.mock.calls.length - before);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(16);
    expect(await table).toHaveLength(100);
    expect(made).toHaveBeenCalledTimes(100);
  });
});

describe("a long text in a document", () => {
  test("is read only at its beginning", () => {
    const issuer = `${ISSUER}/${"\u200b".repeat(100_000)}END`;
    const [finding] = checkDiscovery(
      Buffer.from(JSON.stringify({ issuer })),
      ISSUER,
      URL_OF_IT,
    ).findings;
    expect(finding?.detail.length).toBeLessThan(600);
    expect(shownText("a".repeat(10_000), 100)).toBe(`${"a".repeat(100)}…`);
    expect(shownText(`${"eyJhbGciOiJSUzI1NiJ9.".repeat(20)}${"x".repeat(10_000)}`, 10)).toContain(
      "[redacted]",
    );
  });
});

describe("of a JWKS with thousands of keys", () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => ({
    kty: ["RSA", "EC", "OKP"][index % 3],
    kid: `key ${index}\n"`,
    x5c: ["leaf", "issuer", "root"],
    more: { of: "everything" },
  }));
  const { keySet } = readKeySet(Buffer.from(JSON.stringify({ keys })), URL_OF_IT);
  if (keySet === undefined) throw new Error("no key set");

  test("the first keys of each type are kept, without the members that nothing reads", () => {
    expect(keySet.entries).toHaveLength(250);
    expect(keySet.entries[0]?.jwk).toEqual({ kty: "RSA", kid: 'key 0\n"', x5c: ["leaf"] });
  });

  test("all are counted", () => {
    expect(keySet).toMatchObject({ total: 3_000, counts: { RSA: 1_000, EC: 1_000 } });
  });

  test("no kid is reported as missing", async () => {
    for (const index of [0, 1_500, 2_999]) {
      const kid = keys[index]?.kid ?? "";
      const { findings, missingKid } = await judgeKey(keySet, subject(kid));
      expect(missingKid).toBeUndefined();
      expect(findings).toContainEqual(expect.objectContaining({ id: "jwks-key-unusable" }));
    }
  });

  test("a kid that is only a part of another one is missing", async () => {
    for (const kid of ["key 2999", "2999", "\n", '"', ","]) {
      expect((await judgeKey(keySet, subject(kid))).missingKid, kid).toBe(kid);
    }
  });
});

test("kids as long as a token are distinguished, and not kept", () => {
  const kids = new MissingKids(new FakeClock());
  const long = (end: string) => `${"k".repeat(15_000)}${end}`;
  expect(kids.note(long("a"), { fetchId: 1, fetchedMonotonic: 0 } as never, 0)).toBe(1);
  expect(kids.note(long("b"), { fetchId: 2, fetchedMonotonic: 2_000 } as never, 0)).toBe(1);
  expect(kids.note(long("a"), { fetchId: 2, fetchedMonotonic: 2_000 } as never, 0)).toBe(2);
  kids.forget(long("a"));
  expect(kids.note(long("a"), { fetchId: 3, fetchedMonotonic: 4_000 } as never, 0)).toBe(1);
});

test("a hundred hostile issuers together keep less than 50 MB of heap, and eight sets of keys of ten issuers less than 5 MB", async () => {
  const script = fileURLToPath(new URL("./hostile-issuers-process.ts", import.meta.url));
  const args = ["--no-warnings", "--expose-gc", "--import", "tsx", script];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { kept, keptOfHistories } = JSON.parse(stdout) as Record<string, number>;
  expect(kept).toBeLessThan(50_000_000);
  expect(keptOfHistories).toBeLessThan(5_000_000);
}, 60_000);
