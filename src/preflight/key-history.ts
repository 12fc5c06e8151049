import { createHash } from "node:crypto";
import type { Finding } from "../model/findings.js";
import { bareKey, keyFormProblem } from "../model/jwk.js";
import { STS_MAX_KEYS_PER_TYPE } from "../model/sts-limits.js";
import type { Clock } from "../runtime/clock.js";
import { member, shownText } from "./json-document.js";
import type { FetchedKeys, KeyEntry, KeySet } from "./key-set.js";

// What earlier responses of an issuer showed: missing keys, and sets of keys that differ. One response proves
// little, because a rotation takes time to spread, and each replica may have keys of its own.

/** Two fetches without a key count as two only if they are this many milliseconds apart: a rotation takes time. */
export const FETCHES_APART_MS = 1_000;
/** Unknown kids make the process fetch a JWKS again at most twice in this time, in milliseconds. */
const COOLDOWN_MS = 30_000;
/** A missing key is certain after two fetches; with one per cooldown, every rotation would stay in doubt. */
const FETCHES_PER_COOLDOWN = 2;
/** Hostile tokens may name any number of kids. */
const MAX_KIDS = 100;

/** The fetches that did not have a key. Times are monotonic: setting the machine's clock changes no count. */
interface Absence {
  fetches: number;
  fetchId: number;
  fetchedMonotonic: number;
}

