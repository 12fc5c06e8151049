import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeToken } from "../../src/model/jwt.js";
import {
  base64url,
  CLAIMS,
  fromJson,
  HEADER,
  ids,
  makeToken,
  SIGNATURE,
} from "../token/make-token.js";

const head = base64url(JSON.stringify(HEADER));
const body = base64url(JSON.stringify(CLAIMS));
const token = makeToken();
const NOT_UTF8 = Buffer.from([...Buffer.from('{"iss":"'), 0xff, 0xfe, ...Buffer.from('"}')]);

describe("a JWT", () => {
  test("of any header and claims is read back as it was written", () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(objects, objects, (header, claims) => {
        const [headerJson, claimsJson] = [JSON.stringify(header), JSON.stringify(claims)];
        expect(decodeToken(fromJson(claimsJson, headerJson))).toEqual({
          header: JSON.parse(headerJson),
          claims: JSON.parse(claimsJson),
        });
      }),
    );
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["one part", "opaque-access-token"],
    ["two parts", `${head}.${body}`],
    ["four parts", `${token}.AAAA`],
    ["a trailing dot", `${token}.`],
    ["dots alone", ".."],
    ["no signature", `${head}.${body}.`],
    ["no payload", `${head}..${SIGNATURE}`],
    ["trailing text", `${token} trailing`],
    ["text before it", `Bearer ${token}`],
    ["a line break inside", `${head}.${body}\n.${SIGNATURE}`],
    ["a zero byte inside", `${head}.${body}\0.${SIGNATURE}`],
    ["base64 instead of base64url", `${head}.${body}.ab+/cd`],
    ["padding", `${head}.${body}.abc=`],
    ["a header that is no JSON", `${base64url("not json")}.${body}.${SIGNATURE}`],
    ["a header that is a list", `${base64url("[]")}.${body}.${SIGNATURE}`],
    ["a payload that is no JSON", fromJson("{")],
    ["a payload that is null", fromJson("null")],
    ["a payload that is a list", fromJson("[1]")],
    ["a payload that is a string", fromJson('"text"')],
    ["a payload that is a number", fromJson("5")],
    ["a payload with text after it", fromJson(`${JSON.stringify(CLAIMS)}x`)],
    ["a payload that is not UTF-8", fromJson(NOT_UTF8)],
    ["quotes around it", `"${token}"`],
    ["an array of tokens", `["${token}"]`],
  ])("is not seen in %s", (_, text) => {
    expect(ids(text)).toEqual(["token-malformed!"]);
  });

  test.each([
    ["an encrypted token", `${head}.AAAA.BBBB.CCCC.DDDD`, /encrypted token \(JWE/],
    ["JSON around the token", `{"access_token":"x"}`, /JSON that wraps the token/],
    ["JSON around a whole token", `{"value":"${token}"}`, /JSON that wraps the token/],
    ["a list of tokens", `["${token}"]`, /JSON that wraps the token/],
    ["quotes", `"${token}"`, /quotes around it/],
    ["a header field", `Bearer ${token}`, /begins with `Bearer`/],
    ["a page with five parts", "<a>.b.c.d.e", /HTML or XML page/],
    ["a relative path", "./secrets/token", /path to the token/],
    ["a path", "/var/run/secrets/token", /path to the token/],
    ["a file URL", "file:///var/run/secrets/token", /path to the token/],
    ["a URL", "https://idp.example/token", /a URL/],
    ["a page", "<!DOCTYPE html><html>", /HTML or XML page/],
  ])("is told apart from %s", (_, text, words) => {
    const decoded = decodeToken(text);
    expect("problem" in decoded && decoded.problem).toMatch(words);
  });

  test("with crit in its header is one that STS does not read", () => {
    expect(ids(makeToken({}, { crit: ["b64"] }))).toEqual(["token-malformed!"]);
  });
});
