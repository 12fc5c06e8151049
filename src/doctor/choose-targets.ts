import type { Finding } from "../model/findings.js";
import { safeCause, safeText } from "../runtime/redact.js";
import { type ResolvedEndpoint, resolveEndpoint } from "../sts/endpoint-url.js";
import { spanPartitions } from "../sts/region-group.js";
import { resolveTargets, type StsTarget } from "../sts/target.js";
import type { Run } from "./run.js";
import type { ResolvedSettings } from "./settings.js";

/** An STS to look at, and where the SDK would send its calls. */
export interface ChosenTarget {
  readonly target: StsTarget;
  readonly endpoint: ResolvedEndpoint;
}

interface Chosen {
  readonly targets: readonly ChosenTarget[];
  readonly findings: readonly Finding[];
}

/** The SDK is loaded by then: what takes longer reads a file without an end. */
const CHOICE_LIMIT_MS = 3_000;

/** The chosen endpoint first, then those to fail over to; or why the SDK finds none. */
export async function chooseTargets({ sts }: ResolvedSettings, run: Run): Promise<Chosen> {
  const { endpoint } = sts.clientConfig;
  // The SDK takes `localhost:4566` for a URL of the scheme `localhost:`, and asks somebody else.
  if (typeof endpoint === "string" && !/^https?:\/\//i.test(endpoint)) {
    const shown = JSON.stringify(safeText(endpoint, 200));
    return { targets: [], findings: [noEndpoint(`${shown} is no http or https URL`)] };
  }
  const chosen = await choose(sts, run);
  const regions = chosen.targets.map(({ target }) => target.region);
  if (spanPartitions(regions)) {
    throw new TypeError(
      `Expected \`failoverRegions\` to be of one AWS partition with the region ${regions[0]}.`,
    );
  }
  return chosen;
}

async function choose(sts: ResolvedSettings["sts"], run: Run): Promise<Chosen> {
  const { env, pool } = run.runtime;
  try {
    return await run.within(CHOICE_LIMIT_MS, late, async () => {
      const resolved = await resolveTargets(sts, undefined, env);
      const targets = resolved.map(async (target) => {
        const endpoint = await pool.use(target, env, ({ client }) => resolveEndpoint(client));
        return { target, endpoint };
      });
      return { targets: await Promise.all(targets), findings: [] };
    });
  } catch (error) {
    run.signal.throwIfAborted();
    return { targets: [], findings: [noEndpoint(safeCause(error).message)] };
  }
}

function late(): Chosen {
  const problem =
    "the shared AWS files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, ~/.aws) were not read in time";
  return { targets: [], findings: [noEndpoint(problem)] };
}

function noEndpoint(problem: string): Finding {
  return {
    id: "sts-request-invalid",
    severity: "fatal",
    title: "The SDK finds no STS endpoint for these settings.",
    detail: `Choosing the endpoint failed: ${problem.replace(/\.$/, "")}.`,
    remedy:
      "Workload: correct the region, the endpoint URL, the FIPS and dual-stack settings or the profile's file.",
    evidence: { problem },
  };
}
