import { expect, test, vi } from "vitest";
import { withoutSecrets } from "../../src/sts/client-logger.js";

const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";

test("a log of the SDK says what was called and how it went, and nothing of the answer", () => {
  const info = vi.fn();
  const logger = withoutSecrets({ debug: info, info, warn: info, error: info });
  const metadata = { httpStatusCode: 200, requestId: "1" };
  const output = { Credentials: { SessionToken: "secret" } };
  logger.info({ clientName: "STSClient", commandName: "Assume", input: TOKEN, output, metadata });
  logger.error(`refused ${TOKEN}`, null);
  expect(info.mock.calls).toEqual([
    [{ clientName: "STSClient", commandName: "Assume", metadata: { httpStatusCode: 200 } }],
    ["refused [redacted]", { metadata: {} }],
  ]);
});

test("a logger that lacks a level, throws or rejects fails no call", () => {
  const warn = () => {
    throw new Error("the disk is full");
  };
  const logger = withoutSecrets({ warn, error: async () => warn() } as never);
  for (const level of ["trace", "debug", "info", "warn", "error"] as const) {
    expect(() => logger[level]?.("a line")).not.toThrow();
  }
});
