import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeToken } from "../../src/model/jwt.js";
import {
  base64url,
  CLAIMS,
  check,
  fromJson,
  HEADER,
  ids,
  makeToken,
  SIGNATURE,
} from "../support/make-token.js";

const head = base64url(JSON.stringify(HEADER));
const body = base64url(JSON.stringify(CLAIMS));
const token = makeToken();
const LATIN1 = Buffer.from(JSON.stringify({ ...CLAIMS, name: "Müller" }), "latin1");

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("a JWT", () => {
  test("with any header and claims is decoded as it was written", () => {
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
    ["a header that is not JSON", `${base64url("not json")}.${body}.${SIGNATURE}`],
    ["a header that is a list", `${base64url("[]")}.${body}.${SIGNATURE}`],
    ["a payload that is not JSON", fromJson("{")],
    ["a payload that is null", fromJson("null")],
    ["a payload that is a list", fromJson("[1]")],
    ["a payload that is a string", fromJson('"text"')],
    ["a payload that is a number", fromJson("5")],
    ["a payload with text after it", fromJson(`${JSON.stringify(CLAIMS)}x`)],
    ["quotes around it", `"${token}"`],
    ["an array of tokens", `["${token}"]`],
  ])("is not recognized in %s", (_, text) => {
    expect(ids(text)).toEqual(["token-malformed!"]);
  });

  test("may have a payload that is not UTF-8, because how STS reads it is not known", () => {
    expect(ids(fromJson(LATIN1))).toEqual([]);
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
    ["a certificate", "-----BEGIN CERTIFICATE-----\nMIIB", /PEM certificate/],
    ["a private key", "-----BEGIN EC PRIVATE KEY-----\nMIIB", /PEM private key/],
    ["a public key", "-----BEGIN PUBLIC KEY-----\nMIIB", /PEM file/],
    ["GitHub's response", `{"count":1,"value":"${token}"}`, /is its member `value`$/],
    ["a TokenRequest", `{"status":{"token":"${token}"}}`, /is its member `status\.token`$/],
    ["a JWKS", '{"keys":[]}', /^it is a JWKS$/],
    ["AWS credentials", '{"Version":1,"AccessKeyId":"A"}', /^it is AWS credentials$/],
    ["base64 of the token", Buffer.from(token).toString("base64"), /^it is base64 of the token$/],
    ["base64 of a PEM", base64("-----BEGIN CERTIFICATE-----"), /PEM certificate, in base64/],
    ["a SAML response", base64("<saml2p:Response xmlns:saml2p=''>"), /base64 of a SAML/],
    ["base64 of JSON", base64('{"value":"abcdefgh"}'), /base64 of JSON/],
    ["an opaque token", "opaque-access-token", /one opaque string without dots/],
    ["a GitHub token", "ghs_abcdefghijklmnop", /GitHub access token/],
    ["an EKS token", "k8s-aws-v1.aHR0cHM6Ly9zdHM", /aws eks get-token/],
    ["a Google access token", "ya29.a0AfH6SM", /Google access token/],
    ["a variable", "$AWS_TOKEN", /variable or placeholder/],
    ["a template", "{{ .token }}", /variable or placeholder/],
    ["a value that is not set", "undefined", /value that is not set/],
    ["an object turned into text", "[object Promise]", /value that is not set/],
    ["an assignment", `export TOKEN=${token}`, /name of a variable and `=`/],
    ["a kubeconfig", "apiVersion: v1\nkind: Config", /kubeconfig/],
    ["a text that was cut off", `${head}.${body}`, /2 dot-separated parts.*cut off/],
    ["an unsigned token", `${head}.${body}.`, /its signature is empty/],
    ["base64", `${head}.${body}.ab+/cd`, /base64 and not base64url/],
    ["two lines", `${head}.${body}\n.${SIGNATURE}`, /a space or a line break inside/],
  ])("is distinguished from %s", (_, text, words) => {
    const decoded = decodeToken(text);
    expect("problem" in decoded && decoded.problem).toMatch(words);
  });

  test("is missing with a finding that says what to do and contains nothing of the text", () => {
    const secret = "S3cr3tS3cr3tS3cr3tS3cr3t";
    const shapes = [
      secret,
      `{"a":"${secret}"}`,
      `{"${secret}${secret}":"${token}"}`,
      `"${secret}"`,
    ];
    for (const text of [...shapes, `Bearer ${secret}`, `/${secret}`, base64(`{"a":"${secret}"}`)]) {
      const [finding] = check(text).findings;
      expect(finding?.id, text).toBe("token-malformed");
      expect(JSON.stringify(finding), text).not.toContain("S3cr3t");
      expect(finding?.remedy).toMatch(/^Workload: .*\.$/);
    }
  });

  test("with `crit` in its header is refused, as STS refuses it", () => {
    expect(ids(makeToken({}, { crit: ["b64"] }))).toEqual(["token-malformed!"]);
  });
});
