import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printable, redact, safeCause } from "../../src/runtime/redact.js";
import { HOSTILE } from "../support/hostile-values.js";

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
    const start = performance.now();
    for (const text of hostile) redact(text);
    expect(performance.now() - start).toBeLessThan(2_000);
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

  test("one unbroken run of a million characters is dropped, not searched", () => {
    expect(safeCause(new Error("eyJ".repeat(400_000))).message).toBe("");
  });
});
