import { describe, expect, test } from "vitest";
import { EMULATE_SPEC, readFault } from "../../../src/cli/emulate/emulate-options.js";
import { startDoctorWorld } from "../../support/doctor-world.js";

describe("a fault of the command line", () => {
  const inHelp = [...EMULATE_SPEC.about.matchAll(/\b(?:idp|sts):[^\s,()]*[^\s,().]/g)].map(
    ([spec]) => spec,
  );

  test("is named in the help", () => {
    expect(inHelp).toHaveLength(30);
  });

  test.each(inHelp)("%s, which the help names, exists", async (spec) => {
    await using world = await startDoctorWorld();
    await readFault(spec)(world);
  });

  test.each([
    "idp",
    "idp:",
    "sts:sulk",
    "gcp:hang",
    "idp:keys:hang",
    "idp:status=9",
    "idp:redirect=nowhere",
    "idp:hang=1",
    "idp:down,times=2",
    "idp:hang,times=0",
    "idp:hang,probability=2",
    "idp:hang,often",
    "sts:jwks:hang",
    "sts:hang=3s",
    "sts:slow=soon",
  ])("%s, which does not exist, is refused", (spec) => {
    expect(() => readFault(spec)).toThrow(/^--fault/);
  });

  test("occurs as often as it says", async () => {
    await using world = await startDoctorWorld();
    await readFault("idp:jwks:status=503,times=1")(world);
    const statuses = [];
    for (const url of [world.idp.discoveryUrl, world.idp.jwksUrl, world.idp.jwksUrl]) {
      statuses.push((await fetch(url)).status);
    }
    expect(statuses).toEqual([200, 503, 200]);
  });
});
