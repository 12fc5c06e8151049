import { expect, test } from "vitest";
import { startLocalIdp } from "../../src/testing/index.js";
import { httpServerOf } from "../support/http-server-of.js";

test("a local server goes on when the system can't accept a connection", async () => {
  await using idp = await startLocalIdp();
  const read = () => fetch(`${idp.issuer}/.well-known/openid-configuration`);
  const http = await httpServerOf(read);
  expect(http.emit("error", new Error("accept EMFILE"))).toBe(true);
  expect((await read()).status).toBe(200);
});
