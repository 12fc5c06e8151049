import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  printable,
  redact,
  replaceSecrets,
  safeCause,
  safeText,
} from "../../src/runtime/redact.js";
import { base64url, tokens } from "../support/arbitraries.js";
import { HOSTILE } from "../support/hostile-values.js";

/** Everything an inspector, a logger or a crash report would print. */
function everything(error: Error): string {
  const parts: unknown[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.name, at.message, at.stack, (at as { code?: unknown }).code, Object.entries(at));
  }
  return JSON.stringify(parts);
}

describe("redact", () => {
  test.each([
    "getaddrinfo ENOTFOUND sts.eu-west-1.amazonaws.com",
    "ENOENT: no such file, open '/var/run/secrets/eks.amazonaws.com/serviceaccount/token'",
    "No OpenIDConnect provider found in your account for https://eyes.example.com",
    "version 1.2.3 of key ab-cd_ef",
  ])("does not change the ordinary text %s", (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe("replaceSecrets", () => {
  test("replaces only the secrets by the mark", () => {
    const text = "repo%3Aacme/app has Bearer a1b2c3d4";
    expect(replaceSecrets(text, ["repo:acme/app"], "[subject]")).toBe(
      "[subject] has Bearer a1b2c3d4",
    );
    expect(replaceSecrets(text, [], "[subject]")).toBe(text);
  });

  test("leaves one mark for secrets that touch, and one each for others, in any order", () => {
    const [one, two] = ["0123456789abcdef", "ghijklmnopqrstuv"];
    expect(redact(`${two} a ${one}${two} b ${one}`, [one, two])).toBe(
      "[redacted] a [redacted] b [redacted]",
    );
  });

  test("leaves one mark for a secret inside another one, and for two that overlap", () => {
    const inner = "inner-secret";
    expect(redact(`password=ab${inner}cd&x=1`, [inner])).toBe("password=[redacted]&x=1");
    expect(redact("a-bcd-e-fgh", ["bcd-e", "e-fgh"])).toBe("a-[redacted]");
  });
});

describe("safeText", () => {
  test("trims a text, and reads 64 KiB of it", () => {
    expect(safeText("  a b \n")).toBe("a b");
    expect(safeText(`${"x".repeat(65_536)}tail`, 100_000)).toBe("x".repeat(65_536));
  });
});

describe("printable", () => {
  test("puts any text on one line, without control characters, within the limit", () => {
    const units = fc.string({ unit: "binary", maxLength: 3_000 });
    fc.assert(
      fc.property(units, fc.integer({ min: 1, max: 600 }), (text, limit) => {
        const shown = printable(text, limit);
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(shown.length).toBeLessThanOrEqual(limit + 1);
      }),
    );
  });

  test("replaces colors, line ends and marks that reverse text by spaces", () => {
    expect(printable("a\u001b[31mred\r\nb\u202ec\u061cd\u2028e")).toBe("a [31mred b c d e");
  });

  test("writes invisible marks and halves of surrogate pairs as their numbers", () => {
    expect(printable("a\u200bb\ufeffc\u00add\ud800e\u{e0041}f")).toBe(
      "a<U+200B>b<U+FEFF>c<U+00AD>d<U+D800>e<U+E0041>f",
    );
  });

  test("does not cut a surrogate pair in two", () => {
    expect(printable("ab😀c", 3)).toBe("ab…");
    expect(printable("ab😀c", 4)).toBe("ab😀…");
  });

  test("reads no more than twice the limit", () => {
    expect(printable(`${"\0".repeat(10)}a`, 5)).toBe("");
    expect(printable(`${"\0".repeat(9)}a`, 5)).toBe("a");
  });

  test("ends a text with an ellipsis only if it cuts the text", () => {
    expect(printable("x".repeat(500))).toBe("x".repeat(500));
    expect(printable("x".repeat(501))).toBe(`${"x".repeat(500)}…`);
  });
});

describe("a safe cause", () => {
  test.each(HOSTILE)("is made without an error for %s", (_, make) => {
    const cause = safeCause(make(), ["secret-secret"]);
    expect(cause).toBeInstanceOf(Error);
    expect([typeof cause.name, typeof cause.message, typeof cause.stack]).toEqual(
      Array(3).fill("string"),
    );
  });

  test("is an error for anything that can be thrown", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (thrown) => {
        expect(safeCause(thrown)).toBeInstanceOf(Error);
      }),
    );
  });

  test("keeps the name and the message of an error, and a code that is a string", () => {
    const error = Object.assign(new RangeError("too far"), { code: "ERR_FAR" });
    expect(safeCause(error)).toMatchObject({
      name: "RangeError",
      message: "too far",
      code: "ERR_FAR",
    });
    expect(safeCause(Object.assign(new Error("x"), { code: 42 }))).not.toHaveProperty("code");
  });

  test("has the words of a thrown value that is not an error", () => {
    expect(safeCause("plain words").message).toBe("plain words");
    expect(safeCause({ message: "of a foreign kind", code: "E1" })).toMatchObject({
      message: "of a foreign kind",
      code: "E1",
    });
  });

  test("has causes three levels deep, and ends a circle of causes", () => {
    const deep = [1, 2, 3, 4, 5].reduceRight<Error | undefined>(
      (cause, n) => new Error(`level ${n}`, { cause }),
      undefined,
    );
    expect(everything(safeCause(deep))).toContain("level 4");
    expect(everything(safeCause(deep))).not.toContain("level 5");
    const circle = new Error("round");
    circle.cause = circle;
    expect(safeCause(circle).message).toBe("round");
  });

  test("contains no token in its message, name, code, stack and causes", () => {
    fc.assert(
      fc.property(tokens, fc.stringMatching(/^[a-zA-Z0-9]{20,40}$/), (jwt, opaque) => {
        const echo = `got ${jwt} and ${opaque} here`;
        const inner = Object.assign(new Error(echo), { name: echo, code: echo });
        const error = Object.assign(new Error(echo, { cause: inner }), { request: { body: echo } });
        const shown = everything(safeCause(error, [opaque]));
        for (const secret of [...jwt.split("."), opaque]) expect(shown).not.toContain(secret);
      }),
      { numRuns: 50 },
    );
  });

  test("has a huge message cut, without half of a token at its end", () => {
    const token = `${base64url({ alg: "RS256" })}.${"A".repeat(5_000)}.${"B".repeat(500)}`;
    const cause = safeCause(new Error(`${token} `.repeat(2_000)), [token]);
    expect(cause.message.length).toBeLessThanOrEqual(501);
    expect(cause.stack?.length).toBeLessThanOrEqual(4_000);
    expect(everything(cause)).not.toMatch(/eyJ|AAAA|BBBB/);
  });

  test("has an unbroken run of a million characters cut before the search", () => {
    expect(safeCause(new Error("eyJ".repeat(400_000))).message).toHaveLength(501);
  });

  test("has a stack of one line for the message, and of the frames", () => {
    const forged = "no\n    at forged (x.js:1:1)\n2026-01-01 ERROR root logged in\u001b[2J";
    const { stack = "" } = safeCause(new TypeError(forged));
    const [title, ...frames] = stack.split("\n");
    expect(title).toBe(
      "TypeError: no     at forged (x.js:1:1) 2026-01-01 ERROR root logged in [2J",
    );
    expect(frames.length).toBeGreaterThan(2);
    expect(frames.filter((line) => !line.startsWith("    at "))).toEqual([]);
    expect(stack.match(/forged/g)).toHaveLength(1);
  });

  test("has twenty frames of 300 characters, and nothing else of a stack that was set", () => {
    const frame = `    at f\u202e (${"x".repeat(400)})`;
    const given = `Error: other words\nnot a frame\r\n${`${frame}\n`.repeat(30)}`;
    const lines =
      safeCause(Object.assign(new Error("x"), { stack: given })).stack?.split("\n") ?? [];
    expect(lines).toHaveLength(21);
    expect(lines[0]).toBe("Error: x");
    expect(new Set(lines.slice(1))).toEqual(
      new Set([`    at f  (${"x".repeat(400)}`.slice(0, 304).concat("…")]),
    );
  });

  test("has a stack of one line if there are no frames", () => {
    expect(safeCause("words").stack).toBe("Error: words");
    expect(safeCause(Object.assign(new Error(""), { stack: "Error" })).stack).toBe("Error");
  });

  test("has a cause only if the thrown value had one", () => {
    expect(safeCause(new Error("x"))).not.toHaveProperty("cause");
    expect(safeCause(new Error("x", { cause: "why" })).cause).toMatchObject({ message: "why" });
  });

  test("has the first five errors of an AggregateError, without their own causes", () => {
    const inner = new Error("one", { cause: new Error("deep") });
    const copy = safeCause(new AggregateError([inner, "two", 3, 4, 5, 6], "all"));
    expect(copy).toBeInstanceOf(AggregateError);
    const { errors } = copy as AggregateError;
    expect(errors.map(({ message }: Error) => message)).toEqual(["one", "two", "3", "4", "5"]);
    expect(errors[0]).not.toHaveProperty("cause");
    expect(safeCause(new AggregateError([]))).not.toBeInstanceOf(AggregateError);
  });

  test("ends a circle of AggregateErrors", () => {
    const circle = new AggregateError([], "round");
    circle.errors.push(circle);
    const { errors } = safeCause(circle) as AggregateError;
    expect(errors).toHaveLength(1);
    expect(errors[0]).not.toBeInstanceOf(AggregateError);
  });

  test("has no frame that a message forged, of any length", () => {
    const { stack } = safeCause(new Error(`no\n    at forged (x.js:1:1)\n${"x".repeat(70_000)}`));
    expect(stack).not.toContain("\n    at forged");
    expect(stack).toContain("redact.test.ts");
  });

  test("has all frames of a stack that does not contain its message", () => {
    const frames = "    at one (a.js:1:1)\n    at two (b.js:2:2)";
    const message = "longer than the first of the frames";
    expect(safeCause({ message, stack: frames }).stack).toBe(`Error: ${message}\n${frames}`);
  });

  test("also has the frames before a line far below that repeats its message", () => {
    const place = `    at one (${"x".repeat(250)})`;
    const stack = [place, place, place, place, "again", place].join("\n");
    const kept = safeCause({ message: "again", stack }).stack;
    expect(kept?.split("\n")).toEqual(["Error: again", place, place, place, place, place]);
  });

  test("has as frames those lines of a stack that name a place", () => {
    const stack = "Error: other\n    at one (a.js:1:1)\nlook at this\n    at two (b.js:2:2)";
    expect(safeCause(Object.assign(new Error("zz"), { stack })).stack).toBe(
      "Error: zz\n    at one (a.js:1:1)\n    at two (b.js:2:2)",
    );
  });

  test("has the frames of the first 16 KiB of a stack", () => {
    const stack = `Error: x\n${"-".repeat(16 * 1024)}\n    at late (a.js:1:1)`;
    expect(safeCause(Object.assign(new Error("x"), { stack })).stack).toBe("Error: x");
  });

  test("has no errors if their list is missing or can't be read", () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    for (const errors of ["one", { length: 1 }, proxy, undefined]) {
      const copy = safeCause(Object.assign(new Error("x"), { errors }));
      expect(copy).not.toBeInstanceOf(AggregateError);
    }
  });

  test("says so when a thrown value has no text", () => {
    expect(safeCause(Object.create(null)).message).toBe("a thrown object that has no text");
  });
});
