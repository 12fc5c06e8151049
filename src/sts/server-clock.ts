/**
 * Smaller differences are no news: `Date` has whole seconds, and the answer was on its way.
 * In milliseconds.
 */
const MIN_SKEW_MS = 15_000;

/** What STS's `Date` headers say about this machine's clock. */
export class ServerClock {
  #skewMs = 0;

  /** STS's clock minus this machine's, in milliseconds; 0 until known to differ. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /** Takes note of an answer that came at `now`, if it is STS's own and not a proxy's. */
  observe(headers: Readonly<Record<string, string | undefined>>, now: number): void {
    if (headers["x-amzn-requestid"] === undefined || headers.date === undefined) return;
    const skew = Date.parse(headers.date) - now;
    if (Number.isNaN(skew)) return;
    this.#skewMs = Math.abs(skew) < MIN_SKEW_MS ? 0 : skew;
  }
}
