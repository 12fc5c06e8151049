import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { htmlReport } from "../../../src/cli/html/html-report.js";
import type { Diagnosis } from "../../../src/doctor/diagnosis.js";
import { startDoctorWorld } from "../../support/doctor-world.js";
import { examine, healthy } from "../../support/matrix-world.js";
import { runCli } from "../run-cli.js";
import { HOSTILE, sampleDiagnosis } from "../sample-diagnosis.js";

/** Attacks on each kind of HTML context, and a very long word. */
const HOSTILE_HTML = `${HOSTILE} javascript:alert(1) </style></title></svg>--> "onload=alert(1) ${"w".repeat(1500)}`;

/** Fields with texts of the doctor itself, or with dates. */
const OWN_FIELDS = new Set([
  ...["verdict", "id", "severity", "step", "party", "document", "kind", "name", "startedAt"],
  ...["validFrom", "validTo", "failedIn", "outcome"],
]);

/** Reports about local servers in different states, and one whose texts are all hostile. */
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
        const text = HOSTILE_HTML.replaceAll(/[^\x20-\x7e]/g, "");
        idp.setHeaders({ "cache-control": text, etag: text, server: text });
        idp.setJwks({
          keys: [{ kid: HOSTILE_HTML, kty: HOSTILE_HTML, use: HOSTILE_HTML, alg: HOSTILE_HTML }],
        });
        sts.setFault({ code: HOSTILE_HTML, httpStatus: 400, message: HOSTILE_HTML });
        const claims = { sub: HOSTILE_HTML, aud: [HOSTILE_HTML], azp: HOSTILE_HTML };
        return { options: { ...options, token: await idp.issueToken({ claims }) } };
      }),
    ),

  "a diagnosis with hostile texts everywhere": async () => htmlReport(poisoned(sampleDiagnosis())),
};

const LONG_PATH = `/realms/${"a-name-without-an-end".repeat(12)}`;

/** The same facts, with every text from outside replaced by a hostile one. */
export function poisoned(diagnosis: Diagnosis): Diagnosis {
  return JSON.parse(JSON.stringify(diagnosis), (name, value: unknown) => {
    if (name === "headers") return { [HOSTILE_HTML]: HOSTILE_HTML, "cache-control": HOSTILE_HTML };
    return typeof value === "string" && !OWN_FIELDS.has(name) ? HOSTILE_HTML : value;
  }) as Diagnosis;
}
