import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type LocalIdp, startLocalIdp } from "../../../src/testing/index.js";
import { readSharedJson } from "../../support/shared-data.js";
import { OBSERVED_CLAIMS } from "./observed-claims.js";
import { OBSERVED_KEYS } from "./observed-keys.js";
import type { ObservedWorld } from "./observed-world.js";

interface Recorded {
  readonly observations: readonly {
    readonly scenario: string;
    readonly result: string;
    readonly message?: string;
  }[];
}

const OBSERVED = [...OBSERVED_CLAIMS, ...OBSERVED_KEYS];

const recorded = readSharedJson(
  "sts-observed.json",
  "the comparison of the test table with what was recorded",
) as Recorded | undefined;

describe("the local STS responds as STS was observed to respond", () => {
  const clock = { seconds: 1789123700 };
  let idp: LocalIdp;
  let world: ObservedWorld;

  beforeAll(async () => {
    idp = await startLocalIdp({
      now: () => clock.seconds * 1000,
      headers: { "cache-control": "no-cache" },
    });
    const rsa = idp.kid;
    const kids = {
      RS256: rsa,
      RS384: rsa,
      RS512: rsa,
      ES256: await idp.addKey({ algorithm: "ES256" }),
      ES384: await idp.addKey({ algorithm: "ES384" }),
      ES512: await idp.addKey({ algorithm: "ES512" }),
    };
    world = { idp, kids, clock };
    return () => idp.close();
  });

  beforeEach(() => {
    idp.setJwks();
    clock.seconds = 1789123700;
  });

  for (const { scenario, code, httpStatus, message, cases } of OBSERVED) {
    describe(scenario, () => {
      test.each(Object.entries(cases))("%s", async (name, run) => {
        const reply = await run(world);
        const words = message?.replace("<claim>", name);
        expect(reply).toMatchObject({ code, httpStatus, ...(words && { message: words }) });
      });
    });
  }

  test("every scenario has a case", () => {
    for (const { scenario, cases } of OBSERVED) {
      expect(Object.keys(cases), scenario).not.toHaveLength(0);
    }
  });

  if (recorded) {
    test("every recorded scenario is in the table", () => {
      const scenarios = recorded.observations.map(({ scenario }) => scenario);
      expect(OBSERVED.map(({ scenario }) => scenario)).toEqual(scenarios);
    });

    test.each(recorded.observations)(
      "the table expects what was recorded: $scenario",
      (observation) => {
        const { scenario, result, message } = observation;
        const expected = OBSERVED.find((each) => each.scenario === scenario);
        // Some recorded messages are abridged, and a success is recorded in words.
        const isSuccess = /^ok\b|^new JWKS honoured/.test(result);
        expect(expected?.code).toBe(isSuccess ? "ok" : result);
        const [start = "", cut] = message?.split("...") ?? [];
        expect(expected?.message ?? "").toMatch(cut === undefined ? (message ?? "") : start.trim());
        if (cut === undefined) expect(expected?.message).toBe(message);
      },
    );
  }
});
