import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkDiscovery } from "../../src/preflight/discovery.js";
import { MAX_DOCUMENT_BYTES } from "../../src/preflight/fetch-document.js";
import { judgeKey } from "../../src/preflight/key-findings.js";
import { MissingKids } from "../../src/preflight/key-history.js";
import { readKeySet } from "../../src/preflight/key-set.js";
import type { Subject } from "../../src/preflight/subject.js";
import { FakeClock } from "../support/fake-clock.js";

const ISSUER = "https://issuer.invalid";
const URL_OF_IT = `${ISSUER}/document`;
const half = MAX_DOCUMENT_BYTES / 2;
const subject = (kid: string): Subject => ({
  issuer: ISSUER,
  asksForKey: true,
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

  test("is not what brackets and commas inside strings make of it", () => {
    const text = `${"[{,".repeat(20_000)}\\"${"[".repeat(20_000)}\\\\`;
    const jwks = JSON.stringify({ keys: [{ kid: text, kty: "OKP" }] });
    expect(readKeySet(Buffer.from(jwks), URL_OF_IT).keySet?.entries[0]?.kid).toBe(text);
  });

  test("is none of the JSON that is neither deep nor long, whatever its text", () => {
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

describe("of a JWKS with thousands of keys", () => {
  const keys = Array.from({ length: 3_000 }, (_, index) => ({
    kty: ["RSA", "EC", "OKP"][index % 3],
    kid: `key ${index}\n"`,
    x5c: ["leaf", "issuer", "root"],
    more: { of: "everything" },
  }));
  const { keySet } = readKeySet(Buffer.from(JSON.stringify({ keys })), URL_OF_IT);
  if (keySet === undefined) throw new Error("no key set");

  test("the first of each type are kept, without what is never read", () => {
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

test("kids as long as a token are told apart, and not kept", () => {
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
