import { expect, it, vi } from "vitest";
import { startLocalIdp } from "../../src/testing/index.js";
import { makeTlsIdentity } from "../support/tls-identity.js";
import { found, lookWorld } from "./look-world.js";

// As if the check of the resolved addresses had a hole.
vi.mock("../../src/preflight/guarded-lookup.js", async (importActual) => {
  const actual = await importActual<typeof import("../../src/preflight/guarded-lookup.js")>();
  return {
    ...actual,
    guardedLookup: (resolve: typeof actual.resolveHost) =>
      actual.guardedLookup(resolve, () => true),
  };
});

it("hangs up on a private address that it was led to all the same, before it says a word", async () => {
  await using idp = await startLocalIdp({ tls: makeTlsIdentity() });
  const iss = `https://issuer.invalid:${idp.port}`;
  const resolve = async () => [{ address: "127.0.0.1", family: 4 }];
  const { look } = lookWorld({ allowPrivateIssuers: false }, { resolve });
  const report = await look(await idp.issueToken({ claims: { iss } }));
  expect(found(report)).toEqual(["suspect issuer-private"]);
  expect(idp.requests).toEqual([]);
});
