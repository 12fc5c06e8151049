import { expect, test, vi } from "vitest";
import { startLocalIdp } from "../../src/testing/index.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import { checkWorld, found } from "./check-world.js";

// As if the check of the resolved addresses had a hole.
vi.mock("../../src/preflight/guarded-lookup.js", async (importActual) => {
  const actual = await importActual<typeof import("../../src/preflight/guarded-lookup.js")>();
  return {
    ...actual,
    guardedLookup: (resolve: typeof actual.resolveHost) =>
      actual.guardedLookup(resolve, () => true),
  };
});

test("a connection that reaches a private address anyway is closed before the request is sent", async () => {
  await using idp = await startLocalIdp({ tls: makeTlsIdentity() });
  const iss = `https://issuer.invalid:${idp.port}`;
  const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
  const { check } = checkWorld({ allowPrivateIssuers: false }, { resolve });
  const report = await check(await idp.issueToken({ claims: { iss } }));
  expect(found(report)).toEqual(["suspect issuer-private"]);
  expect(idp.requests).toEqual([]);
});
