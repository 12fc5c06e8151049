import { Readable } from "node:stream";
import { ListBucketsCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { type HttpRequest, HttpResponse } from "@smithy/core/protocols";
import { describe, expect, test } from "vitest";
import { refreshOnExpiredToken, type WebIdentityProvider } from "../../src/index.js";
import { REGION, rejection, startWorld, type World } from "../support/world.js";

const EXPIRED = {
  code: "ExpiredToken",
  message: "The security token included in the request is expired",
  httpStatus: 403,
};
const isIdentityCall = ({ action }: { action: string }) => action === "GetCallerIdentity";

/** A client that refreshes what STS calls expired. */
function identityClient({ sts }: World, credentials: WebIdentityProvider): STSClient {
  const client = new STSClient({ endpoint: sts.url, region: REGION, credentials, maxAttempts: 1 });
  client.middlewareStack.use(refreshOnExpiredToken(credentials));
  return client;
}

/** The keys that signed the requests of services, in order. */
const keys = ({ sts }: World) =>
  sts.requests.filter(isIdentityCall).map(({ accessKeyId }) => accessKeyId);

describe("a request whose credentials a service reports as expired", () => {
  test("succeeds with new credentials, without an error for the caller", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const client = identityClient(world, provider);
    const { accessKeyId } = await provider();
    // The service knows better than this machine: by its clock the session is over.
    world.sts.setFault(EXPIRED, { when: (each) => each.accessKeyId === accessKeyId });
    const { Account } = await client.send(new GetCallerIdentityCommand({}));
    expect(Account).toBe("123456789012");
    expect(keys(world)).toEqual([accessKeyId, (await provider()).accessKeyId]);
    expect(world.calls()).toBe(2);
    client.destroy();
  });

  test("fails with the service's own error when the new credentials are expired too, after two requests", async () => {
    await using world = await startWorld();
    world.sts.setFault(EXPIRED, { when: isIdentityCall });
    const client = identityClient(world, world.provide());
    const error = await rejection(client.send(new GetCallerIdentityCommand({})));
    expect(error).toMatchObject({ Code: "ExpiredToken" });
    expect([keys(world).length, new Set(keys(world)).size, world.calls()]).toEqual([2, 2, 2]);
    client.destroy();
  });

  test("fails with the service's own error when there are no new credentials", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const client = identityClient(world, provider);
    await provider();
    world.sts.setFault("access-denied", { when: (each) => !isIdentityCall(each) });
    world.sts.setFault(EXPIRED, { when: isIdentityCall });
    const error = await rejection(client.send(new GetCallerIdentityCommand({})));
    expect(error).toMatchObject({ Code: "ExpiredToken" });
    client.destroy();
  });

  test("causes one refresh together with all others of the same moment", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const client = identityClient(world, provider);
    const { accessKeyId } = await provider();
    world.sts.setFault(EXPIRED, { when: (each) => each.accessKeyId === accessKeyId });
    const requests = Array.from({ length: 30 }, () =>
      client.send(new GetCallerIdentityCommand({})),
    );
    await Promise.all(requests);
    expect(world.calls()).toBe(2);
    expect(keys(world)).toHaveLength(60);
    client.destroy();
  });

  test("that fails late does not discard the credentials that others got meanwhile", async () => {
    await using world = await startWorld();
    const provider = world.provide();
    const client = identityClient(world, provider);
    const { accessKeyId } = await provider();
    const isOld = (each: { accessKeyId: string | undefined }) => each.accessKeyId === accessKeyId;
    world.sts.failNext(EXPIRED, { delayMs: 50, when: isOld });
    world.sts.failNext(EXPIRED, { when: isOld });
    await Promise.all([1, 2].map(() => client.send(new GetCallerIdentityCommand({}))));
    expect(world.calls()).toBe(2);
    client.destroy();
  });

  test("that fails with another error is not repeated", async () => {
    await using world = await startWorld();
    world.sts.setFault("access-denied", { when: isIdentityCall });
    const provider = world.provide();
    const client = identityClient(world, provider);
    const error = await rejection(client.send(new GetCallerIdentityCommand({})));
    expect(error).toMatchObject({ Code: "AccessDenied" });
    await provider();
    expect([keys(world).length, world.calls()]).toEqual([1, 1]);
    client.destroy();
  });
});

/** Stands in for S3: calls the first `times` requests expired, in the words of `code`. */
function s3Handler(code: string, times: number) {
  const requests: HttpRequest[] = [];
  return {
    requests,
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request: HttpRequest) {
      requests.push(request);
      const isExpired = requests.length <= times;
      const text = isExpired ? `<Error><Code>${code}</Code><Message>no</Message></Error>` : "<a/>";
      const body = new TextEncoder().encode(text);
      return { response: new HttpResponse({ statusCode: isExpired ? 400 : 200, body }) };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

describe("S3", () => {
  // With a handler of its own: that of the client that asks would take STS's requests too.
  const provide = ({ provide: make, sts }: World) =>
    make({ clientConfig: { endpoint: sts.url, region: REGION, requestHandler: {} } });
  const s3 = (credentials: WebIdentityProvider, requestHandler: ReturnType<typeof s3Handler>) => {
    const client = new S3Client({ region: REGION, credentials, requestHandler });
    client.middlewareStack.use(refreshOnExpiredToken(credentials));
    return client;
  };
  const signers = ({ requests }: ReturnType<typeof s3Handler>) =>
    requests.map(({ headers }) => /Credential=([^/]+)/.exec(headers.authorization ?? "")?.[1]);

  test.each(["ExpiredToken", "InvalidToken"])(
    "gets the request again after the response %s",
    async (code) => {
      await using world = await startWorld();
      const provider = provide(world);
      const { accessKeyId } = await provider();
      const handler = s3Handler(code, 1);
      await s3(provider, handler).send(new ListBucketsCommand({}));
      expect(signers(handler)).toEqual([accessKeyId, (await provider()).accessKeyId]);
      expect(world.calls()).toBe(2);
    },
  );

  test("gets a body again that is not a stream", async () => {
    await using world = await startWorld();
    const handler = s3Handler("ExpiredToken", 1);
    const put = new PutObjectCommand({ Bucket: "bucket", Key: "key", Body: "the body" });
    await s3(provide(world), handler).send(put);
    expect(handler.requests.map(({ body }) => body)).toEqual(["the body", "the body"]);
  });

  test("does not get a stream again, but the next request has new credentials", async () => {
    await using world = await startWorld();
    const handler = s3Handler("ExpiredToken", 1);
    const client = s3(provide(world), handler);
    const Body = Readable.from([Buffer.from("the body")]);
    const put = new PutObjectCommand({ Bucket: "bucket", Key: "key", Body, ContentLength: 8 });
    expect(await rejection(client.send(put))).toMatchObject({ name: "ExpiredToken" });
    expect(handler.requests).toHaveLength(1);
    await client.send(new ListBucketsCommand({}));
    expect(new Set(signers(handler)).size).toBe(2);
  });
});
