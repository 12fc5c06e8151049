import type { Failure } from "../../src/model/failure.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";
import type { IssuerCapacity } from "./issuer-capacity.js";

const { code, message, httpStatus } = WIRE_ERRORS.verificationKey;

/** The only failure of this model, with STS's exact message. */
export const NO_KEY: Failure = { kind: "response", code, message, httpStatus };

/** How long STS takes to respond, and how long its request to the identity provider takes, in milliseconds. */
export const STS_MS = 40;
export const ISSUER_MS = 60;

/** Facts about STS that AWS does not publish. */
export interface StsOptions {
  readonly holdsJwks: boolean;
  /**
   * How many caches a region has. Each of them must fetch the JWKS. With only one, a single success would
   * end every outage.
   * @default 100
   */
  readonly caches?: number | undefined;
  /**
   * How long a cache that got no JWKS fails without another request, in milliseconds.
   * @default 0
   */
  readonly remembersFailureMs?: number | undefined;
}

const CACHE_MS = 3_600_000;

/** A model of STS: it needs the JWKS for every response. */
export class StsModel {
  readonly #issuer: IssuerCapacity;
  readonly #random: () => number;
  readonly #holdsJwks: boolean;
  readonly #remembersFailureMs: number;
  /** From when until an hour later each cache has the key set. */
  readonly #heldFrom: Float64Array;
  /** Until when each cache is certain that there is none. */
  readonly #failsUntil: Float64Array;
  calls = 0;
  failures = 0;
  /** How long the response to the last call takes, in milliseconds. */
  tookMs = 0;

  constructor(issuer: IssuerCapacity, options: StsOptions, random: () => number) {
    const { holdsJwks, caches = 100, remembersFailureMs = 0 } = options;
    this.#issuer = issuer;
    this.#random = random;
    this.#holdsJwks = holdsJwks;
    this.#remembersFailureMs = remembersFailureMs;
    this.#heldFrom = new Float64Array(caches).fill(Number.POSITIVE_INFINITY);
    this.#failsUntil = new Float64Array(caches);
  }

  /** Whether a call at `atMs` gets credentials; if not, it fails with {@link NO_KEY}. */
  succeeds(atMs: number): boolean {
    this.calls += 1;
    this.tookMs = STS_MS;
    const cache = Math.floor(this.#random() * this.#heldFrom.length);
    const heldFrom = this.#heldFrom[cache] as number;
    if (this.#holdsJwks && atMs >= heldFrom && atMs < heldFrom + CACHE_MS) return true;
    const waitMs = this.#asks(cache, atMs);
    if (waitMs === undefined) {
      this.failures += 1;
      return false;
    }
    const heldAt = atMs + this.tookMs - STS_MS;
    this.#heldFrom[cache] = atMs < heldFrom ? Math.min(heldFrom, heldAt) : heldAt;
    return true;
  }

  /** How long the identity provider lets this cache wait; `undefined` when it gives no JWKS. */
  #asks(cache: number, atMs: number): number | undefined {
    if (atMs < (this.#failsUntil[cache] as number)) return undefined;
    const waitMs = this.#issuer.waitMs(atMs);
    const refusedMs = Math.max(this.#issuer.refusalMs, ISSUER_MS);
    const callMs = waitMs === undefined ? refusedMs : waitMs + ISSUER_MS;
    this.tookMs += callMs;
    if (waitMs === undefined && this.#remembersFailureMs > 0) {
      this.#failsUntil[cache] = atMs + callMs + this.#remembersFailureMs;
    }
    return waitMs;
  }
}
