import type { Pluggable } from "@smithy/types";
import { describe, expect, test } from "vitest";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { secretsOf, Witness } from "../support/leak-search.js";
import { REGION, startWorld } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

const SECRETS = {
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  sessionToken: "IQoJb3JpZ2luX2VjEXAMPLETOKEN",
};

const CREDENTIALS = `<Credentials><SecretAccessKey>${SECRETS.secretAccessKey}</SecretAccessKey>
  <SessionToken>${SECRETS.sessionToken}</SessionToken>`;

/** A plugin that throws the whole request, as a careless one would. */
const careless: Pluggable<object, object> = {
  applyToStack: (stack) =>
    stack.add(
      () => async (args) => {
        const { body } = args.request as { body: string };
        throw Object.assign(new Error(`cannot send ${body}`), { args, code: body });
      },
      { step: "finalizeRequest" },
    ),
};

describe("no surface shows a secret", () => {
  test.each<[string, number, string]>([
    ["a response that is cut off", 200, `<AssumeRoleWithWebIdentityResponse>${CREDENTIALS}`],
    ["a response without an access key", 200, `<R>${CREDENTIALS}</Credentials></R>`],
    ["JSON", 200, JSON.stringify(SECRETS)],
    [
      "an error that contains them",
      500,
      `<ErrorResponse><Error>${CREDENTIALS}</Credentials></Error>`,
    ],
    ["a page that contains them", 403, `<html>${CREDENTIALS}</html>`],
  ])("of %s", async (_, status, body) => {
    await using world = await startWorld();
    using witness = new Witness();
    const requestHandler = new RecordingHandler({ status, body });
    const init = witness.init({ requestHandler, region: REGION });
    const provider = world.provide({ ...init, retry: { maxAttempts: 2 } });
    expect(await witness.call(provider)).toBeUndefined();
    expect(requestHandler.requests.length).toBeGreaterThan(0);
    expect(witness.find(SECRETS)).toEqual([]);
  });

  test("of credentials that have expired already", async () => {
    await using world = await startWorld({ credentialLifetimeSeconds: -60 });
    using witness = new Witness();
    const issued: string[] = [];
    const reader: Pluggable<object, object> = {
      applyToStack: (stack) =>
        stack.add(
          (next) => async (args) => {
            const result = await next(args);
            const { Credentials = {} } = result.output as { Credentials?: Record<string, unknown> };
            issued.push(String(Credentials.SecretAccessKey), String(Credentials.SessionToken));
            return result;
          },
          { step: "initialize" },
        ),
    };
    const init = witness.init({ endpoint: world.sts.url, region: REGION });
    const provider = world.provide({ ...init, clientPlugins: [reader] });
    expect(await witness.call(provider)).toBeUndefined();
    const [secretAccessKey = "", sessionToken = ""] = issued;
    expect(secretAccessKey.length).toBeGreaterThan(20);
    expect(witness.find({ secretAccessKey, sessionToken })).toEqual([]);
  });

  test.each<[string, WebIdentityInit]>([
    ["a plugin", { clientPlugins: [careless] }],
    [
      "a role assumer",
      {
        roleAssumerWithWebIdentity: async (input) => {
          throw Object.assign(new Error(JSON.stringify(input)), { input, name: input.RoleArn });
        },
      },
    ],
    [
      "a role assumer's string",
      { roleAssumerWithWebIdentity: (input) => Promise.reject(input.WebIdentityToken) },
    ],
  ])("of the request that %s throws", async (_, more) => {
    await using world = await startWorld();
    using witness = new Witness();
    const token = await world.idp.issueToken();
    const init = witness.init({ endpoint: world.sts.url, region: REGION });
    const provider = world.provide({ ...init, ...more }, { token: async () => token });
    expect(await witness.call(provider)).toBeUndefined();
    expect(witness.find(secretsOf(token))).toEqual([]);
  });

  test("of a listener that throws the event it got", async () => {
    await using world = await startWorld();
    using witness = new Witness();
    const token = await world.idp.issueToken();
    const onEvent = () => {
      throw new Error(`while holding ${token}`);
    };
    const init = { ...witness.init({ endpoint: world.sts.url, region: REGION }), onEvent };
    expect(await witness.call(world.provide(init, { token: async () => token }))).toBeDefined();
    expect(witness.find(secretsOf(token))).toEqual([]);
  });

  test("of a token in the place of the role, when no request can be made", async () => {
    await using world = await startWorld();
    using witness = new Witness();
    const roleArn = await world.idp.issueToken();
    const region = async () => Promise.reject(new Error("no region"));
    const provider = world.provide(witness.init({ region }), { roleArn });
    expect(await witness.call(provider)).toBeUndefined();
    expect(witness.find(secretsOf(roleArn))).toEqual([]);
  });
});
