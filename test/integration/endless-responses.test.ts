import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { describe, expect, test } from "vitest";
import type { WebIdentityError } from "../../src/model/errors.js";
import { createProvider } from "../../src/provider/create-provider.js";
import type { WebIdentityInit } from "../../src/provider/options.js";
import { systemClock } from "../../src/runtime/clock.js";
import { startLocalIdp } from "../../src/testing/index.js";
import { makePool } from "../support/make-pool.js";
import { REGION, ROLE_ARN, rejection } from "../support/world.js";

const CHUNK = Buffer.alloc(64 * 1024, "<a>text</a>");

function* chunksWithoutEnd(): Generator<Buffer> {
  for (;;) yield CHUNK;
}

/** Writes for as long as the client reads. */
async function writeOn(response: ServerResponse): Promise<void> {
  await pipeline(chunksWithoutEnd, response).catch(() => {});
}

const RESPONSES: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "without an end": (response) => void writeOn(response),
  "of 100 MB by its length": (response) => {
    response.setHeader("content-length", 100_000_000);
    void writeOn(response);
  },
  "that is a refusal without an end": (response) => {
    response.statusCode = 403;
    void writeOn(response);
  },
};

/** A server in the place of STS, and a provider that asks it once. */
async function startEndless(respond: (response: ServerResponse) => void) {
  const idp = await startLocalIdp();
  let closed = 0;
  const server = createServer((_, response) => {
    response.on("close", () => {
      closed += 1;
    });
    respond(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    closed: () => closed,
    async failure(init: WebIdentityInit = {}) {
      const provider = createProvider(
        () => ({
          source: () => idp.issueToken(),
          sourceName: "the token source",
          roleArn: ROLE_ARN,
          roleSessionName: undefined,
          marks: {},
        }),
        {
          preflight: "off",
          retry: { maxAttempts: 1 },
          ...init,
          clientConfig: { endpoint, region: REGION, ...init.clientConfig },
        },
        { clock: systemClock, pool: makePool(), env: {}, random: Math.random },
      );
      return (await rejection(provider())) as WebIdentityError;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await idp.close();
    },
  };
}

const HANDLERS = {
  "the provider's own connections": () => undefined,
  "a request handler of the user's": () => new NodeHttpHandler(),
  "a request handler over fetch": () => new FetchHttpHandler(),
} as const;

describe.each(Object.entries(HANDLERS))("over %s", (_, handler) => {
  test.each(Object.entries(RESPONSES))(
    "a response %s is cut off, and the connection is closed",
    async (_name, respond) => {
      await using sts = await startEndless(respond);
      const requestHandler = handler();
      const before = process.memoryUsage().rss;
      const error = await sts.failure({
        ...(requestHandler && { clientConfig: { requestHandler } }),
      });
      expect(error).toMatchObject({
        code: "ERR_STS_UNAVAILABLE",
        attempts: [{ verdict: "sts-unavailable" }],
        message: expect.stringContaining("longer than"),
      });
      await expect.poll(sts.closed).toBe(1);
      // The server's own end is in this process too; without a limit it is gigabytes.
      expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    },
  );
});

/** Bodies that the SDK gets from a handler, or as a stream. */
const BODIES = {
  stream: (text: string) => Readable.from([Buffer.from(text)]),
  bytes: (text: string) => new TextEncoder().encode(text),
  blob: (text: string) => new Blob([text]),
} as const;

describe.each(Object.entries(BODIES))("a response as a %s", (_, bodyOf) => {
  const refusal = (length: number) =>
    `<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error>${"<b/>".repeat(length / 4)}</ErrorResponse>`;

  test.each([
    [100 * 1024, "access-denied"],
    [200 * 1024, "sts-blocked"],
  ])("of %i bytes is parsed only if STS could have sent it: %s", async (length, verdict) => {
    await using sts = await startEndless(() => {});
    const handle = async () => ({
      response: { statusCode: 403, headers: {}, body: bodyOf(refusal(length)) },
    });
    const requestHandler = { handle, metadata: { handlerProtocol: "http/1.1" } } as never;
    const error = await sts.failure({ clientConfig: { requestHandler } });
    expect(error.attempts).toMatchObject([{ verdict }]);
  });
});

test("a compressed response that fetch unpacks endlessly is cut off", async () => {
  await using sts = await startEndless((response) => {
    response.setHeader("content-encoding", "gzip");
    void pipeline(chunksWithoutEnd, createGzip({ level: 9 }), response).catch(() => {});
  });
  const error = await sts.failure({ clientConfig: { requestHandler: new FetchHttpHandler() } });
  expect(error.message).toContain("longer than");
});

test("a response that trickles is cut off at the attempt's timeout", async () => {
  await using sts = await startEndless((response) => {
    const timer = setInterval(() => response.write("<"), 5);
    response.on("close", () => clearInterval(timer));
  });
  const error = await sts.failure({ attemptTimeoutMs: 200 });
  expect(error).toMatchObject({
    code: "ERR_STS_UNAVAILABLE",
    attempts: [{ verdict: "sts-unavailable" }],
  });
  expect(error.message).toContain("200 ms");
  await expect.poll(sts.closed).toBe(1);
});

test("Node cuts off endless headers", async () => {
  await using sts = await startEndless(({ socket }) => {
    socket?.write("HTTP/1.1 200 OK\r\n");
    const timer = setInterval(() => socket?.write(`x-more: ${"x".repeat(10_000)}\r\n`), 1);
    socket?.on("close", () => clearInterval(timer));
  });
  expect(await sts.failure()).toMatchObject({ code: "ERR_STS_UNAVAILABLE" });
});
