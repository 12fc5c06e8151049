import {
  fromTokenFile as stockFromTokenFile,
  fromWebToken as stockFromWebToken,
} from "@aws-sdk/credential-provider-web-identity";
import type { Pluggable } from "@smithy/types";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type FromWebTokenInit, fromTokenFile, fromWebToken } from "../../src/index.js";
import { type LocalIdp, startLocalIdp } from "../../src/testing/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { ROLE_ARN, rejection } from "../support/world.js";
import { type RecordedResponse, RecordingHandler } from "./recording-handler.js";

let idp: LocalIdp;
let token: string;
beforeEach(async () => {
  idp = await startLocalIdp({ algorithm: "ES256" });
  token = await idp.issueToken();
});
afterEach(() => idp.close());

type SharedInit = Omit<FromWebTokenInit, "webIdentityToken" | "roleArn">;

/** What one provider came to, and what it sent. */
interface Outcome {
  readonly credentials: unknown;
  readonly handler: RecordingHandler;
}

interface SharedSettings {
  readonly clientConfig: { region: string; requestHandler: RecordingHandler };
}

/** The same call of the SDK's provider and of ours, each on its own line. */
async function sideBySide(
  call: (stock: boolean, init: SharedSettings) => Promise<unknown>,
  response?: RecordedResponse,
): Promise<readonly [stock: Outcome, ours: Outcome]> {
  const run = async (stock: boolean): Promise<Outcome> => {
    const handler = new RecordingHandler(response);
    const clientConfig = { region: "eu-west-1", requestHandler: handler };
    const credentials = await call(stock, { clientConfig });
    return { credentials, handler };
  };
  return [await run(true), await run(false)];
}

const webToken = (more: SharedInit, response?: RecordedResponse) =>
  sideBySide((stock, { clientConfig, ...init }) => {
    const full = {
      webIdentityToken: token,
      roleArn: ROLE_ARN,
      ...init,
      ...more,
      clientConfig: { ...clientConfig, ...more.clientConfig },
    };
    return stock
      ? stockFromWebToken(full as Parameters<typeof stockFromWebToken>[0])()
      : fromWebToken({ ...full, preflight: "off" })();
  }, response);

const header: Pluggable<object, object> = {
  applyToStack: (stack) =>
    stack.add(
      (next) => (args) => {
        const { headers } = args.request as { headers: Record<string, string> };
        headers["x-plugin"] = "was here";
        return next(args);
      },
      { step: "build", name: "addHeader" },
    ),
};

describe("fromWebToken sends and returns the same as the SDK's own provider:", () => {
  test.each<[string, SharedInit]>([
    ["without options", {}],
    ["roleSessionName", { roleSessionName: "nightly@build" }],
    ["durationSeconds", { durationSeconds: 900 }],
    ["policy", { policy: '{"Version":"2012-10-17","Statement":[]}' }],
    ["policyArns", { policyArns: [{ arn: "arn:aws:iam::aws:policy/A" }, { arn: "arn:aws:b" }] }],
    ["providerId", { providerId: "www.amazon.com" }],
    ["clientConfig.region", { clientConfig: { region: "ap-southeast-2" } }],
    ["clientConfig.region as a function", { clientConfig: { region: async () => "us-west-2" } }],
    ["clientConfig.endpoint", { clientConfig: { endpoint: "https://sts.example/path" } }],
    [
      "clientConfig.useFipsEndpoint",
      { clientConfig: { region: "us-east-1", useFipsEndpoint: true } },
    ],
    ["clientConfig.useDualstackEndpoint", { clientConfig: { useDualstackEndpoint: true } }],
    ["clientPlugins", { clientPlugins: [header] }],
    ["parentClientConfig", { parentClientConfig: { region: "us-west-1" } }],
  ])("%s", async (_, init) => {
    const [stock, ours] = await webToken(init);
    expect(ours.credentials).toEqual(stock.credentials);
    expect(ours.handler.requests).toHaveLength(1);
    const shape = ({ handler: { requests, parameters } }: Outcome) => {
      const { method, protocol, hostname, port, path, query, headers } = requests[0] ?? {};
      const { RoleSessionName, ...rest } = parameters[0] ?? {};
      const named = init.roleSessionName === undefined ? /^aws-sdk-js-session-\d{13}$/ : /^nightly/;
      expect(RoleSessionName).toMatch(named);
      const kept = {
        host: headers?.host,
        type: headers?.["content-type"],
        x: headers?.["x-plugin"],
      };
      return { method, protocol, hostname, port, path, query, kept, rest };
    };
    expect(shape(ours)).toEqual(shape(stock));
  });

  test.each<[string, RecordedResponse]>([
    ["a response of AWS", {}],
    ["no assumed role", { assumedRoleArn: undefined }],
    ["an ARN without an account", { assumedRoleArn: "arn:aws:sts:::assumed-role/app/x" }],
    ["an ARN that is none", { assumedRoleArn: "app" }],
    ["a credential scope", { more: "<CredentialScope>us-east-1</CredentialScope>" }],
  ])("from %s", async (_, response) => {
    const [stock, ours] = await webToken({}, response);
    expect(ours.credentials).toEqual(stock.credentials);
    expect(ours.credentials).toHaveProperty("expiration", new Date("2099-01-01T00:00:00Z"));
    expect(ours.credentials).toHaveProperty("$source.CREDENTIALS_STS_ASSUME_ROLE_WEB_ID", "k");
  });

  test("the user agent has the custom user agent and the application id", async () => {
    const [stock, ours] = await webToken({
      clientConfig: { customUserAgent: "probe/1.0", userAgentAppId: "shop" },
    });
    for (const { handler } of [stock, ours]) {
      const agent = String(handler.requests[0]?.headers["user-agent"]);
      expect(agent).toMatch(/probe\/1\.0/);
      expect(agent).toMatch(/app\/shop/);
    }
  });

  test("a role assumer gets the same input, and its response is returned", async () => {
    const stockAssumer = vi.fn(async () => ({ accessKeyId: "A", secretAccessKey: "B" }));
    const oursAssumer = vi.fn(async () => ({ accessKeyId: "A", secretAccessKey: "B" }));
    const init = {
      webIdentityToken: token,
      roleArn: ROLE_ARN,
      roleSessionName: "mine",
      policyArns: [{ arn: "arn:aws:iam::aws:policy/A" }],
      durationSeconds: 1800,
    };
    const stock = await stockFromWebToken({ ...init, roleAssumerWithWebIdentity: stockAssumer })();
    const ours = await fromWebToken({
      ...init,
      preflight: "off",
      roleAssumerWithWebIdentity: oursAssumer,
    })();
    expect(ours).toMatchObject(stock);
    expect(oursAssumer.mock.calls).toEqual(stockAssumer.mock.calls);
  });
});

