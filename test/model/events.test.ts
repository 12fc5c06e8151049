import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setImmediate as nextTurn } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import {
  CHANNEL_NAME,
  callListener,
  publishEvent,
  type WebIdentityEvent,
} from "../../src/model/events.js";

const event: WebIdentityEvent = {
  type: "region.defaulted",
  region: "us-east-1",
  at: 0,
  roleArn: "arn:aws:iam::123456789012:role/r",
};
const broken = new Error("a broken handler");

describe("an event", () => {
  test("reaches the handler and the diagnostics channel", () => {
    const seen: unknown[] = [];
    const listener = (message: unknown) => seen.push(["channel", message]);
    subscribe(CHANNEL_NAME, listener);
    publishEvent(
      event,
      (received) => seen.push(["handler", received]),
      () => {},
    );
    unsubscribe(CHANNEL_NAME, listener);
    expect(CHANNEL_NAME).toBe("resilient-sts");
    expect(seen).toEqual([
      ["channel", event],
      ["handler", event],
    ]);
  });

  test("does not need a handler", () => {
    expect(() => publishEvent(event, undefined, () => {})).not.toThrow();
  });

  test("is published although its handler throws", () => {
    const errors: unknown[] = [];
    const handler = () => {
      throw broken;
    };
    publishEvent(event, handler, (error) => errors.push(error));
    expect(errors).toEqual([broken]);
  });

  test("passes the rejection of another realm's promise to the error handler", async () => {
    const errors: unknown[] = [];
    callListener(
      () => runInNewContext("Promise.reject('foreign')"),
      (error) => errors.push(error),
    );
    await nextTurn();
    expect(errors).toEqual(["foreign"]);
  });

  test("is published although its async handler rejects", async () => {
    const errors: unknown[] = [];
    publishEvent(
      event,
      async () => Promise.reject(broken),
      (error) => errors.push(error),
    );
    await nextTurn();
    expect(errors).toEqual([broken]);
  });
});
