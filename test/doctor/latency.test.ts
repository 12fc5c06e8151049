import { expect, it } from "vitest";
import { examine, healthy, settingsFor } from "../support/matrix-world.js";

it("tries documents three times also when the second look at the JWKS was told of no change", async () => {
  const { rootCause, facts } = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    await idp.rotateKeys({ publish: false });
    return { options: settingsFor(sts, await idp.issueToken()) };
  });
  expect(rootCause?.id).toBe("jwks-key-not-found");
  expect(facts.issuer?.requests.map(({ status }) => status)).toEqual([200, 304]);
  expect(facts.issuer?.latency.map(({ triesMs }) => triesMs.length)).toEqual([3, 3]);
});
