import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  printable,
  redact,
  replaceSecrets,
  safeCause,
  safeText,
} from "../../src/runtime/redact.js";
import { HOSTILE } from "../support/hostile-values.js";
import { processorMs } from "../support/processor-time.js";

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A compact JWT or JWE of any content. */
const tokens = fc
  .tuple(
    fc.constantFrom<object>(
      { alg: "RS256" },
      { alg: "ES256", kid: "k1" },
      { typ: "JWT", alg: "x" },
    ),
    fc.record({ sub: fc.string(), iss: fc.webUrl() }),
    fc.array(fc.uint8Array({ minLength: 8, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
  )
  .map(([header, claims, rest]) =>
    [
      base64url(header),
      base64url(claims),
      ...rest.map((x) => Buffer.from(x).toString("base64url")),
    ].join("."),
  );

/** Text around a token that does not itself continue it. */
const surroundings = fc.string().map((text) => text.replace(/[\w.-]/g, " "));

/** Everything an inspector, a logger or a crash report would print. */
function everything(error: Error): string {
  const parts: unknown[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.name, at.message, at.stack, (at as { code?: unknown }).code, Object.entries(at));
  }
  return JSON.stringify(parts);
}

describe("redact", () => {
  test("nothing that is shaped like a JWT survives, whatever stands around it", () => {
    fc.assert(
      fc.property(tokens, surroundings, surroundings, (token, before, after) => {
        const clean = redact(`${before}${token}${after}`);
        for (const part of token.split(".")) expect(clean).not.toContain(part);
      }),
    );
  });

  test("a JWT wrapped in lines of 64 characters is taken out whole, before any word", () => {
    // Without digits, as one last line in a hundred is.
    const lastLines = fc
      .array(fc.constantFrom(..."abcxyzABCXYZ-_"), { minLength: 24, maxLength: 60 })
      .map((letters) => letters.join(""))
      .filter((line) => /[a-z]/.test(line) && /[A-Z]/.test(line));
    fc.assert(
      fc.property(lastLines, (lastLine) => {
        const lines = `${base64url({ alg: "RS256" })}.${"aB3".repeat(40)}`.match(/.{1,64}/g) ?? [];
        const whole = lines.filter((line) => line.length === 64);
        const clean = redact(`sent ${whole.join("\n")}\n${lastLine} to the server`);
        expect(clean).not.toContain(lastLine);
      }),
    );
  });

  test.each([
    ["in quotes", (token: string) => `{"token":"${token}"}`],
    ["in a form body", (token: string) => `Version=2011-06-15&WebIdentityToken=${token}&x=1`],
    ["after an encoded quote", (token: string) => `%22${token}%22`],
    ["after a word", (token: string) => `token_${token}`],
    ["twice", (token: string) => `${token} ${token}`],
  ])("a JWT is taken out %s", (_, wrap) => {
    const token = `${base64url({ alg: "RS256" })}.${base64url({ sub: "x" })}.c2lnbmF0dXJl`;
    expect(redact(wrap(token))).not.toMatch(/eyJ|c2lnbmF0dXJl/);
  });

  test.each([
    ["a JWE, all five parts", `${base64url({ alg: "RSA-OAEP" })}.AAAA.BBBB.CCCC.DDDD`],
    ["a JWE without an encrypted key", `${base64url({ alg: "dir" })}..BBBB.CCCC.DDDD`],
    ["an unsigned JWT", `${base64url({ alg: "none" })}.DDDD.`],
    [
      "a header that begins with a blank",
      `${Buffer.from('{ "alg": "RS256" }').toString("base64url")}.BBBB.DDDD`,
    ],
    [
      "a header over several lines",
      `${Buffer.from('{\n "alg": "RS256" }').toString("base64url")}.BBBB.DDDD`,
    ],
  ])("%s is taken out as a whole", (_, token) => {
    expect(redact(`got ${token} here`)).toBe("got [redacted] here");
  });

  test.each([
    "Authorization: Bearer abc.def/ghi+j=",
    "authorization: bearer abc",
    "Basic dXNlcjpwYXNz",
  ])("the credentials of %j are taken out, the scheme stays", (text) => {
    expect(redact(text)).toMatch(/(bearer|basic) \[redacted\]$/i);
  });

  test("a given secret never survives, also one that has no shape", () => {
    const secrets = fc.stringMatching(/^[A-Za-z0-9+/=$^*?.|-]{12,80}$/);
    fc.assert(
      fc.property(
        fc.array(secrets, { minLength: 1, maxLength: 3 }),
        fc.string(),
        (given, around) => {
          const clean = redact(`${around}${given.join(around)}${given.join("")}`, given);
          for (const secret of given) expect(clean).not.toContain(secret);
        },
      ),
    );
  });

  test.each([
    "getaddrinfo ENOTFOUND sts.eu-west-1.amazonaws.com",
    "ENOENT: no such file, open '/var/run/secrets/eks.amazonaws.com/serviceaccount/token'",
    "No OpenIDConnect provider found in your account for https://eyes.example.com",
    "version 1.2.3 of key ab-cd_ef",
  ])("ordinary words stay as they are: %s", (text) => {
    expect(redact(text)).toBe(text);
  });

  test("no text takes more than linear time", () => {
    const hostile = ["eyJ".repeat(200_000), "a.".repeat(200_000), `Bearer${" ".repeat(400_000)}`];
    for (const text of hostile) expect(processorMs(() => redact(text))).toBeLessThan(2_000);
  });
});

describe("replaceSecrets", () => {
  test("puts the mark in the place of the secrets alone", () => {
    const text = "repo%3Aacme/app has Bearer a1b2c3d4";
    expect(replaceSecrets(text, ["repo:acme/app"], "[subject]")).toBe(
      "[subject] has Bearer a1b2c3d4",
    );
    expect(replaceSecrets(text, [], "[subject]")).toBe(text);
  });
});

describe("what remains", () => {
  test.each<[string, readonly string[], string]>([
    ["an empty secret takes nothing out", [""], "some words"],
    ["a short secret is taken out as it is written", ["words"], "some [redacted]"],
    ["no secret, and the text is whole", [], "some words"],
  ])("%s", (_, secrets, expected) => {
    expect(redact("some words", secrets)).toBe(expected);
  });

  test("a secret of seven characters is found as it is written alone, one of eight in every case", () => {
    expect(redact("ABCDEFG abcdefg", ["abcdefg"])).toBe("ABCDEFG [redacted]");
    expect(redact("%41BCDEFGH abcdefgh", ["abcdefgh"])).toBe("[redacted] [redacted]");
  });

  test("sixteen characters of a longer secret in a row are taken out, fifteen stay", () => {
    const secret = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (let at = 0; at + 16 <= secret.length; at += 1) {
      expect(redact(`<${secret.slice(at, at + 16)}>`, [secret])).toBe("<[redacted]>");
      expect(redact(`<${secret.slice(at, at + 15)}>`, [secret])).not.toContain("[redacted]");
    }
  });

  test("secrets that touch leave one mark, others one each", () => {
    const [one, two] = ["0123456789abcdef", "ghijklmnopqrstuv"];
    expect(redact(`a ${one}${two} b ${one} ${two} c`, [one, two])).toBe(
      "a [redacted] b [redacted] [redacted] c",
    );
  });

  test("safeText() trims, and reads 64 KiB", () => {
    expect(safeText("  a b \n")).toBe("a b");
    expect(safeText(`${"x".repeat(65_536)}tail`, 100_000)).toBe("x".repeat(65_536));
  });
});

describe("printable", () => {
  test("any text comes out on one line, without control characters, within the limit", () => {
    const units = fc.string({ unit: "binary", maxLength: 3_000 });
    fc.assert(
      fc.property(units, fc.integer({ min: 1, max: 600 }), (text, limit) => {
        const shown = printable(text, limit);
        expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
        expect(shown.length).toBeLessThanOrEqual(limit + 1);
      }),
    );
  });

  test("colours, line ends and marks that reverse text become blanks", () => {
    expect(printable("a\u001b[31mred\r\nb\u202ec\u061cd\u2028e")).toBe("a [31mred b c d e");
  });

  test("marks that nobody sees and halves of pairs are spelled out", () => {
    expect(printable("a\u200bb\ufeffc\u00add\ud800e\u{e0041}f")).toBe(
      "a<U+200B>b<U+FEFF>c<U+00AD>d<U+D800>e<U+E0041>f",
    );
  });

  test("a pair of surrogates is not cut in two", () => {
    expect(printable("ab😀c", 3)).toBe("ab…");
    expect(printable("ab😀c", 4)).toBe("ab😀…");
  });

  test("no more is read than twice the limit", () => {
    expect(printable(`${"\0".repeat(10)}a`, 5)).toBe("");
    expect(printable(`${"\0".repeat(9)}a`, 5)).toBe("a");
  });

  test("what is cut ends with an ellipsis, what fits does not", () => {
    expect(printable("x".repeat(500))).toBe("x".repeat(500));
    expect(printable("x".repeat(501))).toBe(`${"x".repeat(500)}…`);
  });
});

describe("a safe cause", () => {
  test.each(HOSTILE)("never throws itself: %s", (_, make) => {
    const cause = safeCause(make(), ["secret-secret"]);
    expect(cause).toBeInstanceOf(Error);
    expect([typeof cause.name, typeof cause.message, typeof cause.stack]).toEqual(
      Array(3).fill("string"),
    );
  });

  test("anything that can be thrown becomes an error", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withBigInt: true }), (thrown) => {
        expect(safeCause(thrown)).toBeInstanceOf(Error);
      }),
    );
  });

  test("name, message and string code of an error are kept", () => {
    const error = Object.assign(new RangeError("too far"), { code: "ERR_FAR" });
    expect(safeCause(error)).toMatchObject({
      name: "RangeError",
      message: "too far",
      code: "ERR_FAR",
    });
    expect(safeCause(Object.assign(new Error("x"), { code: 42 }))).not.toHaveProperty("code");
  });

  test("an error that is none still tells its words", () => {
    expect(safeCause("plain words").message).toBe("plain words");
    expect(safeCause({ message: "of a foreign kind", code: "E1" })).toMatchObject({
      message: "of a foreign kind",
      code: "E1",
    });
  });

  test("causes are followed three deep, and a circle ends", () => {
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

  test("no token survives anywhere in it: message, name, code, stack, causes", () => {
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

  test("a huge message is cut, and no half of a token stands at the cut", () => {
    const token = `${base64url({ alg: "RS256" })}.${"A".repeat(5_000)}.${"B".repeat(500)}`;
    const cause = safeCause(new Error(`${token} `.repeat(2_000)), [token]);
    expect(cause.message.length).toBeLessThanOrEqual(501);
    expect(cause.stack?.length).toBeLessThanOrEqual(4_000);
    expect(everything(cause)).not.toMatch(/eyJ|AAAA|BBBB/);
  });

  test("one unbroken run of a million characters is cut before it is searched", () => {
    expect(safeCause(new Error("eyJ".repeat(400_000))).message).toHaveLength(501);
  });

  test("its stack is one line for the message, and its frames", () => {
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

  test("its stack keeps twenty frames of 300 characters, and nothing else of a stack that was set", () => {
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

  test("its stack is its title alone where there are no frames", () => {
    expect(safeCause("words").stack).toBe("Error: words");
    expect(safeCause(Object.assign(new Error(""), { stack: "Error" })).stack).toBe("Error");
  });

  test("has a cause where there was one, and none where there was none", () => {
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

  test("its frames are all of a stack that does not hold its message", () => {
    const stack = "Error: other\n    at one (a.js:1:1)\nlook at this\n    at two (b.js:2:2)";
    expect(safeCause(Object.assign(new Error("zz"), { stack })).stack).toBe(
      "Error: zz\n    at one (a.js:1:1)\n    at two (b.js:2:2)",
    );
  });

  test("its frames are read from 16 KiB of a stack", () => {
    const stack = `Error: x\n${"-".repeat(16 * 1024)}\n    at late (a.js:1:1)`;
    expect(safeCause(Object.assign(new Error("x"), { stack })).stack).toBe("Error: x");
  });

  test("has no errors where there is no list of them, or none that can be read", () => {
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
