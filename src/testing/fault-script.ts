import { MAX_TIMER_MS } from "../runtime/clock.js";
import { checkNumber, expected, word } from "../runtime/validators.js";

/** Selects the requests that a fault applies to. */
export interface FaultRule<Request> {
  /** Applies to this many requests, then ends. @default applies until cleared */
  readonly times?: number | undefined;
  /** Applies to this share of the requests, 0 to 1. @default 1 */
  readonly probability?: number | undefined;
  /** Applies only to the requests for which this returns true. @default all */
  readonly when?: ((request: Request) => boolean) | undefined;
}

interface Entry<Fault, Request> {
  readonly fault: Fault;
  readonly probability: number;
  readonly when: (request: Request) => boolean;
  left: number;
}

/**
 * Chooses the fault for each request. Faults with `times` come first, in the order in which they
 * were set; then those that apply until cleared, the newest first.
 */
export class FaultScript<Fault, Request> {
  readonly #random: () => number;
  #counted: Entry<Fault, Request>[] = [];
  #standing: Entry<Fault, Request>[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  add(fault: Fault, rule: FaultRule<Request> = {}): void {
    const { times, probability = 1, when = () => true } = rule;
    if (times !== undefined && !(Number.isInteger(times) && times > 0)) {
      throw expected("times", "to be a positive integer", word(times));
    }
    checkNumber("probability", probability, { min: 0, max: 1 });
    const entry = { fault, probability, when, left: times ?? Number.POSITIVE_INFINITY };
    if (times === undefined) this.#standing.unshift(entry);
    else this.#counted.push(entry);
  }

  /** Returns the fault for this request, and counts it against the fault's `times`. */
  take(request: Request): Fault | undefined {
    const applies = (entry: Entry<Fault, Request>) =>
      entry.when(request) && (entry.probability === 1 || this.#random() < entry.probability);
    const entry = this.#counted.find(applies) ?? this.#standing.find(applies);
    if (!entry) return undefined;
    entry.left -= 1;
    this.#counted = this.#counted.filter(({ left }) => left > 0);
    return entry.fault;
  }

  clear(): void {
    this.#counted = [];
    this.#standing = [];
  }
}

/** How many requests pass in any window of this length. */
export interface RateLimit {
  /** Number of requests that get a response in each window. */
  readonly requests: number;
  /** Length of a window, in seconds. */
  readonly windowSeconds: number;
}

/** Returns a function that counts one request and reports whether it is over the limit. */
export function createRateLimit(limit: RateLimit, now: () => number): () => boolean {
  if (!(limit.requests >= 0 && limit.windowSeconds > 0)) {
    throw new TypeError(
      `Expected \`limit\` to have \`requests\` >= 0 and \`windowSeconds\` > 0, got ${JSON.stringify(limit)}`,
    );
  }
  let passed: number[] = [];
  return () => {
    const at = now();
    passed = passed.filter((time) => time > at - limit.windowSeconds * 1000);
    if (passed.length >= limit.requests) return true;
    passed.push(at);
    return false;
  };
}

/** @throws TypeError that lists the known values. */
export function checkOneOf(name: string, value: unknown, known: readonly string[]): void {
  if (known.some((each) => each === value)) return;
  throw expected(name, `to be one of ${known.join(", ")}`, word(value));
}

/** @throws TypeError for a value that isn't the status of a final response; `undefined` passes. */
export function checkHttpStatus(value: unknown): void {
  if (value === undefined || (Number.isInteger(value) && isFinal(value as number))) return;
  throw expected("httpStatus", "to be a whole number from 200 to 599", word(value));
}

function isFinal(status: number): boolean {
  return status >= 200 && status <= 599;
}

interface Waits {
  readonly delayMs?: number | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** @throws TypeError for a negative time or one that isn't a number; `undefined` passes. */
export function checkWaits({ delayMs, retryAfterSeconds }: Waits): void {
  checkNumber("delayMs", delayMs, { min: 0, max: MAX_TIMER_MS });
  checkNumber("retryAfterSeconds", retryAfterSeconds, { min: 0, max: MAX_TIMER_MS });
}
