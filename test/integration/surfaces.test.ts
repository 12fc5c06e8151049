import { describe, expect, test } from "vitest";
import { Witness } from "../support/leak-search.js";
import { partIn, piecesOf, SPELLINGS } from "../support/spellings.js";
import { REGION, startWorld, type World } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

/** Colors, C1, marks that reorder or hide text, halves of pairs, and a line that was never logged. */
const NOISE =
  "\u001b[31mred\u009b2J\u0085\u202e\u2066\u200b\u00ad\ufeff\u061c\u2028\ud800\u0000\r\n2026-01-01 ERROR root logged in";

/** Every text of anything that a program sees, with the name of its field. */
function textsOf(value: unknown, name = "", seen = new Set<unknown>()): [string, string][] {
  if (typeof value === "string") return [[name, value]];
  if (typeof value !== "object" || value === null || seen.has(value)) return [];
  seen.add(value);
  return Reflect.ownKeys(value).flatMap((key) => [
    ["name of a field", String(key)] as [string, string],
    ...textsOf((value as Record<PropertyKey, unknown>)[key], String(key), seen),
  ]);
}

/** Texts that a terminal or a log would not show as they are. */
function unprintable(values: readonly unknown[]): string[] {
  return values
    .flatMap((value) => textsOf(value))
    .flatMap(([name, text]) => {
      const lines = name === "stack" ? text.split("\n") : [text];
      const isForged =
        name === "stack" && lines.slice(1).some((line) => !line.startsWith("    at "));
      const isClean = lines.every((line) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(line));
      return isClean && !isForged ? [] : [`${name}: ${JSON.stringify(text)}`];
    });
}

type Way = (world: World, echo: string, token: string) => { init: object; token: () => unknown };

const refusal = (echo: string) =>
  Object.assign(new Error(echo), {
    ...{ name: echo, code: echo, Code: echo, RequestId: echo },
    $metadata: { httpStatusCode: 403, requestId: echo },
    $response: { headers: { server: echo, via: echo, "retry-after": echo } },
  });

/** How a text of someone else gets into a refresh. */
const WAYS: Readonly<Record<string, Way>> = {
  "a role assumer throws it as a response": (_, echo, token) => ({
    init: { roleAssumerWithWebIdentity: () => Promise.reject(refusal(echo)) },
    token: () => token,
  }),
  "a role assumer throws it with causes and a stack of its own": (_, echo, token) => {
    const inner = new AggregateError([refusal(echo), echo], echo, { cause: echo });
    const thrown = Object.assign(new Error(echo, { cause: inner }), {
      stack: `Error: no\n    at ${echo} (x.js:1:1)\n${echo}\n    at y (y.js:1:1)`,
    });
    return {
      init: { roleAssumerWithWebIdentity: () => Promise.reject(thrown) },
      token: () => token,
    };
  },
  "a success without credentials has it as its request ID": (_, echo, token) => {
    const headers = { "x-amzn-requestid": echo };
    const requestHandler = new RecordingHandler({ body: "<R><Result/></R>", headers });
    return { init: { clientConfig: { requestHandler, region: REGION } }, token: () => token };
  },
  "STS repeats it": (world, echo, token) => {
    // XML has no form for most controls.
    const message = echo.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, "");
    world.sts.setFault({ code: "AccessDenied", message, httpStatus: 403 });
    return { init: { endpoint: world.sts.url, region: REGION }, token: () => token };
  },
};

const OPAQUE = "Atza|IQEBLjAsAhRmHjNgHpi0U-Dme37rR6CuUpSREXAMPLE0123456789";

describe("no surface shows a token or an unprintable character", () => {
  describe.each(Object.entries(WAYS))("when %s", (_, way) => {
    test.each(Object.entries(SPELLINGS))("%s", async (_name, spell) => {
      await using world = await startWorld();
      const jwt = await world.idp.issueToken();
      for (const token of [jwt, OPAQUE]) {
        using witness = new Witness();
        const pieces = spell(piecesOf(token));
        const given = way(world, `${NOISE} ${pieces.join("")} ${NOISE}`, token);
        const more = token === OPAQUE ? { providerId: "www.amazon.com" } : {};
        const retry = { maxAttempts: 1 };
        const init = { ...witness.init(), ...given.init, ...more, retry };
        const source = async () => given.token() as string;
        expect(await witness.call(world.provide(init, { token: source }))).toBeUndefined();
        expect(witness.count).toBeGreaterThan(3);
        expect(unprintable(witness.seen)).toEqual([]);
        expect(partIn(witness.text(), pieces, 24)).toBeUndefined();
      }
    });
  });

  test("when the token's own claims and header contain them", async () => {
    await using world = await startWorld();
    using witness = new Witness();
    const token = await world.idp.issueToken({
      subject: NOISE,
      audience: `aud${NOISE}`,
      header: { kid: `kid${NOISE}`, typ: NOISE },
      claims: { azp: NOISE, iss: `https://idp.example/${NOISE}`, amr: [NOISE] },
    });
    const init = { ...witness.init({ endpoint: world.sts.url, region: REGION }), retry: {} };
    const once = { ...init, retry: { maxAttempts: 1 } };
    await witness.call(world.provide(once, { token: async () => token }));
    expect(witness.count).toBeGreaterThan(3);
    expect(unprintable(witness.seen)).toEqual([]);
  });

  test("when a token source throws them, with a JWT among them", async () => {
    await using world = await startWorld();
    const jwt = await world.idp.issueToken();
    for (const text of [jwt, encodeURIComponent(jwt), jwt.replace(/.{64}/g, "$&\n")]) {
      using witness = new Witness();
      const source = () => Promise.reject(refusal(`${NOISE} ${text} ${NOISE}`));
      const init = { ...witness.init(), retry: { maxAttempts: 1 } };
      expect(await witness.call(world.provide(init, { token: source }))).toBeUndefined();
      expect(unprintable(witness.seen)).toEqual([]);
      expect(partIn(witness.text(), piecesOf(jwt), 24)).toBeUndefined();
    }
  });

  test("when the role, the session name or the path of the token file contains them", async () => {
    await using world = await startWorld();
    using witness = new Witness();
    const init = { ...witness.init(), roleSessionName: NOISE, retry: { maxAttempts: 1 } };
    await witness.call(world.provide(init, { roleArn: `arn:aws:iam::1:role/${NOISE}` }));
    expect(unprintable(witness.seen)).toEqual([]);
  });
});
