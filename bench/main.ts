import { cachedCallPart } from "./cached-call.js";
import { callersPart } from "./callers.js";
import { coldStartPart } from "./cold-start.js";
import { commandsPart } from "./commands.js";
import { failoverPart } from "./failover.js";
import { hostileDocumentsPart } from "./hostile-documents.js";
import { longOutagePart } from "./long-outage.js";
import { preflightPart } from "./preflight.js";
import { recoveryPart } from "./recovery.js";
import { rolesPart } from "./roles.js";
import { runParts } from "./run-parts.js";
import { sdkRequestsPart } from "./sdk-requests.js";
import { servePart } from "./serve.js";
import { soakPart } from "./soak.js";
import { storeFaultsPart } from "./store-faults.js";
import { storesPart } from "./stores.js";
import { stormPart } from "./storm.js";

/*
 * Measures what the library costs and what it gains, compared with the SDK's own provider. `npm run bench`
 * runs all parts in under three minutes, `npm run bench -- cold cached` only some. The part `store-faults`
 * starts fifty processes, and runs only when it is named.
 *
 * Each file here is one part. `support/` contains code that tests use too, and `research/` the simulation
 * of a fleet (`npm run bench:research`).
 */

await runParts(
  {
    cold: coldStartPart,
    cached: cachedCallPart,
    callers: callersPart,
    roles: rolesPart,
    recovery: recoveryPart,
    storm: stormPart,
    outage: longOutagePart,
    preflight: preflightPart,
    documents: hostileDocumentsPart,
    requests: sdkRequestsPart,
    failover: failoverPart,
    stores: storesPart,
    serve: servePart,
    commands: commandsPart,
    soak: soakPart,
  },
  new URL("charts/", import.meta.url),
  { "store-faults": storeFaultsPart },
);
