import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact, safeCause } from "../../src/runtime/redact.js";
import { GAP, type PlainText, unspell } from "../../src/runtime/spellings.js";
import { base64url, jwts, secrets } from "../support/arbitraries.js";
import { CASE_FOLDING, partIn, piecesOf, SPELLINGS, STEPS } from "../support/spellings.js";

/** What is left of a text when every spelling is undone; in both readings of a `=`, as a rule. */
const plain = (text: string) => unspell(text).map((each) => each.text);

describe("an escape", () => {
  test.each([
    ["%2E", "."],
    ["%2e", "."],
    ["%30%39", "09"],
    ["%4A%4F%6a%6f%41%61", "JOjoAa"],
    ["%u002E", "."],
    ["\\u002e", "."],
    ["\\U002e", "."],
    ["\\x2e", "."],
    ["\\X2E", "."],
    ["\\056", "."],
    ["\\377", "\u00c3\u00bf"],
    ["\\u{2e}", "."],
    ["\\u{0000002E}", "."],
    ["&#46;", "."],
    ["&#00000000046;", "."],
    ["&#x2e;", "."],
    ["&#X2E;", "."],
    ["&period;", "."],
    ["&PERIOD;", "."],
    ["&amp;", "&"],
    ["%252E", "."],
    ["%25252E", "."],
    ["&amp;#46;", "."],
    ["&amp;amp;period;", "."],
    ["\\u005cu002e", "."],
    ["\\\\u002e", "."],
    ["%5Cu002e", "."],
    ["\\u0025\\x32\\105", "."],
    ["&#37;2&#69;", "."],
    ["%26period;", "."],
    ["\\u{25}2E", "."],
  ])("%s is undone", (text, letter) => {
    expect(plain(text)).toEqual([letter]);
    expect(plain(`<${text}>`)).toEqual([`<${letter}>`]);
  });

  test.each([
    ...["%", "%2", "%2G", "%G2", "%u002", "%u002G", "u002e", "x2e", "2E", "056"],
    ...["%2/", "%2:", "%2@", "%2g", "%/2", "%:2", "%@2", "%g2", "xu002e", "&a#46;", "&#46g;"],
    ...["&#;", "&#x;", "&#xG;", "&#4G;", "&period", "period;", "&perio;", "&#x2e"],
    ...["&#000000000046;", "&toString;", "#46;", "amp;", "{2e}", "u{2e}", "%u{2e}"],
  ])("such as %s is not one", (text) => {
    expect(plain(text)).toEqual([text]);
    expect(plain(`<${text}>`)).toEqual([`<${text}>`]);
  });

  test.each([
    ["\\x2", "x2"],
    ["\\x2G", "x2G"],
    ["\\y2e", "y2e"],
    ["\\400", "400"],
    ["\\058", "058"],
    ["\\u002", "u002"],
    ["\\u{}", "u{}"],
    ["\\u{000000002e}", "u{000000002e}"],
    ["\\u{2g}", "u{2g}"],
    ["\\v{2e}", "v{2e}".slice(1)],
    ["C:\\Users", "C:Users"],
  ])("such as %s is not one, and its backslash is left out", (text, left) => {
    expect(plain(text)).toEqual([left]);
  });

  test.each(
    Object.entries({
      amp: "&",
      apos: "",
      ast: "*",
      bsol: "",
      colon: ":",
      comma: ",",
      commat: "@",
      dollar: "$",
      excl: "!",
      grave: "",
      gt: ">",
      hat: "^",
      lbrace: "{",
      lbrack: "[",
      lcub: "{",
      lowbar: "_",
      lpar: "(",
      lsqb: "[",
      lt: "<",
      nbsp: "",
      newline: "",
      num: "#",
      percnt: "%",
      period: ".",
      plus: "",
      quest: "?",
      quot: "",
      rbrace: "}",
      rbrack: "]",
      rcub: "}",
      rpar: ")",
      rsqb: "]",
      semi: ";",
      sol: "/",
      tab: "",
      underbar: "_",
      verbar: "|",
      vert: "|",
    }),
  )("is undone if it is the named entity &%s;", (name, letter) => {
    expect(plain(`x&${name};y`)).toEqual([`x${letter}y`]);
  });

  test("of quoted-printable is only undone in a second plain text", () => {
    expect(plain("a=2Eb")).toEqual(["a=2Eb", "a.b"]);
    expect(plain("a=2eb")).toEqual(["a=2eb", "a.b"]);
    expect(plain("a=\r\nb")).toEqual(["a=b", "ab"]);
    expect(plain("a=3D=\nb")).toEqual(["a=3D=b", "a=b"]);
    expect(plain("a= \nb")).toEqual(["a=b", "a=b"]);
    expect(plain("a\nb=c")).toEqual(["ab=c", "ab=c"]);
    expect(plain("x&equals;2Ey")).toEqual(["x=2Ey", "x.y"]);
  });

  test("that completes another one, at any depth, is undone without recursion", () => {
    expect(plain(`${"%3".repeat(20_000)}5a`)).toEqual(["5a"]);
  });
});

