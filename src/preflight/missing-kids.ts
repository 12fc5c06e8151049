import { createHash } from "node:crypto";
import type { Clock } from "../runtime/clock.js";
import type { FetchedKeys } from "./snapshot.js";

/** Looks that are to agree have to be this far apart, in milliseconds: a rotation takes time to spread. */
export const LOOKS_APART_MS = 1_000;
/** An unknown `kid` makes the process fetch a JWKS again at most twice in this time. */
const COOLDOWN_MS = 30_000;
/** Two looks make certain; a cooldown that allowed one would leave every rotation in doubt. */
const FETCHES_PER_COOLDOWN = 2;
/** Tokens of strangers can name any number of keys. */
const MAX_KIDS = 100;

interface Sighting {
  looks: number;
  fetchId: number;
  fetchedAt: number;
}

/** Counts the fresh looks that did not find a key, and holds back those for keys that nobody has. */
export class MissingKids {
  readonly #clock: Clock;
  readonly #sightings = new Map<string, Sighting>();
  #refetches: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Takes note that a JWKS does not have the key. One that was fetched well before anybody asked for
   * the key is no fresh look.
   *
   * @returns how many fresh looks agree by now
   */
  note(missing: string, { fetchId, fetchedAt }: FetchedKeys, askedAt: number): number {
    const kid = shortened(missing);
    const known = this.#sightings.get(kid);
    if (known === undefined) {
      if (fetchedAt < askedAt - LOOKS_APART_MS) return 0;
      this.#sightings.set(kid, { looks: 1, fetchId, fetchedAt });
      const [oldest] = this.#sightings.keys();
      if (this.#sightings.size > MAX_KIDS && oldest !== undefined) this.#sightings.delete(oldest);
      return 1;
    }
    if (fetchId !== known.fetchId && fetchedAt - known.fetchedAt >= LOOKS_APART_MS) {
      this.#sightings.set(kid, { looks: known.looks + 1, fetchId, fetchedAt });
    }
    return this.looks(missing);
  }

  /** How many fresh looks agree that the key is missing. */
  looks(kid: string): number {
    return this.#sightings.get(shortened(kid))?.looks ?? 0;
  }

  /** The key is there after all. */
  forget(kid: string): void {
    this.#sightings.delete(shortened(kid));
  }

  /** Whether an unknown key may make the JWKS be fetched again now; counts it if so. */
  mayRefetch(): boolean {
    const now = this.#clock.now();
    this.#refetches = this.#refetches.filter((at) => at <= now && at > now - COOLDOWN_MS);
    if (this.#refetches.length >= FETCHES_PER_COOLDOWN) return false;
    this.#refetches.push(now);
    return true;
  }
}

/** A kid may be as long as a token; those of real issuers have up to 70 characters. */
const MAX_KID = 256;

function shortened(kid: string): string {
  return kid.length <= MAX_KID ? kid : createHash("sha256").update(kid).digest("base64url");
}
