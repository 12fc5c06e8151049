import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact, safeCause } from "../../src/runtime/redact.js";
import { unspell } from "../../src/runtime/spellings.js";
import { base64url, jwts, secrets } from "../support/arbitraries.js";
import { CASE_FOLDING, partIn, piecesOf, SPELLINGS, STEPS } from "../support/spellings.js";

const spellings = fc.constantFrom(...Object.entries(SPELLINGS));
/** Spellings that lie over each other, as one program after another makes them. */
const chains = fc
  .tuple(
    fc.option(fc.constantFrom(...STEPS.marks), { nil: undefined }),
    fc.array(fc.constantFrom(...STEPS.encodings), { maxLength: 3 }),
    fc.option(fc.constantFrom(...STEPS.wraps), { nil: undefined }),
  )
  .map(([mark, encodings, wrap]) => [mark, ...encodings, wrap].filter((step) => step !== undefined))
  // Mail wraps its lines itself: a bare line break after a `=` would be a soft one.
  .filter((chain) => !chain.slice(0, -1).some(([name]) => name.startsWith("quoted-printable")));
/** Text that does not continue an escape or a word of the secret. */
const surroundings = fc.string({ unit: "grapheme", maxLength: 60 });

/** So many characters of a secret in a row may be left: 15, and those that encoders insert too. */
const MIN_LEFT = 24;

describe("a secret in any spelling", () => {
  test("is taken out, however many spellings lie over each other", () => {
    fc.assert(
      fc.property(
        ...[secrets, chains, surroundings, surroundings],
        (secret, chain, before, after) => {
          const pieces = chain.reduce((each, [, spell]) => spell(each), piecesOf(secret));
          const text = `${before} ${pieces.join("")} ${after}`;
          expect(partIn(redact(text, [secret]), pieces, MIN_LEFT)).toBeUndefined();
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each(Object.entries(SPELLINGS))("%s is taken out, also cut off at both ends", (_, spell) => {
    fc.assert(
      fc.property(secrets, fc.nat(4), fc.nat(4), (secret, head, tail) => {
        const pieces = spell(piecesOf(secret));
        const part = pieces.slice(head, pieces.length - tail);
        const clean = redact(`got ${part.join("")}`, [secret]);
        expect(partIn(clean, pieces, MIN_LEFT)).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  test.each(Object.entries(SPELLINGS).filter(([name]) => !CASE_FOLDING.includes(name)))(
    "%s is taken out when it is a JWT that nobody named",
    (_, spell) => {
      fc.assert(
        fc.property(jwts, surroundings, (token, after) => {
          const pieces = spell(piecesOf(token));
          const text = `got ${pieces.join("")}\n\n${after}`;
          expect(partIn(redact(text), pieces, 24)).toBeUndefined();
        }),
        { numRuns: 30 },
      );
    },
  );

  test("is taken out of base64, base64url, hexadecimal and lists of bytes", () => {
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), (secret, before, after) => {
        const whole = Buffer.from(before + secret + after);
        const at = Buffer.byteLength(before);
        const length = Buffer.byteLength(secret);
        const hex = whole.toString("hex");
        const clean = redact(hex, [secret]);
        expect(clean).not.toContain(hex.slice(2 * at, 2 * (at + length)));
        for (const encoding of ["base64", "base64url"] as const) {
          const text = whole.toString(encoding);
          const own = text.slice(Math.ceil((at * 8) / 6), Math.floor(((at + length) * 8) / 6));
          expect(partIn(redact(text, [secret]), piecesOf(own), 24)).toBeUndefined();
        }
        const bytes = Buffer.from(secret).join(", ");
        expect(redact(`[${bytes}]`, [secret])).not.toContain(bytes.slice(0, 60));
      }),
    );
  });

  test("is taken out of every field of an error and of its causes", () => {
    fc.assert(
      fc.property(secrets, spellings, (secret, [, spell]) => {
        const pieces = spell(piecesOf(secret));
        const echo = `got ${pieces.join("")} here`;
        const inner = Object.assign(new Error(echo), { name: echo, code: echo });
        const many = new AggregateError([inner, echo], echo, { cause: inner });
        const stack = `Error: no\n    at ${echo} (file.js:1:1)\n    at last (file.js:2:2)`;
        const error = Object.assign(new Error("no", { cause: many }), { stack, request: echo });
        const shown = everything(safeCause(error, [secret]));
        expect(partIn(shown, pieces, MIN_LEFT)).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });
});

/** All texts of an error, its causes and its errors. */
function everything(error: Error): string {
  const {
    name,
    message,
    stack,
    code,
    cause,
    errors = [],
  } = error as AggregateError & {
    code?: string;
  };
  const below = [...(cause instanceof Error ? [cause] : []), ...(errors as Error[])];
  return [name, message, stack, code, ...below.map(everything)].join("\n");
}

describe("text without a secret", () => {
  const words = fc.stringMatching(/^[a-z]{1,12}$/);
  const token = `${base64url({ alg: "RS256" })}.${base64url({ sub: "x" })}.c2lnbmF0dXJlLXNpZ25hdHVyZQ`;

  test("comes out as it went in", () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (all) => {
        const text = all.join(" ");
        expect(redact(text, [token])).toBe(text);
      }),
    );
  });

  test.each([
    "InvalidIdentityToken: Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements",
    "1 validation error detected: Value 'arn:aws:iam::1:role/x' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20",
    "The security token included in the request is expired: 2026-01-02T03:04:05Z",
    "getaddrinfo ENOTFOUND sts.eu-west-1.amazonaws.com",
    "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0?appid=6731de76",
    "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com",
    "repo:acme/app:ref:refs/heads/main, environment=prod; 100% of 3 + 4 = 7",
    'basic authentication is off; a Bearer token is missing; Bearer realm="x"',
    "the bearer is well known, see C:\\new\\tokens\\readme.txt",
    "com.example.KeyJob.run(KeyJob.java:12)",
    "c++ &amp; d =\r\n e=2E \\u0041",
    "permissions: id-token: write",
    "mail root@example.com, see https://example.com/@me or //x@y",
    "$token = $env:X; @{ WebIdentityToken = $token }",
    "密码 токен 🔑 ключ",
  ])("comes out unharmed: %s", (text) => {
    expect(redact(text, [token])).toBe(text);
  });

  test("loses nothing but the secret", () => {
    fc.assert(
      fc.property(fc.array(words), fc.array(words), jwts, (before, after, jwt) => {
        const [head, tail] = [before.join(" "), after.join(" ")];
        expect(redact(`${head} <${jwt}> ${tail}`, [jwt])).toBe(`${head} <[redacted]> ${tail}`);
        expect(redact(`${head} "${jwt}" ${tail}`)).toBe(`${head} "[redacted]" ${tail}`);
      }),
    );
  });
});

describe("an escape", () => {
  test("an escape that completes another one, again and again, is read without recursion", () => {
    expect(unspell(`${"%3".repeat(20_000)}5a`)[0]?.text).toBe("5a");
  });
});
