import { Readable } from "node:stream";
import type { InitializeMiddleware } from "@smithy/types";
import { describe, expect, test, vi } from "vitest";
import { fromTokenFile } from "../../src/provider/create-provider.js";
import {
  expiredTokenPlugin,
  refreshOnExpiredToken,
} from "../../src/provider/refresh-on-expired-token.js";
import { FakeClock } from "../support/fake-clock.js";

type Middleware = InitializeMiddleware<object, object>;

/** The plugin around a handler that throws the given errors, one a call, and then succeeds. */
function around(errors: readonly unknown[], identity: object = { accessKeyId: "KEY" }) {
  const invalidate = vi.fn();
  let middleware: Middleware = (next) => next;
  const add = vi.fn((added: Middleware, _: object) => {
    middleware = added;
  });
  refreshOnExpiredToken({ invalidate }).applyToStack({ add } as never);
  const context = { __smithy_context: { selectedHttpAuthScheme: { identity } } };
  const left = [...errors];
  const next = vi.fn(async (_: { input: object }) => {
    if (left.length > 0) throw left.shift();
    return { output: {}, response: "done" };
  });
  const handler = middleware(next as never, context as never);
  return { invalidate, next, add, send: (input: object = {}) => handler({ input }) };
}

const expired = (code: string) => Object.assign(new Error(code), { name: code });

describe("a request that fails with", () => {
  test.each(["ExpiredToken", "ExpiredTokenException", "InvalidToken"])(
    "%s is sent once more after its key is invalidated",
    async (code) => {
      for (const error of [expired(code), Object.assign(new Error(), { Code: code })]) {
        const { invalidate, next, send } = around([error]);
        await expect(send({ Bucket: "b" })).resolves.toHaveProperty("response", "done");
        expect(invalidate.mock.calls).toEqual([["KEY"]]);
        expect(next.mock.calls).toEqual([
          [{ input: { Bucket: "b" } }],
          [{ input: { Bucket: "b" } }],
        ]);
      }
    },
  );

  test("the same error again does not cause a third request", async () => {
    const second = expired("ExpiredToken");
    const { next, send } = around([expired("ExpiredToken"), second, expired("ExpiredToken")]);
    await expect(send()).rejects.toBe(second);
    expect(next).toHaveBeenCalledTimes(2);
  });

  test.each<[string, unknown]>([
    ["another error", expired("AccessDenied")],
    ["a code that only looks like it", expired("ExpiredTokenRefresh")],
    ["an expired request", expired("RequestExpired")],
    ["a code that is no string", Object.assign(new Error(), { Code: ["ExpiredToken"] })],
    ["a string", "ExpiredToken"],
    ["nothing", undefined],
    ["null", null],
  ])("%s is not sent again", async (_, error) => {
    const { invalidate, next, send } = around([error]);
    const thrown = await send().then(
      () => "nothing was thrown",
      (reason: unknown) => reason,
    );
    expect(thrown).toBe(error);
    expect([next.mock.calls.length, invalidate.mock.calls.length]).toEqual([1, 0]);
  });

  test("an expired token that did not sign the request is not sent again", async () => {
    const error = expired("ExpiredTokenException");
    const { invalidate, send } = around([error], {});
    await expect(send()).rejects.toBe(error);
    expect(invalidate).not.toHaveBeenCalled();
  });
});

describe("a body", () => {
  async function* bytes() {
    yield Buffer.from("body");
  }

  test.each<[string, () => unknown]>([
    ["a Node stream", () => Readable.from(["body"])],
    ["a web stream", () => new Blob(["body"]).stream()],
    ["an async iterable, as event streams are", bytes],
  ])("that is %s is not sent again, but its key is invalidated", async (_, body) => {
    const error = expired("ExpiredToken");
    const { invalidate, next, send } = around([error]);
    await expect(send({ Bucket: "b", Body: body() })).rejects.toBe(error);
    expect(next).toHaveBeenCalledOnce();
    expect(invalidate).toHaveBeenCalledWith("KEY");
  });

  test.each<[string, unknown]>([
    ["a string", "body"],
    ["a buffer", Buffer.from("body")],
    ["a blob", new Blob(["body"])],
    ["nothing", undefined],
    ["null", null],
  ])("that is %s is sent again", async (_, Body) => {
    const { next, send } = around([expired("ExpiredToken")]);
    await expect(send({ Bucket: "b", Body })).resolves.toHaveProperty("response");
    expect(next).toHaveBeenCalledTimes(2);
  });
});

describe("the plugin", () => {
  test("is the outermost middleware, so that the SDK resolves the identity and signs again", () => {
    const { add } = around([]);
    expect(add.mock.calls[0]?.[1]).toMatchObject({ step: "initialize", priority: "high" });
  });
});

describe("credentials that replaced rejected ones", () => {
  /** A service that calls every key expired, and a provider that has a new one each time. */
  function neverContent() {
    const clock = new FakeClock();
    let number = 1;
    const invalidate = vi.fn((key?: string) => {
      if (key === `KEY-${number}`) number += 1;
    });
    let middleware: Middleware = (next) => next;
    const add = (added: Middleware) => {
      middleware = added;
    };
    expiredTokenPlugin({ invalidate }, clock).applyToStack({ add } as never);
    const signedBy: string[] = [];
    const send = async (key?: string) => {
      const context = { __smithy_context: {} };
      const next = async () => {
        const accessKeyId = key ?? `KEY-${number}`;
        context.__smithy_context = { selectedHttpAuthScheme: { identity: { accessKeyId } } };
        signedBy.push(accessKeyId);
        throw expired("ExpiredToken");
      };
      await expect(middleware(next, context as never)({ input: {} })).rejects.toThrow();
    };
    return { clock, invalidate, signedBy, send };
  }

  test("are not replaced again for 30 s, whatever the service returns", async () => {
    const { clock, invalidate, signedBy, send } = neverContent();
    for (let request = 0; request < 20; request += 1) await send();
    expect([invalidate.mock.calls, signedBy.length]).toEqual([[["KEY-1"]], 21]);
    await clock.advance(29_999);
    await send();
    expect(invalidate).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    await send();
    expect(invalidate.mock.calls).toEqual([["KEY-1"], ["KEY-2"]]);
    expect(signedBy.slice(-2)).toEqual(["KEY-2", "KEY-3"]);
  });

  test("sign again a request that the credentials before them had signed", async () => {
    const { invalidate, signedBy, send } = neverContent();
    await send("KEY-1");
    await send("KEY-1");
    expect([invalidate.mock.calls.length, signedBy.length]).toEqual([2, 4]);
  });
});

test.each([
  ["nothing", undefined],
  ["a factory", fromTokenFile],
  ["a promise", Promise.resolve()],
  ["the SDK's own provider", async () => ({ accessKeyId: "", secretAccessKey: "" })],
])("refreshOnExpiredToken refuses %s in place of a provider", (_, provider) => {
  expect(() => refreshOnExpiredToken(provider as never)).toThrow(
    /^Expected `provider` to be a provider of fromTokenFile\(\), fromWebIdentity\(\) or fromWebToken\(\), got /,
  );
});
