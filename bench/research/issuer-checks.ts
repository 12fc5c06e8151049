import { lifetimeMs, pauseMs } from "../../src/preflight/freshness.js";
import type { IssuerCapacity } from "./issuer-capacity.js";
import { ISSUER_MS } from "./sts-model.js";

/** After a failure of STS, documents older than this are requested again; see `run-issuer-check.ts`. */
const RECENT_MS = 30_000;
const KEPT_MS = lifetimeMs({}, 0);
/** The pause after a 429 without `Retry-After`. */
const REST_MS = pauseMs({}, 0);
/** The first pause after any failure; it doubles. See `freshness.ts`. */
const BASE_REST_MS = 5_000;
const MAX_REST_MS = 60_000;

/** The issuer check of every workload: what it adds to the load of the issuer, and how long it takes. */
export class IssuerChecks {
  readonly #issuer: IssuerCapacity;
  readonly #restUntil: Float64Array;
  readonly #endsAt: Float64Array;
  /** When each process fetched the discovery document and the JWKS. */
  readonly #fetchedAt: readonly Float64Array[];
  readonly #failures: Uint8Array;

  constructor(workloads: number, issuer: IssuerCapacity) {
    this.#issuer = issuer;
    this.#restUntil = new Float64Array(workloads);
    this.#endsAt = new Float64Array(workloads);
    this.#fetchedAt = [0, 1].map(() => new Float64Array(workloads).fill(Number.NEGATIVE_INFINITY));
    this.#failures = new Uint8Array(workloads);
  }

  /**
   * Adds both requests at the time of the first, although they are a round trip apart.
   *
   * @param fresh - STS has just failed to get the key, so cached documents must be recent.
   * @returns how long the findings take, in milliseconds
   */
  check(workload: number, atMs: number, fresh: boolean): number {
    const underWayMs = (this.#endsAt[workload] as number) - atMs;
    if (underWayMs > 0) return underWayMs;
    if (atMs < (this.#restUntil[workload] as number)) return 0;
    let tookMs = 0;
    for (const fetchedAt of this.#fetchedAt) {
      if (atMs - (fetchedAt[workload] as number) < (fresh ? RECENT_MS : KEPT_MS)) continue;
      const waitMs = this.#issuer.waitMs(atMs);
      if (waitMs === undefined) {
        tookMs += Math.max(this.#issuer.refusalMs, ISSUER_MS);
        this.#rest(workload, atMs + tookMs);
        return this.#took(workload, atMs, tookMs);
      }
      tookMs += waitMs + ISSUER_MS;
      fetchedAt[workload] = atMs;
    }
    this.#failures[workload] = 0;
    return this.#took(workload, atMs, tookMs);
  }

  #took(workload: number, atMs: number, tookMs: number): number {
    this.#endsAt[workload] = atMs + tookMs;
    return tookMs;
  }

  #rest(workload: number, fromMs: number): void {
    const failures = this.#failures[workload] as number;
    const asksForRest = this.#issuer.refusalMs === 0;
    const pauseMs = Math.min(MAX_REST_MS, BASE_REST_MS * 2 ** failures);
    this.#restUntil[workload] = fromMs + Math.max(pauseMs, asksForRest ? REST_MS : 0);
    this.#failures[workload] = Math.min(failures + 1, 255);
  }
}