describe("fromTokenFile does the same as the SDK's own provider:", () => {
  test("it reads file, role and session name from the environment, and marks where they came from", async () => {
    using folder = temporaryFolder();
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", folder.write("token", token));
    vi.stubEnv("AWS_ROLE_ARN", ROLE_ARN);
    vi.stubEnv("AWS_ROLE_SESSION_NAME", "from-the-environment");
    const [stock, ours] = await sideBySide((isStock, init) =>
      isStock ? stockFromTokenFile(init)() : fromTokenFile({ ...init, preflight: "off" })(),
    );
    expect(ours.credentials).toEqual(stock.credentials);
    expect(ours.credentials).toHaveProperty("$source.CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN", "h");
    expect(ours.handler.parameters).toEqual(stock.handler.parameters);
  });

  test("it prefers options to the environment", async () => {
    using folder = temporaryFolder();
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", folder.write("other", await idp.issueToken()));
    vi.stubEnv("AWS_ROLE_ARN", `${ROLE_ARN}-other`);
    vi.stubEnv("AWS_ROLE_SESSION_NAME", "other");
    const own = {
      webIdentityTokenFile: folder.write("token", token),
      roleArn: ROLE_ARN,
      roleSessionName: "own",
    };
    const [stock, ours] = await sideBySide((isStock, init) =>
      isStock
        ? stockFromTokenFile({ ...init, ...own })()
        : fromTokenFile({ ...init, ...own, preflight: "off" })(),
    );
    expect(ours.credentials).toEqual(stock.credentials);
    expect(ours.credentials).not.toHaveProperty("$source.CREDENTIALS_ENV_VARS_STS_WEB_ID_TOKEN");
    expect(ours.handler.parameters).toEqual(stock.handler.parameters);
    expect(ours.handler.parameters[0]).toMatchObject({
      RoleArn: ROLE_ARN,
      WebIdentityToken: token,
    });
  });

  test("unlike that one, it sends the token without the line end of its file", async () => {
    using folder = temporaryFolder();
    const own = { webIdentityTokenFile: folder.write("token", `${token}\n`), roleArn: ROLE_ARN };
    const [stock, ours] = await sideBySide((isStock, init) =>
      isStock
        ? stockFromTokenFile({ ...init, ...own })()
        : fromTokenFile({ ...init, ...own, preflight: "off" })(),
    );
    expect(stock.handler.parameters[0]?.WebIdentityToken).toBe(`${token}\n`);
    expect(ours.handler.parameters[0]?.WebIdentityToken).toBe(token);
  });

  test("it reads the environment at the call and not before", async () => {
    using folder = temporaryFolder();
    const [, ours] = await sideBySide((isStock, init) => {
      const provider = isStock
        ? stockFromTokenFile(init)
        : fromTokenFile({ ...init, preflight: "off" });
      vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", folder.write("token", token));
      vi.stubEnv("AWS_ROLE_ARN", ROLE_ARN);
      return provider();
    });
    expect(ours.handler.parameters[0]).toMatchObject({ WebIdentityToken: token });
  });

  test.each<[string, Record<string, string>, boolean]>([
    ["nothing", {}, true],
    ["a role alone", { AWS_ROLE_ARN: ROLE_ARN }, true],
    ["blanks", { AWS_WEB_IDENTITY_TOKEN_FILE: " ", AWS_ROLE_ARN: "" }, true],
    ["a token file alone", { AWS_WEB_IDENTITY_TOKEN_FILE: "/token" }, false],
  ])("it reports that the environment has %s", async (_, variables, tryNextLink) => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const error = await rejection(fromTokenFile({ preflight: "off" })());
    expect(error).toMatchObject({ code: "ERR_NOT_CONFIGURED", tryNextLink });
    expect(String(error)).toContain("Web identity configuration not specified");
  });
});
