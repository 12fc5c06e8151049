import type { Diagnosis, TokenReport } from "../../../src/doctor/diagnosis.js";
import type { RequestTiming } from "../../../src/model/issuer-report.js";
import { sampleDiagnosis } from "../sample-diagnosis.js";

/** When the run of the sample began. */
export const START_MS = Date.UTC(2026, 0, 1, 0, 0, 0);

/** A time of a token, in milliseconds from the start of the sample's run. */
export const secondsAt = (ms: number) => Math.round((START_MS + ms) / 1000);

interface CacheFacts {
  readonly token?: TokenReport | undefined;
  /** Differs from the sample's answer for the JWKS; without it, no document was requested. */
  readonly answer?: Partial<RequestTiming>;
}

/** The sample with this token and this answer alone. */
export function diagnosisWith(change: CacheFacts, clockSkewMs?: number): Diagnosis {
  const { facts } = sampleDiagnosis();
  const jwks = facts.issuer?.requests.at(-1);
  return sampleDiagnosis({
    facts: {
      ...facts,
      clockSkewMs,
      token: change.token,
      issuer:
        facts.issuer && jwks && change.answer
          ? { ...facts.issuer, requests: [{ ...jwks, ...change.answer }] }
          : undefined,
    },
  });
}
