import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { startLocalIdp, startLocalSts } from "../../../src/testing/index.js";
import { assumeRole } from "../../support/call-sts.js";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

test("the timeout for an IdP that hangs survives garbage collection", async () => {
  await using idp = await startLocalIdp({ algorithm: "ES256" });
  await using sts = await startLocalSts({ providers: [idp], idpTimeoutMs: 300 });
  idp.setFault({ kind: "hang" });
  const reply = assumeRole(sts, await idp.issueToken());
  while (idp.requests.length === 0) await nextTurn();
  for (let round = 0; round < 5; round += 1) {
    await nextTurn();
    collectGarbage();
  }
  expect(await reply).toMatchObject({ code: "InvalidIdentityToken", httpStatus: 400 });
});
