import { runParts } from "../run-parts.js";
import { fleetPart } from "./fleet.js";
import { sharingTable } from "./sharing-table.js";

/* The simulation behind the default waits. README.md in this folder describes its results. */

await runParts(
  { stores: async () => ({ tables: [await sharingTable()] }), fleet: fleetPart },
  new URL("charts/", import.meta.url),
);
