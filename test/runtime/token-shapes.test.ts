import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "../../src/runtime/redact.js";
import { base64url, tokens } from "../support/arbitraries.js";

/** Text around a token that does not itself continue it. */
const surroundings = fc.string().map((text) => text.replace(/[\w.-]/g, " "));

describe("a token", () => {
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
});

describe("what gives itself away as a secret", () => {
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
  ])("is taken out: %s", (_, text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  test("also as the beginning of a JWT, and as a JWT in base64", () => {
    const token = `${base64url({ alg: "RS256", kid: "k" })}.${base64url({ sub: "x" })}.sig`;
    expect(redact(`got ${token.slice(0, 24)}`)).toBe("got [redacted]");
    expect(redact(`got ${Buffer.from(token).toString("base64")}!`)).toBe("got [redacted]!");
    expect(redact(`https://${token.toLowerCase()}/`)).toBe("https://[redacted]/");
  });
});
