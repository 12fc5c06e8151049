import { runParts } from "../run-parts.js";
import { fleetPart } from "./fleet.js";

/* The simulation behind the default waits; README.md in this folder says what it showed. */

await runParts({ fleet: fleetPart }, new URL("charts/", import.meta.url));
