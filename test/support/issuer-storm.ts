import type { LocalIdp, LocalSts } from "../../src/testing/index.js";

/** What the issuer does to the first STS calls of each session, as in the demo. */
const RATE_LIMITED_CALLS = 2;
const CUT_OFF_CALLS = 1;

/** STS calls that fail before each session. */
export const FAILURES_PER_SESSION = RATE_LIMITED_CALLS + CUT_OFF_CALLS;

/** How often to check what STS was asked, in milliseconds. A refresh waits longer between attempts. */
const CHECK_EVERY_MS = 10;

/**
 * A storm before each session: the issuer returns 429, then it cuts every connection, then it
 * responds. Each part lasts for a number of STS calls, so that no clock decides what a refresh meets.
 * STS must not cache keys (`jwksCacheSeconds: 0`).
 */
export function stormBeforeEachSession(idp: LocalIdp, sts: LocalSts): Disposable {
  let failedCalls = -1;
  const follow = () => {
    const failed = failedSinceLastSession(sts);
    if (failed === failedCalls) return;
    failedCalls = failed;
    idp.clearFaults();
    if (failed < RATE_LIMITED_CALLS) idp.setFault({ kind: "rate-limit" });
    else if (failed < FAILURES_PER_SESSION) idp.setFault({ kind: "reset" });
  };
  follow();
  const timer = setInterval(follow, CHECK_EVERY_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The outcomes of all calls that ask STS for a session and have their response. */
export function sessionOutcomes({ requests }: LocalSts): string[] {
  return requests
    .filter(
      ({ action, outcome }) => action === "AssumeRoleWithWebIdentity" && outcome !== "pending",
    )
    .map(({ outcome }) => outcome);
}

function failedSinceLastSession(sts: LocalSts): number {
  const outcomes = sessionOutcomes(sts);
  return outcomes.length - 1 - outcomes.lastIndexOf("ok");
}
