import { mkdirSync, writeFileSync } from "node:fs";
import { cachedCallPart } from "./cached-call.js";
import { callersPart } from "./callers.js";
import { coldStartPart } from "./cold-start.js";
import { failoverPart } from "./failover.js";
import { fleetPart } from "./fleet/fleet.js";
import { longOutagePart } from "./long-outage.js";
import { preflightPart } from "./preflight.js";
import { recoveryPart } from "./recovery.js";
import { type PartResult, type Promised, printPromise, printTable } from "./report.js";
import { rolesPart } from "./roles.js";
import { sdkRequestsPart } from "./sdk-requests.js";
import { soakPart } from "./soak.js";
import { stormPart } from "./storm.js";

// Run with: npm run bench, or npm run bench -- cold fleet for some of its parts.

const PARTS: Readonly<Record<string, () => Promise<PartResult>>> = {
  cold: coldStartPart,
  cached: cachedCallPart,
  callers: callersPart,
  roles: rolesPart,
  recovery: recoveryPart,
  storm: stormPart,
  outage: longOutagePart,
  preflight: preflightPart,
  requests: sdkRequestsPart,
  failover: failoverPart,
  soak: soakPart,
  fleet: fleetPart,
};

const CHARTS = new URL("charts/", import.meta.url);

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`No such part: ${unknown.join(", ")}. There are: ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

const promises: Promised[] = [];
mkdirSync(CHARTS, { recursive: true });
for (const [name, run] of Object.entries(PARTS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const start = performance.now();
  const { tables, promises: made = [], charts = {} } = await run();
  for (const table of tables) printTable(table);
  for (const [file, svg] of Object.entries(charts)) writeFileSync(new URL(file, CHARTS), svg);
  promises.push(...made);
  console.log(`\n(${name}: ${((performance.now() - start) / 1000).toFixed(1)} s)`);
}
if (promises.length > 0) console.log("\nMust reach");
for (const promised of promises) printPromise(promised);
