import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import {
  fromTokenFile,
  fromWebIdentity,
  fromWebToken,
} from "../../src/provider/create-provider.js";

const create = { fromTokenFile, fromWebIdentity, fromWebToken } as Readonly<
  Record<string, (init: never) => unknown>
>;

test.each(Object.entries(create))(
  "%s explains that it must be called when it is itself given as credentials",
  async (name, factory) => {
    const credentials = factory as never;
    const s3 = new S3Client({ credentials, region: "us-east-1", endpoint: "http://127.0.0.1:9" });
    await expect(s3.send(new ListBucketsCommand({}))).rejects.toThrow(
      `${name} itself was given as credentials; call it: { credentials: ${name}(…) }.`,
    );
    s3.destroy();
  },
);

const roleArn = "arn:aws:iam::123456789012:role/checkout";
const token = async () => "token";
const webIdentityToken = "token";
const webIdentityTokenFile = "/run/token";

test.each([
  ["fromTokenFile", { token }, "`token` is not an option here; use fromWebIdentity()."],
  [
    "fromTokenFile",
    { webIdentityToken },
    "`webIdentityToken` is not an option here; use fromWebToken().",
  ],
  ["fromWebIdentity", { token, webIdentityTokenFile }, "not an option here; use fromTokenFile()."],
  ["fromWebIdentity", { token, webIdentityToken }, "not an option here; use fromWebToken()."],
  ["fromWebToken", { webIdentityToken, token }, "not an option here; use fromWebIdentity()."],
  ["fromTokenFile", { RoleArn: roleArn }, "`RoleArn`; did you mean `roleArn`?"],
  ["fromTokenFile", { Policy: "{}" }, "`Policy`; did you mean `policy`?"],
  ["fromTokenFile", { webidentitytokenfile: "/run/token" }, "did you mean `webIdentityTokenFile`?"],
])(
  "%s refuses an option that it would ignore, so that no other identity is used: %j",
  (name, init, words) => {
    const make = () => create[name]?.({ roleArn, ...init } as never);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(words);
  },
);

test("fromWebToken accepts the init of fromTokenFile besides its token, as the SDK's does", () => {
  const make = () =>
    create.fromWebToken?.({ roleArn, webIdentityTokenFile, webIdentityToken } as never);
  expect(make).not.toThrow();
});

/** What a provider passes to STS. */
type Requested = Readonly<Record<string, unknown>>;

test.each([
  ["fromTokenFile", { webIdentityTokenFile: "package.json" }],
  ["fromWebIdentity", { token }],
  ["fromWebToken", { webIdentityToken }],
])(
  "%s uses the options as they were when it was called, whatever its object becomes",
  async (name, source) => {
    const requests: Requested[] = [];
    const policyArns = [{ arn: "arn:aws:iam::aws:policy/First" }];
    const init = {
      ...{ ...source, roleArn, policy: "first", policyArns, durationSeconds: 900 },
      ...{ roleSessionName: "first", validateToken: false, region: "us-east-1" },
      roleAssumerWithWebIdentity: async (request: Requested) => {
        requests.push(request);
        return { accessKeyId: "ASIAEXAMPLE", secretAccessKey: "secret" };
      },
    };
    const provider = create[name]?.(init as never) as () => Promise<unknown>;
    policyArns.push({ arn: "arn:aws:iam::aws:policy/Second" });
    const second = { roleArn: `${roleArn}-2`, policy: "second", durationSeconds: 1_800 };
    Object.assign(init, second, { roleSessionName: "second", validateToken: true });
    await provider();
    expect(requests).toMatchObject([
      {
        RoleArn: roleArn,
        RoleSessionName: "first",
        Policy: "first",
        PolicyArns: [{ arn: "arn:aws:iam::aws:policy/First" }],
        DurationSeconds: 900,
      },
    ]);
  },
);

test("an init may be an instance of a class with getters", () => {
  class Settings {
    get webIdentityToken() {
      return webIdentityToken;
    }
    get roleArn() {
      return roleArn;
    }
  }
  expect(() => fromWebToken(new Settings())).not.toThrow();
});