/** Counts the fresh fetches that did not have a key, and limits how often unknown kids cause one. */
export class MissingKids {
  readonly #clock: Clock;
  readonly #absences = new Map<string, Absence>();
  #refetches: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Records that a JWKS does not have the key. A JWKS that was fetched well before the check began does
   * not count.
   *
   * @param checkStarted - when the check began, by the monotonic clock.
   * @returns how many fresh fetches did not have the key so far.
   */
  note(missing: string, keys: FetchedKeys, checkStarted: number): number {
    const { fetchId, fetchedMonotonic } = keys;
    const kid = shortened(missing);
    const known = this.#absences.get(kid);
    if (known === undefined) {
      if (fetchedMonotonic < checkStarted - FETCHES_APART_MS) return 0;
      this.#absences.set(kid, { fetches: 1, fetchId, fetchedMonotonic });
      const [oldest] = this.#absences.keys();
      if (this.#absences.size > MAX_KIDS && oldest !== undefined) this.#absences.delete(oldest);
      return 1;
    }
    const apartMs = fetchedMonotonic - known.fetchedMonotonic;
    if (fetchId !== known.fetchId && apartMs >= FETCHES_APART_MS) {
      this.#absences.set(kid, { fetches: known.fetches + 1, fetchId, fetchedMonotonic });
    }
    return this.fetchesWithout(missing);
  }

  /** The number of fresh fetches that did not have the key. */
  fetchesWithout(kid: string): number {
    return this.#absences.get(shortened(kid))?.fetches ?? 0;
  }

  /** Records that a JWKS has the key. */
  forget(kid: string): void {
    this.#absences.delete(shortened(kid));
  }

  /** Whether an unknown kid may cause another fetch of the JWKS now; counts that fetch. */
  mayRefetch(): boolean {
    const now = this.#clock.monotonic();
    this.#refetches = this.#refetches.filter((at) => at > now - COOLDOWN_MS);
    if (this.#refetches.length >= FETCHES_PER_COOLDOWN) return false;
    this.#refetches.push(now);
    return true;
  }
}

/** Longer kids are stored as a digest. A kid may be as long as a token; real issuers use up to 70 characters. */
const MAX_KID = 256;

function shortened(kid: string): string {
  return kid.length <= MAX_KID ? kid : createHash("sha256").update(kid).digest("base64url");
}

/**
 * A finding about the keys is certain only after this many responses in a row with the same keys.
 * Behind a load balancer that picks one of three replicas at random, seven responses would all come
 * from the same wrong replica for one token in 1,000; eight responses for one in 3,000.
 */
export const RESPONSES_THAT_AGREE = 8;

/** Responses older than this, in milliseconds, do not count as agreeing. */
const AGREE_MS = 30_000;
/** How long an agreement lasts while no response differs from it, in milliseconds. */
const AGREEMENT_MS = 300_000;
/** Two sets of keys within this time, in milliseconds, show that replicas differ: the default retry budget. */
const DIFFER_MS = 60_000;
/** STS uses at most this many keys; further keys are not compared. */
const MAX_COMPARED = 2 * STS_MAX_KEYS_PER_TYPE;
const MAX_SETS = 8;

/** One set of keys: digests of the keys, and what the finding shows of them. */
interface SeenSet {
  /** A digest of each key with its kid, and of what is wrong with it. */
  readonly members: ReadonlySet<string>;
  readonly shown: ShownSet;
  /** When a response had this set, newest last, by the monotonic clock. */
  readonly seenAt: number[];
}

interface ShownSet {
  /** The kids of the first keys. */
  readonly kids: readonly string[];
  /** What is wrong with the keys: the first fault, in words. */
  readonly problem: string | undefined;
  /** How many kids the set has. */
  readonly total: number;
}

/** The sets of keys in an issuer's recent responses. */
export class KeySetsSeen {
  readonly #clock: Clock;
  /** By the digest of the set, most recent last. */
  readonly #sets = new Map<string, SeenSet>();
  /** The last set on which enough responses agreed, and when they did. */
  #agreement: { readonly digest: string; readonly at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Records one response. A response without keys counts as a set, too.
   *
   * @param faults - the IDs of the findings about the documents themselves.
   */
  note(keySet: KeySet | undefined, faults: readonly string[] = []): void {
    const entries = keySet?.entries.slice(0, MAX_COMPARED) ?? [];
    // With the form of each key, because a replica may publish the same keys in another form.
    const members = new Set(entries.map(memberOf));
    const digest = digestOf([...members, ...faults].toSorted().join());
    const known = this.#sets.get(digest);
    const seenAt = [...(known?.seenAt ?? []), this.#clock.monotonic()].slice(-RESPONSES_THAT_AGREE);
    this.#sets.delete(digest);
    this.#sets.set(digest, { members, shown: shownOf(entries), seenAt });
    const [oldest] = this.#sets.keys();
    if (this.#sets.size > MAX_SETS && oldest !== undefined) this.#sets.delete(oldest);
    if (this.doAgree) this.#agreement = { digest, at: this.#clock.monotonic() };
    else if (digest !== this.#agreement?.digest) this.#agreement = undefined;
  }

  /**
   * Whether enough responses agreed within the last five minutes, and every response since had the same keys.
   * No finding is certain because of that: only the current responses count.
   */
  get haveAgreed(): boolean {
    const { at } = this.#agreement ?? {};
    return at !== undefined && this.#clock.monotonic() - at < AGREEMENT_MS;
  }

  /** Whether enough recent responses have the same keys, and none has others. */
  get doAgree(): boolean {
    const [seen, ...others] = this.#recent();
    const since = this.#clock.monotonic() - AGREE_MS;
    const responses = seen?.seenAt.filter((at) => at > since).length ?? 0;
    return others.length === 0 && responses >= RESPONSES_THAT_AGREE;
  }

  /** Whether recent responses have different keys. */
  get doDiffer(): boolean {
    return this.#recent().length > 1;
  }

  /**
   * The finding that replicas differ, if they do.
   *
   * @param countsGrowth - whether a set that only gained or lost keys, as in a rotation, counts too.
   */
  finding(countsGrowth: boolean): Finding | undefined {
    const sets = this.#recent();
    const isDifferent =
      sets.length > 1 && (countsGrowth || sets.some((a) => sets.some((b) => cross(a, b))));
    return isDifferent ? inconsistent(sets.map(({ shown }) => shown)) : undefined;
  }

  #recent(): SeenSet[] {
    const since = this.#clock.monotonic() - DIFFER_MS;
    return [...this.#sets.values()].filter(({ seenAt }) => seenAt.some((at) => at > since));
  }
}

function memberOf(entry: KeyEntry): string {
  const { jwk, kid } = entry;
  const x5c = member(jwk, "x5c");
  return digestOf(JSON.stringify([kid ?? null, bareKey(jwk), x5c ?? null, formOf(entry)]));
}

/** What is wrong with a key's form. The key itself is not parsed: a hundred keys take a tenth of a second. */
function formOf({ jwk, problem }: KeyEntry): string | undefined {
  return problem?.words ?? keyFormProblem(jwk);
}

const MAX_SHOWN = 5;

function shownOf(entries: readonly KeyEntry[]): ShownSet {
  const kids = entries.flatMap(({ kid }) => kid ?? []);
  const problem = entries.map(formOf).find((words) => words !== undefined);
  return {
    kids: kids.slice(0, MAX_SHOWN).map((kid) => shownText(kid, 60)),
    problem: problem && shownText(problem, 120),
    total: kids.length,
  };
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 22);
}

/** Whether each set has a key that the other lacks. */
function cross(a: SeenSet, b: SeenSet): boolean {
  const hasOwn = (one: SeenSet, other: SeenSet) =>
    [...one.members].some((member) => !other.members.has(member));
  return hasOwn(a, b) && hasOwn(b, a);
}

function inconsistent(sets: readonly ShownSet[]): Finding {
  const described = sets.map(({ kids, problem, total }) => {
    const named = kids.map((kid) => JSON.stringify(kid)).join(", ") || "no kid";
    const more = total > kids.length ? ` and ${total - kids.length} more` : "";
    return `${named}${more}${problem === undefined ? "" : ` (${problem})`}`;
  });
  return {
    id: "jwks-inconsistent",
    severity: "suspect",
    title: "The issuer's replicas publish different keys.",
    detail: `Within ${DIFFER_MS / 1000} s the JWKS had ${sets.length} different sets of keys: ${described.join("; ")}. STS verifies a token only when it reaches a replica that has the token's key in a usable form.`,
    remedy:
      "IdP: share the signing keys between all replicas, or publish the keys of all replicas in every JWKS. Make sure that a CDN does not mix old and new documents.",
    evidence: { sets: sets.map(({ kids }) => kids) },
  };
}
