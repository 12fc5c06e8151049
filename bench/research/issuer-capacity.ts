/** What an identity provider does when it gets more requests than it can serve. */
export type Overload =
  /** It returns 429 immediately, as a rate limit does. A burst of one second's capacity is allowed. */
  | "refuses"
  /** It queues them. A request that would wait longer than STS does is never served. */
  | "queues";

/** How long STS waits for an identity provider: AWS re:Post, "Couldn't retrieve verification key". */
export const PATIENCE_MS = 5_000;

const BURST_MS = 1_000;
/** The peak is the highest load of any second, in steps of a tenth of a second. */
const BINS_A_SECOND = 10;

/** An identity provider that serves a fixed number of requests a second. */
export class IssuerCapacity {
  readonly #perSecond: number;
  readonly #serviceMs: number;
  readonly #overload: Overload;
  /** When the provider will have served all requests that it has accepted. */
  #freeAt = 0;
  /** Requests in every tenth of a second since the start, refused ones included. */
  readonly #bins: number[] = [];
  /** Requests so far, refused ones included. */
  requests = 0;

  constructor(requestsPerSecond: number, overload: Overload) {
    this.#perSecond = requestsPerSecond;
    this.#serviceMs = 1000 / requestsPerSecond;
    this.#overload = overload;
  }

  /**
   * Adds a request at a time that is no earlier than the last one's.
   *
   * @returns how long it waits in the queue, in milliseconds; `undefined` when it is not served
   */
  waitMs(atMs: number): number | undefined {
    this.requests += 1;
    const bin = Math.floor((atMs * BINS_A_SECOND) / 1000);
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
    const freeAt = Math.max(this.#freeAt, atMs);
    const backlogMs = freeAt - atMs + this.#serviceMs;
    const queues = this.#overload === "queues";
    if (backlogMs > (queues ? PATIENCE_MS : BURST_MS)) return undefined;
    this.#freeAt = freeAt + this.#serviceMs;
    return queues ? backlogMs - this.#serviceMs : 0;
  }

  /** How long a request waits that is not served, in milliseconds. */
  get refusalMs(): number {
    return this.#overload === "queues" ? PATIENCE_MS : 0;
  }

  /** Requests in every second since the start, over the capacity. */
  get loadBySecond(): number[] {
    const seconds = Math.ceil(this.#bins.length / BINS_A_SECOND);
    return Array.from({ length: seconds }, (_, second) => {
      const from = second * BINS_A_SECOND;
      const bins = this.#bins.slice(from, from + BINS_A_SECOND);
      return bins.reduce((sum, requests = 0) => sum + requests, 0) / this.#perSecond;
    });
  }

  /** The busiest second over the capacity. */
  get peakOverCapacity(): number {
    let peak = 0;
    let requests = 0;
    for (let bin = 0; bin < this.#bins.length; bin += 1) {
      requests += (this.#bins[bin] ?? 0) - (this.#bins[bin - BINS_A_SECOND] ?? 0);
      peak = Math.max(peak, requests);
    }
    return peak / this.#perSecond;
  }
}
