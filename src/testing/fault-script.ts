import { expected, resolveNumber, word } from "../runtime/validators.js";

/** When a fault strikes. */
export interface FaultRule<Request> {
  /** Strikes this many requests, then is gone. @default standing until cleared */
  readonly times?: number | undefined;
  /** Strikes this share of the requests, 0 to 1. @default 1 */
  readonly probability?: number | undefined;
  /** Strikes only the requests for which this returns true. @default all */
  readonly when?: ((request: Request) => boolean) | undefined;
}

interface Entry<Fault, Request> {
  readonly fault: Fault;
  readonly probability: number;
  readonly when: (request: Request) => boolean;
  left: number;
}

/**
 * Which fault strikes which request. Faults with `times` come first, in the order they were set;
 * then the standing ones, the newest first.
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
    resolveNumber("probability", probability, 1, 0, 1);
    const entry = { fault, probability, when, left: times ?? Number.POSITIVE_INFINITY };
    if (times === undefined) this.#standing.unshift(entry);
    else this.#counted.push(entry);
  }

  /** The fault for this request; one that is counted is used up by it. */
  take(request: Request): Fault | undefined {
    const strikes = (entry: Entry<Fault, Request>) =>
      entry.when(request) && (entry.probability === 1 || this.#random() < entry.probability);
    const entry = this.#counted.find(strikes) ?? this.#standing.find(strikes);
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