describe("a plain text", () => {
  test.each([
    ["spaces and quotes", "a b\tc\"d'e`f\u00a0g\u2003h"],
    ["line breaks", "a\nb\r\nc\vd\fe\u0085f\u2028g\u2029h"],
    ["invisible marks", "a\u200bb\u00adc\ufeffd\u202ee\0f\u0001g\u007fh"],
    ["pluses and backslashes", "a+bc++d\\ef\\\\\\g\\h"],
    ["short escapes", "a\\nb\\rc\\td\\be\\ff\\vg\\\\nh"],
    ["colors", "\u001b[31ma\u001b[0mb\u001b[1;38:5?mc\u001b[Kd\u001b[12;34Hefgh"],
    ["escaped colors", "a\\u001b[31mb\\x1b[0mc\\033[0md%1B[0mefgh"],
    ["escaped marks", "a%E2%80%8Bb%C2%ADc\\u200bd&#8203;e%EF%BB%BFf%C2%A0g%E2%80%A8h"],
  ])("leaves out %s", (_, text) => {
    expect(plain(text)).toEqual(["abcdefgh"]);
  });

  test("contains text that only looks like a color", () => {
    expect(plain("a\u001b31mb")).toEqual(["a31mb"]);
    expect(plain("a\u001b[31b\u001b[<1mc")).toEqual(["ac".replace("c", "[<1mc")]);
    expect(plain("a[31mb")).toEqual(["a[31mb"]);
    expect(plain(`a\u001b[${"1".repeat(11)}mb`)).toEqual(["ab"]);
    expect(plain(`a\u001b[${"1".repeat(12)}mb`)).toEqual([`a[${"1".repeat(12)}mb`]);
  });

  test("contains the UTF-8 bytes of other letters, in any spelling", () => {
    for (const letter of ["é", "߿", "ࠀ", "密", "\u{1f511}"]) {
      const utf8 = Buffer.from(letter).toString("latin1");
      const halves = [...letter.split("")].map((unit) =>
        unit.charCodeAt(0).toString(16).padStart(4, "0"),
      );
      if (letter.length === 1) expect(plain(letter)).toEqual([utf8]);
      expect(plain(encodeURIComponent(letter))).toEqual([utf8]);
      expect(plain(halves.map((half) => `\\u${half}`).join(""))).toEqual(plain(letter));
    }
  });
});

describe("each character", () => {
  const read = (text: string) => {
    const [{ text: letters, source, starts, ends, gaps }] = unspell(text) as [PlainText];
    return Array.from(letters, (letter, at) => [
      letter,
      source.slice(starts[at], ends[at]),
      gaps[at],
    ]);
  };
  const { blank, line, plus } = GAP;

  test("knows its place in the source", () => {
    expect(read("a%2Eb\\u{2e}&amp;#46;c")).toEqual([
      ["a", "a", 0],
      [".", "%2E", 0],
      ["b", "b", 0],
      [".", "\\u{2e}", 0],
      [".", "&amp;#46;", 0],
      ["c", "c", 0],
    ]);
    expect(read("\\\\\\u002e")).toEqual([[".", "\\\\\\u002e", 0]]);
    expect(read("\\%5Cu002e")).toEqual([[".", "%5Cu002e", 0]]);
    expect(read("%5C%5Cu002e")).toEqual([[".", "%5C%5Cu002e", 0]]);
    expect(read("%255C%255Cu002e")).toEqual([[".", "%255C%255Cu002e", 0]]);
    expect(read("\\%255Cu002e")).toEqual([[".", "%255Cu002e", 0]]);
    expect(read("%5C%255Cu002e")).toEqual([[".", "%255Cu002e", 0]]);
    expect(read("\\u001b%80x").map(([letter]) => letter)).toEqual(["\x80", "x"]);
    expect(read("%C3%A9x").map(([, spelled]) => spelled)).toEqual(["%C3", "%A9", "x"]);
  });

  test.each<[string, number]>([
    ["ab", 0],
    ["a b", blank],
    ["a'b", blank],
    ["a\\tb", blank],
    ["a%20b", blank],
    ["a&nbsp;b", blank],
    ["a\u00a0b", blank],
    ["a%C2%A0b", blank],
    ["a\nb", line],
    ["a\\nb", line],
    ["a\\rb", line],
    ["a&newline;b", line],
    ["a%0Ab", line],
    ["a%E2%80%A8b", line],
    ["a+b", plus],
    ["a&plus;b", plus],
    ["a%2Bb", plus],
    ["a +\n b", blank + plus + line],
    ["a \u001b[0mb", blank],
    ["a \u001b[0m\nb", blank + line],
    ["a\u200bb", 0],
    ["a\u00adb", 0],
    ["a\ufeffb", 0],
    ["a\0b", 0],
    ["a %62", blank],
    ["a \\x62", blank],
    ["a\\bb", blank],
    ["a\\fb", blank],
    ["a\\vb", blank],
  ])("knows what was left out before it in %j", (text, gap) => {
    expect(read(text.slice(1))).toEqual([["b", expect.any(String), gap]]);
    expect(read(text).map(([letter, , before]) => [letter, before])).toEqual([
      ["a", 0],
      ["b", gap],
    ]);
  });

  test("distinguishes a soft line break before it from any other", () => {
    const gaps = (text: string) => Array.from(unspell(text).at(-1)?.gaps.slice(0, 2) ?? []);
    expect(gaps("a=\nb")).toEqual([0, 0]);
    expect(gaps("a=\r\nb")).toEqual([0, 0]);
    expect(gaps("a =\nb")).toEqual([0, blank]);
    expect(gaps("a= \nb").slice(0, 1)).toEqual([0]);
  });
});

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
  test("is removed, however many encodings are nested", () => {
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

  test.each(Object.entries(SPELLINGS))("%s is removed, also truncated at both ends", (_, spell) => {
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
    "%s is removed when it is a JWT that no caller named",
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

  test("is removed from base64, base64url, hexadecimal and lists of bytes", () => {
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

  test("is removed from every field of an error and of its causes", () => {
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

  test("is not changed", () => {
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
  ])("such as %s is not changed", (text) => {
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
