import { expect, test } from "vitest";
import { examine, healthy, settingsFor } from "../support/matrix-world.js";

test("each document is requested three times for its latency, even if the issuer check's last response was 304", async () => {
  let served: readonly string[] = [];
  const { rootCause, facts, timings } = await examine(async (site) => {
    const { idp, sts } = await healthy(site);
    await idp.rotateKeys({ publish: false });
    site.onEnd(() => {
      served = idp.requests.map(({ path }) => path);
    });
    return { options: settingsFor(sts, await idp.issueToken()) };
  });
  expect(rootCause?.id).toBe("jwks-key-not-found");
  expect(facts.issuer?.requests.map(({ status }) => status)).toEqual([200, 304]);
  expect(facts.issuer?.latency.map(({ triesMs }) => triesMs.length)).toEqual([3, 3]);
  // The timings have every request of the doctor. STS made one more for each document.
  const labels = timings
    .filter(({ step }) => step === "issuer-documents")
    .map(({ label }) => label);
  const paths = labels.map((label) =>
    label.startsWith("JWKS") ? "/jwks" : "/.well-known/openid-configuration",
  );
  expect(paths.length).toBeGreaterThan(6);
  expect([...paths, ...new Set(paths)].toSorted()).toEqual(served.toSorted());
});
