import fc from "fast-check";

/** URLs of issuers and documents. `fc.webUrl()` draws stranger ones, and takes a second to be made. */
export const webUrls = fc.stringMatching(
  /^https:\/\/[a-z][a-z0-9-]{0,20}\.(?:com|org|example)(?::[1-9]\d{1,3})?(?:\/[\w~%!$.-]{0,12}){0,3}(?:\?[\w~=&%-]{0,20})?$/,
);

export function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** A compact JWT or JWE of any content. */
export const tokens = fc
  .tuple(
    fc.constantFrom<object>(
      { alg: "RS256" },
      { alg: "ES256", kid: "k1" },
      { typ: "JWT", alg: "x" },
    ),
    fc.record({ sub: fc.string(), iss: webUrls }),
    fc.array(fc.uint8Array({ minLength: 8, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
  )
  .map(([header, claims, rest]) =>
    [
      base64url(header),
      base64url(claims),
      ...rest.map((x) => Buffer.from(x).toString("base64url")),
    ].join("."),
  );

/** Compact JWTs of any content. */
export const jwts = fc
  .tuple(
    fc.constantFrom<object>({ alg: "RS256", kid: "k1" }, { typ: "JWT", alg: "ES256" }),
    fc.record({ sub: fc.string(), iss: webUrls, exp: fc.nat() }),
    fc.uint8Array({ minLength: 64, maxLength: 256 }),
  )
  .map(([header, claims, signature]) =>
    [
      base64url(header),
      base64url(claims),
      Buffer.from(signature.map((byte, at) => byte ^ (at * 167 + 13))).toString("base64url"),
    ].join("."),
  );
/** Opaque tokens: words with marks between them, escapes and encodings among these. */
const opaque = fc
  .array(fc.stringMatching(/^[A-Za-z0-9]{7,20}[+/=|~.:%&;_-]$/), { minLength: 4, maxLength: 12 })
  .map((words) => words.join(""));
/** Secrets, with the form of a token or without one. */
export const secrets = fc.oneof(jwts, opaque);
