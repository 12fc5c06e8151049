import type { FailureAdvice } from "../../src/credentials/credential-cache.js";

/** Cache options of a program that ignores events and treats every failure as temporary. */
export const QUIET_CACHE = {
  adviceOf: (): FailureAdvice => ({ isRejection: false, isFree: false, retryAfterMs: undefined }),
  onRefreshed: () => {},
  onRefreshFailed: () => {},
  onExpiredServed: () => {},
  onClosed: () => {},
  windows: {},
  aheadOfTime: false,
  serveExpired: false,
};
