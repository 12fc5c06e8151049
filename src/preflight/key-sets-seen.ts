import { createHash } from "node:crypto";
import type { Finding } from "../model/findings.js";
import { bareKey } from "../model/jwk.js";
import type { Clock } from "../runtime/clock.js";
import { printable } from "../runtime/redact.js";
import { type KeyEntry, type KeySet, MAX_KEYS_PER_TYPE } from "./key-set.js";

/**
 * This many answers in a row with the same keys make certain what the keys alone say against a
 * token. Behind a balancer that picks one of three replicas at random, one token of 1,000 would be
 * judged by seven answers of the same wrong replica; eight leave one of 3,000.
 */
export const ANSWERS_THAT_AGREE = 8;

/** Older answers say nothing certain, in milliseconds. */
const AGREE_MS = 30_000;
/** Two sets of keys within this time are of replicas that differ, in milliseconds: the retry budget. */
const DIFFER_MS = 60_000;
/** STS takes no more of each type; what comes after them is not compared. */
const MAX_COMPARED = 2 * MAX_KEYS_PER_TYPE;
const MAX_SETS = 8;

/** One set of keys, by what matters of them: each kid with the key it names. */
interface SeenSet {
  readonly members: ReadonlySet<string>;
  readonly kids: readonly string[];
  /** When it was seen, the newest last, in milliseconds since the epoch. */
  readonly seenAt: number[];
}

/** The sets of keys that an issuer showed lately: replicas may have a key each. */
export class KeySetsSeen {
  readonly #clock: Clock;
  /** By the digest of the set; the one that was seen last stands last. */
  readonly #sets = new Map<string, SeenSet>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of one answer; without keys it is a set like any other. */
  note(keySet: KeySet | undefined): void {
    const entries = keySet?.entries.slice(0, MAX_COMPARED) ?? [];
    const members = new Set(entries.map(memberOf));
    const digest = digestOf([...members].toSorted().join());
    const known = this.#sets.get(digest);
    const seenAt = [...(known?.seenAt ?? []), this.#clock.now()].slice(-ANSWERS_THAT_AGREE);
    this.#sets.delete(digest);
    this.#sets.set(digest, { members, kids: entries.flatMap(({ kid }) => kid ?? []), seenAt });
    const [oldest] = this.#sets.keys();
    if (this.#sets.size > MAX_SETS && oldest !== undefined) this.#sets.delete(oldest);
  }

  /** Whether enough recent answers showed the same keys, and none showed others. */
  get doAgree(): boolean {
    const [seen, ...others] = this.#recent();
    const since = this.#clock.now() - AGREE_MS;
    const answers = seen?.seenAt.filter((at) => at > since).length ?? 0;
    return others.length === 0 && answers >= ANSWERS_THAT_AGREE;
  }

  /** Whether an issuer shows other keys from one answer to the next. */
  get doDiffer(): boolean {
    return this.#recent().length > 1;
  }

  /**
   * The replicas' difference as a finding.
   *
   * @param isRotation - Whether a set that only grew or shrank counts too: it may be a rotation.
   */
  finding(isRotation: boolean): Finding | undefined {
    const sets = this.#recent();
    const isTold =
      sets.length > 1 && (isRotation || sets.some((a) => sets.some((b) => cross(a, b))));
    return isTold ? inconsistent(sets.map(({ kids }) => kids)) : undefined;
  }

  #recent(): SeenSet[] {
    const now = this.#clock.now();
    // A time ahead means that someone set the clock back: nothing is known then.
    const isRecent = (at: number) => at <= now && at > now - DIFFER_MS;
    return [...this.#sets.values()].filter(({ seenAt }) => seenAt.some(isRecent));
  }
}

function memberOf({ jwk, kid }: KeyEntry): string {
  return digestOf(JSON.stringify([kid ?? null, bareKey(jwk)]));
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** Whether each has a key that the other one lacks. */
function cross(a: SeenSet, b: SeenSet): boolean {
  const hasOwn = (one: SeenSet, other: SeenSet) =>
    [...one.members].some((member) => !other.members.has(member));
  return hasOwn(a, b) && hasOwn(b, a);
}

function inconsistent(sets: readonly (readonly string[])[]): Finding {
  const shown = sets.map((kids) => kids.slice(0, 5).map((kid) => printable(kid, 60)));
  const told = shown.map((kids, index) => {
    const more = (sets[index]?.length ?? 0) - kids.length;
    const named = kids.map((kid) => JSON.stringify(kid)).join(", ") || "no kid";
    return more > 0 ? `${named} and ${more} more` : named;
  });
  return {
    id: "jwks-inconsistent",
    severity: "suspect",
    title: "The issuer's replicas publish different keys.",
    detail: `Within ${DIFFER_MS / 1000} s the JWKS showed ${sets.length} different sets of keys: ${told.join("; ")}. STS finds a token's key only when it reaches a replica that has it.`,
    remedy:
      "IdP: let all replicas share their signing keys, or publish the keys of all replicas in every JWKS; a CDN in front must not mix old and new documents.",
    evidence: { sets: shown },
  };
}
