import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "../../src/runtime/redact.js";
import { base64url, tokens } from "../support/arbitraries.js";

/** Text around a token that does not itself continue it. */
const surroundings = fc.string().map((text) => text.replace(/[\w.-]/g, " "));

/** Texts, and what is left of them. */
type Shown = readonly [text: string, shown: string];

describe("a JOSE header", () => {
  test.each<Shown>([
    ["eyJhbGciOiJS", "[redacted]"],
    ["eyJhbGciOiJ", "eyJhbGciOiJ"],
    ["eyJhbGciOi+S", "eyJhbGciOi+S"],
    ["KeyJobScheduler.run", "KeyJobScheduler.run"],
    ["KeyJobSchedulereyJhbGciOiJS", "KeyJobScheduler[redacted]"],
    ["a_eyJhbGciOiJSUzI1NiJ9.eyJ4Ijox~b", "a_[redacted]~b"],
  ])("is recognized by its first twelve characters in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  test.each<Shown>([
    ["https://eyjhbgcioijsuzi1nij9.eyjzdwiioij4in0.c2ln/x", "https://[redacted]/x"],
    ["GOT EYJHBGCIOIJSUZI1NIJ9.EYJZDWIIOIJ4IN0.C2LN.", "GOT [redacted]"],
    ["a_eyjhbgcioijsu.eyjz b", "a_[redacted] b"],
    ["eyjhbgcioijsu.eyjz", "[redacted]"],
    ["eyjhbgcioijs.eyjz", "eyjhbgcioijs.eyjz"],
    ["eyjhbgcioijsu eyjz", "eyjhbgcioijsu eyjz"],
    ["eyjhbgcioijsu b.eyjz", "eyjhbgcioijsu b.eyjz"],
    ["eyjhbgcioijsu.b.eyjz", "eyjhbgcioijsu.b.eyjz"],
    ["eyjz.eyjhbgcioijsu.eyjz", "eyjz.[redacted]"],
  ])("is recognized without its letter case by the claims after it in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });

  test.each<Shown>([
    ["(ZXlKaGJHY2lPaUpTVXpJMU5pSjku/x=)", "([redacted])"],
    ["(ZXlKaGJH)", "([redacted])"],
    ["(ZXlK)", "(ZXlK)"],
    ["(ZXlKIGFuZCBvdGhlciB3b3Jkcw)", "(ZXlKIGFuZCBvdGhlciB3b3Jkcw)"],
    ["(ZXlKaGJHY2lPaUpTVXpJMSBub3Q)", "(ZXlKaGJHY2lPaUpTVXpJMSBub3Q)"],
    ["(ZXlKaGJHY2lPaUpTVXpJMU5pIG5vdA)", "([redacted])"],
  ])("is recognized in base64 by its first 24 characters in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});

describe("a token over several lines", () => {
  const HEADER = "eyJhbGciOiJSUzI1NiJ9.";
  const line = (length: number) => HEADER.padEnd(length, "aB3");
  const WORD = "abcdefghijklmnopqrstuvwxyz";

  test.each<Shown>([
    // A line of 32 characters or more, and a line of nothing else.
    [`${line(32)}\nabc`, "[redacted]"],
    [`${line(32)}\nabc\nmore words`, "[redacted]\nmore words"],
    [`${line(31)}\nabc`, "[redacted]\nabc"],
    [`${line(32)}\nabc and more`, "[redacted]\nabc and more"],
    [`${line(32)}\n(abc)`, "[redacted]\n(abc)"],
    [`${line(32)}\n`, "[redacted]\n"],
    [`${line(32)} abc`, "[redacted] abc"],
    // Its last line before other words: two kinds of letters, 16 characters.
    [`${line(32)}\nABCDEFGHijklmnop and`, "[redacted] and"],
    [`${line(32)}\nABCDEFGHijklmno and`, "[redacted]\nABCDEFGHijklmno and"],
    [`${line(32)}\n12345678ijklmnop and`, "[redacted] and"],
    [`${line(32)}\n12345678IJKLMNOP and`, "[redacted] and"],
    [`${line(32)}\n${WORD} and`, `[redacted]\n${WORD} and`],
    [`${line(32)}\n${WORD.toUpperCase()} and`, `[redacted]\n${WORD.toUpperCase()} and`],
    [`${line(32)}\n1234567890123456 and`, "[redacted]\n1234567890123456 and"],
    [`${line(31)}\nABCDEFGHijklmnop and`, "[redacted]\nABCDEFGHijklmnop and"],
    [`${line(32)} ABCDEFGHijklmnop and`, "[redacted] ABCDEFGHijklmnop and"],
    // Behind a blank, or a shorter line: all three kinds.
    [`${HEADER} ABCDEFGHijklmn12 and`, "[redacted] and"],
    [`${HEADER} ABCDEFGHijklm12 and`, "[redacted] ABCDEFGHijklm12 and"],
    [`${HEADER}\nABCDEFGHijklmn12 and`, "[redacted] and"],
    [`${HEADER} ABCDEFGHijklmn12 ABCDEFGHijklmn13 and`, "[redacted] and"],
    [`${HEADER.slice(0, 16)} ABCDEFGHijklmn12 and`, "[redacted] and"],
    [`${HEADER.slice(0, 15)} ABCDEFGHijklmn12 and`, "[redacted] ABCDEFGHijklmn12 and"],
    [`${HEADER}+ABCDEFGHijklmn12 and`, "[redacted] and"],
    // Behind marks of quotation, three at the most.
    [`${line(32)}\n> ${line(32)}\n> abc\n> def`, "[redacted]\n> def"],
    [`${line(32)}\n>|,abc`, "[redacted]"],
    [`${line(32)}\n# # # abc`, "[redacted]"],
    [`${line(32)}\n>>>>abc`, "[redacted]\n>>>>abc"],
    [`${line(32)}",\n"abc"`, '[redacted]"'],
    [`${line(32)},abc`, "[redacted],abc"],
    [`${line(32)}, ABCDEFGHijklmn12!`, "[redacted]!"],
    [`${line(32)},ABCDEFGHijklmn12!`, "[redacted],ABCDEFGHijklmn12!"],
    [`${line(32)}\n>\n(abc)`, "[redacted]\n>\n(abc)"],
    [`${HEADER} abcdefghijklmn12 and`, "[redacted] abcdefghijklmn12 and"],
    [`${HEADER} ABCDEFGHIJKLMN12 and`, "[redacted] ABCDEFGHIJKLMN12 and"],
    [`${HEADER} ABCDEFGHijklmnop and`, "[redacted] ABCDEFGHijklmnop and"],
    [`${line(32)}\n!abc`, "[redacted]\n!abc"],
  ])("is removed with the lines that do not look like a word in %j", (text, shown) => {
    const before = "The service did not accept this token: ";
    expect(redact(`${before}${text}`)).toBe(`${before}${shown}`);
  });
});

describe("the credentials of a scheme", () => {
  const TWENTY = "abcdefghijklmnopqrst";

  test.each<Shown>([
    ["Bearer a1", "Bearer [redacted]"],
    ["a, bearer a1, b", "a, bearer [redacted], b"],
    ["a bearer a1", "a bearer [redacted]"],
    ["BASIC+a1", "BASIC+[redacted]"],
    ["Bearer\na1", "Bearer\n[redacted]"],
    ["Bearer:a1", "Bearer:a1"],
    ["Bearera1", "Bearera1"],
    ["(bearer a1)", "(bearer [redacted])"],
    ["a-bearer a1", "a-bearer a1"],
    ["forbearer a1", "forbearer a1"],
    ["Bearer", "Bearer"],
    ["Bearer tOken", "Bearer [redacted]"],
    ["Bearer token", "Bearer token"],
    ["Bearer Token", "Bearer Token"],
    ["Bearer TOKEN.", "Bearer TOKEN."],
    ["Bearer error=.:", "Bearer error=.:"],
    ["Bearer a~b", "Bearer [redacted]"],
    [`Basic ${TWENTY}`, `Basic ${TWENTY}`],
    [`Basic ${TWENTY}u`, "Basic [redacted]"],
    ["authorization: bearer token", "authorization: bearer [redacted]"],
    ["'Authorization' => 'bearer token'", "'Authorization' => 'bearer [redacted]'"],
    ["Authorization ::= bearer token", "Authorization ::= bearer [redacted]"],
    ["Authorization ::=> bearer token", "Authorization ::=> bearer token"],
    ["Authorization: use bearer token", "Authorization: use bearer token"],
    [
      "Proxy settings: Proxy-Authorization: Bearer x",
      "Proxy settings: Proxy-Authorization: Bearer [redacted]",
    ],
  ])("are removed, but not an ordinary word, in %j", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});

describe("the value of a field that holds only secrets", () => {
  test.each([
    ...["SecretAccessKey", "secret_access_key", "SessionToken", "session_token"],
    ...["x-amz-security-token", "SecurityToken", "WebIdentityToken", "web_identity_token"],
    ...["accessToken", "id_token", "refresh_token", "client_secret", "client_assertion"],
    ...["PASSWORD", "passwd", "apiKey", "api_key", "private_key"],
  ])("such as %s is removed", (name) => {
    expect(redact(`${name}=abc def`)).toBe(`${name}=[redacted] def`);
    expect(redact(`"${name}": "abc"`)).toBe(`"${name}": "[redacted]"`);
    expect(redact(`${name} abc`)).toBe(`${name} abc`);
  });

  test.each<Shown>([
    ["password => abc", "password => [redacted]"],
    ["password ::= xyz", "password ::= [redacted]"],
    ["password=$PASSWORD", "password=$PASSWORD"],
    ["password=", "password="],
    ["password=,x", "password=,x"],
    ...[..."<>&,;(){}[]"].map(
      (mark): Shown => [`password=a!b${mark}c`, `password=[redacted]${mark}c`],
    ),
    // What is spelled longer than the mark before the value belongs to the value.
    ["password=a%26b&c", "password=[redacted]&c"],
    ["password=a%26%2Cb", "password=[redacted]"],
    ["password=a%26", "password=[redacted]"],
    ["password=a %26b", "password=[redacted] %26b"],
    ["password%3Da%26b", "password%3D[redacted]%26b"],
    ["password%3Da%2526b", "password%3D[redacted]"],
    ["password=a&amp;b", "password=[redacted]&amp;b"],
    ['{"password":"a\\u0026b"}', '{"password":"[redacted]"}'],
  ])("ends where its spelling ends in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});

describe("a parameter of a URL", () => {
  test.each<Shown>([
    ...["token", "secret", "password", "passwd", "pwd", "sig", "signature", "key", "apikey"].map(
      (name): Shown => [`/x?${name}=a1&b=2`, `/x?${name}=[redacted]&b=2`],
    ),
    ["/x?a=1&auth=b", "/x?a=1&auth=[redacted]"],
    ["/x?my.api-KEY=b", "/x?my.api-KEY=[redacted]"],
    ["/x?X-Amz-Credential=b", "/x?X-Amz-Credential=[redacted]"],
    [`/x?${"a".repeat(40)}_code=b`, `/x?${"a".repeat(40)}_code=[redacted]`],
    [`/x?${"a".repeat(41)}_code=b`, `/x?${"a".repeat(41)}_code=b`],
    ["/x?monkey=b", "/x?monkey=b"],
    ["key=b", "key=b"],
    ["/x?token=&code=b", "/x?token=&code=[redacted]"],
    ["why? token=b", "why? token=b"],
    ["a & key=b", "a & key=b"],
  ])("that signs it or contains a password is removed in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});

describe("the user of a URL", () => {
  const LONG = "a".repeat(1_023);

  test.each<Shown>([
    ["a://b@c", "a://[redacted]@c"],
    ["a://b:@c@d", "a://[redacted]@d"],
    ["a://b@", "a://[redacted]@"],
    ["a://@b", "a://@b"],
    ["a://b/c@d", "a://b/c@d"],
    ["a://b?c@d", "a://b?c@d"],
    ["a://b#c@d", "a://b#c@d"],
    ["a://b c@d", "a://b c@d"],
    ['"a://" b@c', '"a://" [redacted]@c'],
    ["a://b@c/ a://d@e", "a://[redacted]@c/ a://[redacted]@e"],
    [`a://${LONG}@b`, "a://[redacted]@b"],
    [`a://${LONG}a@b`, `a://${LONG}a@b`],
  ])("is removed up to the last @ of the authority in %s", (text, shown) => {
    expect(redact(text)).toBe(shown);
  });
});

describe("a token", () => {
  test("with the shape of a JWT never survives, whatever is around it", () => {
    fc.assert(
      fc.property(tokens, surroundings, surroundings, (token, before, after) => {
        const clean = redact(`${before}${token}${after}`);
        for (const part of token.split(".")) expect(clean).not.toContain(part);
      }),
    );
  });

  test("in lines of 64 characters is removed as a whole, before any word", () => {
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
  ])("is removed as a JWT %s", (_, wrap) => {
    const token = `${base64url({ alg: "RS256" })}.${base64url({ sub: "x" })}.c2lnbmF0dXJl`;
    expect(redact(wrap(token))).not.toMatch(/eyJ|c2lnbmF0dXJl/);
  });

  test.each([
    ["a JWE with all five parts", `${base64url({ alg: "RSA-OAEP" })}.AAAA.BBBB.CCCC.DDDD`],
    ["a JWE without an encrypted key", `${base64url({ alg: "dir" })}..BBBB.CCCC.DDDD`],
    ["an unsigned JWT", `${base64url({ alg: "none" })}.DDDD.`],
    [
      "a JWT whose header begins with a space",
      `${Buffer.from('{ "alg": "RS256" }').toString("base64url")}.BBBB.DDDD`,
    ],
    [
      "a JWT whose header has several lines",
      `${Buffer.from('{\n "alg": "RS256" }').toString("base64url")}.BBBB.DDDD`,
    ],
  ])("in the form of %s is removed as a whole", (_, token) => {
    expect(redact(`got ${token} here`)).toBe("got [redacted] here");
  });

  test.each([
    "Authorization: Bearer abc.def/ghi+j=",
    "authorization: bearer abc",
    "Basic dXNlcjpwYXNz",
  ])("after a scheme is removed in %j, and the scheme stays", (text) => {
    expect(redact(text)).toMatch(/(bearer|basic) \[redacted\]$/i);
  });
});

describe("text with the shape of a secret", () => {
  test.each([
    [
      "a password in a URL",
      "http://user:hunter2@proxy:3128 failed",
      "http://[redacted]@proxy:3128 failed",
    ],
    ["a user alone in a URL", "https://ghp_abc123@github.com/x", "https://[redacted]@github.com/x"],
    ["a password with an @", "http://u:p@ss@proxy/", "http://[redacted]@proxy/"],
    ["an encoded URL", "http%3A%2F%2Fu%3Ap%40proxy", "http%3A%2F%2F[redacted]%40proxy"],
    [
      "a signed URL",
      "https://x/jwks?v=1&sig=abc%3D&se=2",
      "https://x/jwks?v=1&sig=[redacted]&se=2",
    ],
    ["a key in a URL", "https://x/jwks?code=abc&amp;x=1", "https://x/jwks?code=[redacted]&amp;x=1"],
    [
      "a presigned URL",
      "https://x/?X-Amz-Security-Token=IQoJ%2Bb&X-Amz-Date=1",
      "https://x/?X-Amz-Security-Token=[redacted]&X-Amz-Date=1",
    ],
    [
      "a field in XML",
      "<SessionToken>IQo+/b==</SessionToken>",
      "<SessionToken>[redacted]</SessionToken>",
    ],
    [
      "a field in JSON",
      '{"SecretAccessKey": "wJ/al+r", "x": 1}',
      '{"SecretAccessKey": "[redacted]", "x": 1}',
    ],
    [
      "a field in a form",
      "client_id=a&client_secret=b%26c&WebIdentityToken=d",
      "client_id=a&client_secret=[redacted]&WebIdentityToken=[redacted]",
    ],
    ["a field in an inspected object", "{ sessionToken: 'abc' }", "{ sessionToken: '[redacted]' }"],
    ["a header", "Authorization: Bearer abc", "Authorization: Bearer [redacted]"],
    ["an encoded header", "Bearer%20a1b2c3", "Bearer%20[redacted]"],
  ])("such as %s is removed", (_, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test("is also the beginning of a JWT, and a JWT in base64", () => {
    const token = `${base64url({ alg: "RS256", kid: "k" })}.${base64url({ sub: "x" })}.sig`;
    expect(redact(`got ${token.slice(0, 24)}`)).toBe("got [redacted]");
    expect(redact(`got ${Buffer.from(token).toString("base64")}!`)).toBe("got [redacted]!");
    expect(redact(`https://${token.toLowerCase()}/`)).toBe("https://[redacted]/");
  });
});
