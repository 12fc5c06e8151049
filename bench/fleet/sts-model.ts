import type { Failure } from "../../src/failure.js";
import { WIRE_ERRORS } from "../../src/testing/sts/wire-error.js";
import type { IssuerCapacity } from "./issuer-capacity.js";

const { code, message, httpStatus } = WIRE_ERRORS.verificationKey;

/** The one failure of this model, word for word as STS puts it. */
export const NO_KEY: Failure = { kind: "answer", code, message, httpStatus };

/** How long STS takes to answer, and to ask the identity provider on the way, in milliseconds. */
export const STS_MS = 40;
export const ISSUER_MS = 60;

/**
 * Nobody outside knows how many caches STS has in a region; each of these must fetch the JWKS for
 * itself. With one, a single success would end every storm.
 */
const CACHES = 100;
const CACHE_MS = 3_600_000;

/** STS as far as a storm on the identity provider is concerned: it needs the JWKS for every answer. */
export class StsModel {
  readonly #issuer: IssuerCapacity;
  readonly #holdsJwks: boolean;
  readonly #random: () => number;
  /** From when until when each cache has the key set. */
  readonly #heldFrom = new Float64Array(CACHES).fill(Number.POSITIVE_INFINITY);
  calls = 0;
  failures = 0;

  constructor(issuer: IssuerCapacity, holdsJwks: boolean, random: () => number) {
    this.#issuer = issuer;
    this.#holdsJwks = holdsJwks;
    this.#random = random;
  }

  /** Whether a call at `atMs` gets credentials; if not, it fails with {@link NO_KEY}. */
  succeeds(atMs: number): boolean {
    this.calls += 1;
    const cache = Math.floor(this.#random() * CACHES);
    const heldFrom = this.#heldFrom[cache] as number;
    if (this.#holdsJwks && atMs >= heldFrom && atMs < heldFrom + CACHE_MS) return true;
    if (this.#issuer.serves(atMs)) {
      this.#heldFrom[cache] = Math.min(heldFrom, atMs + ISSUER_MS);
      if (atMs >= heldFrom + CACHE_MS) this.#heldFrom[cache] = atMs + ISSUER_MS;
      return true;
    }
    this.failures += 1;
    return false;
  }
}
