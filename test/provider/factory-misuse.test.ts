import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { fromTokenFile } from "../../src/provider/from-token-file.js";
import { fromWebIdentity } from "../../src/provider/from-web-identity.js";
import { fromWebToken } from "../../src/provider/from-web-token.js";
import { refreshOnExpiredToken } from "../../src/provider/refresh-on-expired-token.js";

const create = { fromTokenFile, fromWebIdentity, fromWebToken } as Readonly<
  Record<string, (init: never) => unknown>
>;

test.each(Object.entries(create))(
  "%s given as credentials without being called says so",
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
  ["fromTokenFile", { token }, "`token`; it is one of fromWebIdentity()."],
  ["fromTokenFile", { webIdentityToken }, "`webIdentityToken`; it is one of fromWebToken()."],
  ["fromWebIdentity", { token, webIdentityTokenFile }, "is one of fromTokenFile()."],
  ["fromWebIdentity", { token, webIdentityToken }, "is one of fromWebToken()."],
  ["fromWebToken", { webIdentityToken, token }, "is one of fromWebIdentity()."],
  ["fromTokenFile", { RoleArn: roleArn }, "`RoleArn`; did you mean `roleArn`?"],
  ["fromTokenFile", { Policy: "{}" }, "`Policy`; did you mean `policy`?"],
  ["fromTokenFile", { webidentitytokenfile: "/run/token" }, "did you mean `webIdentityTokenFile`?"],
])(
  "%s does not run as somebody else for a name that it would not read: %j",
  (name, init, words) => {
    const make = () => create[name]?.({ roleArn, ...init } as never);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(words);
  },
);

test("fromWebToken takes the init of fromTokenFile beside its token, as the SDK's does", () => {
  const make = () =>
    create.fromWebToken?.({ roleArn, webIdentityTokenFile, webIdentityToken } as never);
  expect(make).not.toThrow();
});

test.each([
  ["nothing", undefined],
  ["a factory", fromTokenFile],
  ["a promise", Promise.resolve()],
  ["the SDK's own provider", async () => ({ accessKeyId: "", secretAccessKey: "" })],
])("refreshOnExpiredToken refuses %s in place of a provider", (_, provider) => {
  expect(() => refreshOnExpiredToken(provider as never)).toThrow(
    /^Expected `provider` to be what fromTokenFile\(\) and its like return, got /,
  );
});
