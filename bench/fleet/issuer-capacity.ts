/**
 * An identity provider that serves so many requests a second and refuses the rest with 429 at once
 * (a token bucket that holds one second's worth).
 */
export class IssuerCapacity {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #refilledAt = 0;
  /** Requests in every second since the start, refused ones included. */
  readonly load: number[] = [];

  constructor(requestsPerSecond: number) {
    this.#perMs = requestsPerSecond / 1000;
    this.#burst = requestsPerSecond;
    this.#tokens = requestsPerSecond;
  }

  /** Takes a request at a time that is no earlier than the last one's; whether it is served. */
  serves(atMs: number): boolean {
    const second = Math.floor(atMs / 1000);
    this.load[second] = (this.load[second] ?? 0) + 1;
    const earned = (atMs - this.#refilledAt) * this.#perMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#refilledAt = atMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** The busiest second over the capacity. */
  get peakOverCapacity(): number {
    let peak = 0;
    for (const requests of this.load) peak = Math.max(peak, requests ?? 0);
    return peak / this.#burst;
  }
}
