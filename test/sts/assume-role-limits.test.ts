import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import {
  bytes,
  failureOf,
  granted,
  never,
  respondingEndpoint,
  sessionXml,
  untilSent,
} from "../support/responding-endpoint.js";

const [MAX_PARSED, MAX_BYTES] = [128 * 1024, 1024 * 1024] as const;

describe("the time limit of a call", () => {
  test("ends a call without a response, and its request", async () => {
    const world = respondingEndpoint(never);
    const failure = failureOf(world.call());
    await untilSent(world, 1);
    await world.clock.advance(4_999);
    expect(world.sent[0]?.abortSignal?.aborted).toBe(false);
    await world.clock.advance(1);
    expect(await failure).toEqual({
      ...{ kind: "timeout", code: "TimeoutError", cutShort: false, region: "eu-west-1" },
      message: "no response from STS within 5000 ms",
    });
    expect(world.sent[0]?.abortSignal?.aborted).toBe(true);
    expect(world.clock.pending).toBe(0);
  });

  test("is the rest of the budget if that is shorter, and then cuts the call short", async () => {
    const world = respondingEndpoint(never);
    const failure = failureOf(world.call({}, { budgetMs: 1_200 }));
    await untilSent(world, 1);
    await world.clock.advance(1_200);
    const message = "no response from STS within 1200 ms";
    expect(await failure).toMatchObject({ kind: "timeout", message, cutShort: true });
  });

  test("does not include the wait in the queue of the endpoint", async () => {
    const world = respondingEndpoint(never);
    const first = Array.from({ length: 40 }, (_, n) =>
      failureOf(world.call({ RoleSessionName: `s${n}` })),
    );
    await untilSent(world, 40);
    const last = failureOf(world.call());
    await world.clock.advance(5_000);
    await Promise.all(first);
    await untilSent(world, 41);
    await world.clock.advance(4_999);
    expect(world.sent[40]?.abortSignal?.aborted).toBe(false);
    await world.clock.advance(1);
    expect(await last).toMatchObject({ kind: "timeout", cutShort: false });
  });

  test("is the budget in the queue of the endpoint, and the call is then not sent", async () => {
    const world = respondingEndpoint(never);
    const first = Array.from({ length: 40 }, (_, n) =>
      failureOf(world.call({ RoleSessionName: `s${n}` })),
    );
    await untilSent(world, 40);
    const last = failureOf(world.call({}, { budgetMs: 1_000 }));
    await world.clock.advance(1_000);
    expect(await last).toEqual({
      ...{ kind: "timeout", code: "TimeoutError", cutShort: true, region: "eu-west-1" },
      message: "too many calls to this endpoint were waiting for a response",
    });
    expect(world.sent).toHaveLength(40);
    await world.clock.advance(4_000);
    await Promise.all(first);
    expect(world.clock.pending).toBe(0);
  });

  test("leaves no timer after a response", async () => {
    const world = respondingEndpoint(granted());
    await world.call();
    expect(world.clock.pending).toBe(0);
  });
});

describe("the signal of a caller", () => {
  test("ends the call with its reason", async () => {
    const world = respondingEndpoint(never);
    const controller = new AbortController();
    const call = world.call({}, { signal: controller.signal });
    await untilSent(world, 1);
    const reason = new Error("closed");
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(world.sent[0]?.abortSignal?.aborted).toBe(true);
  });

  test("ends the wait in the queue of the endpoint, and leaves no timer", async () => {
    const world = respondingEndpoint(never);
    const first = Array.from({ length: 40 }, (_, n) =>
      failureOf(world.call({ RoleSessionName: `s${n}` })),
    );
    await untilSent(world, 40);
    const controller = new AbortController();
    const last = world.call({}, { signal: controller.signal });
    await world.clock.flush();
    const { pending } = world.clock;
    controller.abort("closed");
    await expect(last).rejects.toBe("closed");
    expect(world.clock.pending).toBe(pending - 1);
    await world.clock.advance(5_000);
    await Promise.all(first);
    expect(world.sent).toHaveLength(40);
  });

  test("prevents the call if it has already aborted", async () => {
    const world = respondingEndpoint(granted());
    await expect(world.call({}, { signal: AbortSignal.abort("closed") })).rejects.toBe("closed");
    expect(world.sent).toHaveLength(0);
  });
});

describe("the body of a response", () => {
  const size = bytes(sessionXml()).length;
  const ofSize = (length: number) => bytes(sessionXml({ padding: length - size }));
  const long = () => ofSize(MAX_BYTES + 1);
  const tooLong = {
    ...{ kind: "bad-response", code: "ResponseTooLong", httpStatus: 200 },
    message: "the response is longer than 1048576 bytes; reading stopped there",
  };
  const callWith = (body: unknown) => respondingEndpoint(async () => ({ body })).call();

  test.each<[string, (content: Uint8Array) => unknown]>([
    ["bytes", (content) => content],
    ["a stream of Node", (content) => Readable.from([content.slice(0, 10), content.slice(10)])],
    ["a stream of the web", (content) => new Blob([Buffer.from(content)]).stream()],
    ["a stream of strings", (content) => Readable.from([Buffer.from(content).toString()])],
    ["a Blob", (content) => new Blob([Buffer.from(content)])],
  ])("is parsed up to 128 KiB and read up to 1 MiB, as %s", async (_, make) => {
    const { credentials } = await callWith(make(ofSize(MAX_PARSED)));
    expect(credentials.accessKeyId).toBe("ASIA1");
    for (const length of [MAX_PARSED + 1, MAX_BYTES]) {
      const failure = await failureOf(callWith(make(ofSize(length))));
      expect(failure).toMatchObject({ kind: "bad-response", httpStatus: 200 });
      expect(failure.code).toBeUndefined();
    }
    expect(await failureOf(callWith(make(long())))).toMatchObject(tooLong);
  });

  test("is too long as a string or as any other view of its bytes too", async () => {
    const { buffer } = long();
    const views = [new DataView(buffer), new Uint32Array(new ArrayBuffer(MAX_BYTES + 4))];
    for (const body of [...views, Buffer.from(long()).toString()]) {
      expect(await failureOf(callWith(body))).toMatchObject(tooLong);
    }
  });

  test("is not read further when it is too long, and its stream is closed", async () => {
    let pieces = 0;
    const body = Readable.from(
      (function* () {
        for (;;) {
          pieces += 1;
          yield Buffer.alloc(512 * 1024);
        }
      })(),
      { highWaterMark: 1 },
    );
    const failure = await failureOf(respondingEndpoint(async () => ({ body })).call());
    expect(failure).toMatchObject(tooLong);
    expect(body.destroyed).toBe(true);
    expect(pieces).toBeLessThan(6);
  });

  test("is closed when the time is up while it is read", async () => {
    const body = new Readable({ read() {} });
    const world = respondingEndpoint(async () => ({ body }));
    const failure = failureOf(world.call());
    await untilSent(world, 1);
    body.push("<");
    await world.clock.advance(5_000);
    expect(await failure).toMatchObject({ kind: "timeout" });
    await new Promise(setImmediate);
    expect(body.destroyed).toBe(true);
  });

  test("that fails while it is read is a failure of the network", async () => {
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    const body = new Readable({
      read() {
        this.destroy(reset);
      },
    });
    const failure = await failureOf(respondingEndpoint(async () => ({ body })).call());
    expect(failure).toMatchObject({ kind: "network", code: "ECONNRESET" });
  });
});
