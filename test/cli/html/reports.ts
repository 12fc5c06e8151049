import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { htmlReport } from "../../../src/cli/html/html-report.js";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { examine, healthy } from "../../support/matrix-world.js";
import { runCli } from "../run-cli.js";
import { HOSTILE, sampleDiagnosis } from "../sample-diagnosis.js";

/** Harm in every shape that HTML knows, and a word without an end. */
const VENOM = `${HOSTILE} javascript:alert(1) </style></title></svg>--> "onload=alert(1) ${"w".repeat(1500)}`;

/** What is written in our own words, or read as a date. */
const OURS = new Set([
  ...["verdict", "id", "severity", "step", "party", "document", "kind", "name", "startedAt"],
  ...["validFrom", "validTo", "failedIn", "outcome"],
]);

/** Reports of worlds that were built for real, and of one whose every word is hostile. */
export const REPORTS: Readonly<Record<string, () => Promise<string>>> = {
  "a healthy world, from the command": async () => {
    await using world = await startDoctorWorld();
    const file = join(world.folder, "report.html");
    await runCli(["doctor", "--allow-private-issuers", "--html", file], { env: world.env });
    return await readFile(file, "utf8");
  },

  "a world of long names": async () =>
    htmlReport(await examine(async (site) => await healthy(site, { idp: { path: LONG_PATH } }))),

  "a broken world": async () =>
    htmlReport(
      await examine(async (site) => {
        const { idp, options } = await healthy(site);
        idp.setHeaders({ "cache-control": "no-cache" });
        await idp.rotateKeys({ publish: false });
        return { options: { ...options, token: await idp.issueToken() } };
      }),
    ),

  "a slow world": async () => htmlReport(sampleDiagnosis()),

  "a world of hostile servers": async () =>
    htmlReport(
      await examine(async (site) => {
        const { idp, sts, options } = await healthy(site);
        const text = VENOM.replaceAll(/[^\x20-\x7e]/g, "");
        idp.setHeaders({ "cache-control": text, etag: text, server: text });
        idp.setJwks({ keys: [{ kid: VENOM, kty: VENOM, use: VENOM, alg: VENOM }] });
        sts.setFault({ code: VENOM, httpStatus: 400, message: VENOM });
        const claims = { sub: VENOM, aud: [VENOM], azp: VENOM };
        return { options: { ...options, token: await idp.issueToken({ claims }) } };
      }),
    ),

  "hostile words everywhere": async () => htmlReport(poisoned(sampleDiagnosis())),
};

const LONG_PATH = `/realms/${"a-name-without-an-end".repeat(12)}`;

/** The same facts, with every word that comes from the world replaced. */
export function poisoned(diagnosis: Diagnosis): Diagnosis {
  return JSON.parse(JSON.stringify(diagnosis), (name, value: unknown) => {
    if (name === "headers") return { [VENOM]: VENOM, "cache-control": VENOM };
    return typeof value === "string" && !OURS.has(name) ? VENOM : value;
  }) as Diagnosis;
}
