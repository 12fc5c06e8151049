import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { Memory, memoryStore } from "../../../bench/support/memory-store.js";
import { diagnose } from "../../../src/doctor/diagnose.js";
import { fileStore } from "../../../src/stores/index.js";
import { type DoctorWorld, startDoctorWorld } from "../../support/doctor-world.js";
import { ROOT } from "../../support/sources.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

const schemaText = readFileSync(join(ROOT, "schema/diagnosis-v1.schema.json"), "utf8");

/** The published schema allows additional fields. Here the schema must describe each field. */
const closed: unknown = JSON.parse(schemaText, (_key, value: unknown) => {
  const isObject = typeof value === "object" && value !== null && "properties" in value;
  if (!isObject || !("type" in value)) return value;
  return { ...value, additionalProperties: false };
});

const ajv = new Ajv2020({
  allErrors: true,
  formats: { "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/ },
});
const validate = ajv.compile(closed as object);

function problemsOf(diagnosis: unknown): unknown[] {
  validate(JSON.parse(JSON.stringify(diagnosis)));
  return validate.errors ?? [];
}

describe("the schema describes every field of", () => {
  const faults: Readonly<Record<string, (world: DoctorWorld) => unknown>> = {
    "a healthy world": () => {},
    "an IdP that refuses": ({ idp }) => idp.refuseConnections(),
    "a login page": ({ idp }) => idp.setFault({ kind: "html" }),
    "a missing key": ({ idp }) => idp.setJwks({ keys: [] }),
    "an STS that refuses": ({ sts }) => sts.refuseConnections(),
    "a role without trust": ({ sts }) => sts.setFault("access-denied"),
  };

  test.each(Object.entries(faults))("%s", async (_name, spoil) => {
    await using world = await startDoctorWorld();
    await spoil(world);
    const diagnosis = await diagnose({ env: world.env, allowPrivateIssuers: true });
    expect(problemsOf(diagnosis)).toEqual([]);
  });

  test("an issuer alone, and of a text that is not a token", async () => {
    await using world = await startDoctorWorld();
    const { issuer } = world.idp;
    expect(problemsOf(await diagnose({ issuer, allowPrivateIssuers: true, env: {} }))).toEqual([]);
    const odd = await diagnose({ token: "no token", assume: false, env: world.env });
    expect(problemsOf(odd)).toEqual([]);
  });

  test("a store, whether it works or not", async () => {
    using folder = temporaryFolder();
    const env = { AWS_ENDPOINT_URL_STS: "http://127.0.0.1:1" };
    const sound = fileStore({ directory: folder.path });
    expect(problemsOf(await diagnose({ env, store: sound }))).toEqual([]);
    const down = { ...memoryStore(new Memory()), read: () => Promise.reject(new Error("down")) };
    expect(problemsOf(await diagnose({ env, store: down }))).toEqual([]);
  });

  test("a sample, and rejects other values and fields", () => {
    expect(problemsOf(sampleDiagnosis())).toEqual([]);
    expect(problemsOf({ ...sampleDiagnosis(), verdict: "fine" })).not.toEqual([]);
    expect(problemsOf({ ...sampleDiagnosis(), more: 1 })).not.toEqual([]);
  });
});
