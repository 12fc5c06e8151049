import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createCredentialChain } from "@aws-sdk/credential-providers";
import { chain } from "@smithy/core/config";
import type { AwsCredentialIdentity } from "@smithy/types";
import { describe, expect, test, vi } from "vitest";
import {
  fromTokenFile,
  fromWebToken,
  isWebIdentityError,
  WebIdentityError,
  type WebIdentityProvider,
} from "../../src/index.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { REGION, ROLE_ARN, rejection, startWorld, type World } from "../support/world.js";
import { RecordingHandler } from "./recording-handler.js";

const providerFor = async ({ idp, sts }: World, roleSessionName = "client") =>
  fromWebToken({
    webIdentityToken: await idp.issueToken(),
    roleArn: ROLE_ARN,
    roleSessionName,
    preflight: "off",
    clientConfig: { endpoint: sts.url },
  });

const stsClient = ({ sts }: World, credentials: WebIdentityProvider) =>
  new STSClient({ endpoint: sts.url, region: REGION, credentials });

describe("a client with a provider as its credentials", () => {
  test("acts as the assumed role", async () => {
    await using world = await startWorld();
    await using provider = await providerFor(world, "nightly");
    const client = stsClient(world, provider);
    const identity = await client.send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe("arn:aws:sts::123456789012:assumed-role/app/nightly");
    expect(world.sts.requests.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
    client.destroy();
  });

  test("signs its requests to every service with the session", async () => {
    await using world = await startWorld();
    await using provider = await providerFor(world);
    const { accessKeyId, sessionToken } = await provider();
    const requestHandler = new RecordingHandler();
    const client = new S3Client({ region: REGION, credentials: provider, requestHandler });
    await client.send(new ListBucketsCommand({}));
    const headers = requestHandler.requests[0]?.headers;
    expect(headers?.authorization).toContain(`Credential=${accessKeyId}/`);
    expect(headers?.["x-amz-security-token"]).toBe(sessionToken);
    expect(world.calls()).toBe(1);
  });

  test("reports in its user agent how the credentials were obtained", async () => {
    await using world = await startWorld();
    await using provider = await providerFor(world);
    const requestHandler = new RecordingHandler();
    const client = new S3Client({ region: REGION, credentials: provider, requestHandler });
    await client.send(new ListBucketsCommand({}));
    const agent = requestHandler.requests.at(-1)?.headers["user-agent"] ?? "";
    const features = / m\/([\w,]+)/.exec(agent);
    expect(features?.[1]?.split(",")).toEqual(expect.arrayContaining(["T", "k"]));
  });

  test("keeps no cache of its own: invalidate() applies to its next request", async () => {
    await using world = await startWorld();
    await using provider = await providerFor(world);
    const client = stsClient(world, provider);
    await client.send(new GetCallerIdentityCommand({}));
    const first = (await provider()).accessKeyId;
    provider.invalidate(first);
    await client.send(new GetCallerIdentityCommand({}));
    expect(world.calls()).toBe(2);
    expect(world.sts.requests.at(-1)?.accessKeyId).not.toBe(first);
    client.destroy();
  });

  test("fails with the provider's own error, which a second copy of the package recognizes too", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied");
    const client = stsClient(world, world.provide());
    const error = await rejection(client.send(new GetCallerIdentityCommand({})));
    expect(error).toBeInstanceOf(WebIdentityError);
    vi.resetModules();
    const copy = await import("../../src/model/errors.js");
    expect(error).not.toBeInstanceOf(copy.WebIdentityError);
    expect(copy.isWebIdentityError(error)).toBe(true);
    expect(isWebIdentityError(error) && error.code).toBe("ERR_ACCESS_DENIED");
    client.destroy();
  });
});

const FALLBACK: AwsCredentialIdentity = { accessKeyId: "FALLBACK", secretAccessKey: "secret" };
const CHAINS = [
  ["chain()", (...links: (() => Promise<AwsCredentialIdentity>)[]) => chain(...links)()],
  [
    "createCredentialChain()",
    (...links: (() => Promise<AwsCredentialIdentity>)[]) => createCredentialChain(...links)(),
  ],
] as const;

describe.each(CHAINS)("a provider in %s", (_, resolve) => {
  test("is skipped when no token file is configured", async () => {
    vi.stubEnv("AWS_ROLE_ARN", ROLE_ARN);
    const first = fromTokenFile({ preflight: "off" });
    expect(await resolve(first, async () => FALLBACK)).toEqual(FALLBACK);
  });

  test("ends the chain when a token file is configured", async () => {
    const fallback = vi.fn(async () => FALLBACK);
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token");
    const withoutRole = await rejection(resolve(fromTokenFile({ preflight: "off" }), fallback));
    expect(withoutRole).toMatchObject({ code: "ERR_NOT_CONFIGURED", tryNextLink: false });
    expect(fallback).not.toHaveBeenCalled();
  });

  test("ends the chain when its identity is refused", async () => {
    await using world = await startWorld();
    using folder = temporaryFolder();
    const fallback = vi.fn(async () => FALLBACK);
    world.sts.setFault("access-denied");
    const provider = fromTokenFile({
      webIdentityTokenFile: folder.write("token", await world.idp.issueToken()),
      roleArn: ROLE_ARN,
      preflight: "off",
      clientConfig: { endpoint: world.sts.url },
    });
    const error = await rejection(resolve(provider, fallback));
    expect(error).toMatchObject({ code: "ERR_ACCESS_DENIED", tryNextLink: false });
    expect(fallback).not.toHaveBeenCalled();
  });

  test("returns its credentials when it has them", async () => {
    await using world = await startWorld();
    await using provider = await providerFor(world);
    const credentials = await resolve(provider, async () => FALLBACK);
    expect(credentials).toEqual(await provider());
  });
});
