import type { IssuerCapacity } from "./issuer-capacity.js";

/** As the pre-flight has it: after a 429 the issuer is left alone for 30 s, then longer. */
const RESTS_MS = [30_000, 30_000, 30_000, 40_000, 60_000];
/** After a failure of STS, documents older than this are looked at again. */
const RECENT_MS = 30_000;
const KEPT_MS = 3_600_000;

/** The advisory pre-flight of every workload: what it adds to the load of the issuer. */
export class IssuerLooks {
  readonly #issuer: IssuerCapacity;
  readonly #restUntil: Float64Array;
  readonly #fetchedAt: Float64Array;
  readonly #failures: Uint8Array;

  constructor(workloads: number, issuer: IssuerCapacity) {
    this.#issuer = issuer;
    this.#restUntil = new Float64Array(workloads);
    this.#fetchedAt = new Float64Array(workloads).fill(Number.NEGATIVE_INFINITY);
    this.#failures = new Uint8Array(workloads);
  }

  /** @param failed - STS has just failed to get the key: what is known must be recent. */
  look(workload: number, atMs: number, failed: boolean): void {
    if (atMs < (this.#restUntil[workload] as number)) return;
    const age = atMs - (this.#fetchedAt[workload] as number);
    if (age < (failed ? RECENT_MS : KEPT_MS)) return;
    const hasBoth = this.#issuer.serves(atMs) && this.#issuer.serves(atMs);
    if (hasBoth) {
      this.#fetchedAt[workload] = atMs;
      this.#failures[workload] = 0;
      return;
    }
    const failures = this.#failures[workload] as number;
    const rest = RESTS_MS[Math.min(failures, RESTS_MS.length - 1)] as number;
    this.#restUntil[workload] = atMs + rest;
    this.#failures[workload] = Math.min(failures + 1, 255);
  }
}
