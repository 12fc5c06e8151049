const NONE = -1;

/**
 * The queue of a simulation in which every member waits for at most one event. Members come out in order
 * of time, and members of the same millisecond in the order in which they were added. A heap would take
 * more time than the rest of the simulation.
 */
export class EventWheel {
  /** First and last member of every millisecond of the span. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #following: Int32Array;
  readonly #span: number;
  #now = 0;
  #waiting = 0;

  /** @param spanMs - longer than the longest wait; rounded up to a power of two. */
  constructor(members: number, spanMs: number) {
    this.#span = 2 ** Math.ceil(Math.log2(spanMs));
    this.#first = new Int32Array(this.#span).fill(NONE);
    this.#last = new Int32Array(this.#span).fill(NONE);
    this.#following = new Int32Array(members).fill(NONE);
  }

  /** Milliseconds since the start: the time of the member that came out last. */
  get now(): number {
    return this.#now;
  }

  /** How many members wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Lets a member wait until `atMs`; a time that has passed means now. It must not wait already. */
  schedule(member: number, atMs: number): void {
    const at = Math.max(this.#now, Math.round(atMs));
    if (at - this.#now >= this.#span) throw new RangeError(`${at} ms is beyond the wheel's span`);
    const slot = at & (this.#span - 1);
    const last = this.#last[slot] as number;
    if (last === NONE) this.#first[slot] = member;
    else this.#following[last] = member;
    this.#last[slot] = member;
    this.#following[member] = NONE;
    this.#waiting += 1;
  }

  /** Removes and returns the next member, and advances time to its event; nothing if no member waits. */
  next(): number | undefined {
    if (this.#waiting === 0) return undefined;
    for (;;) {
      const slot = this.#now & (this.#span - 1);
      const member = this.#first[slot] as number;
      if (member !== NONE) {
        const following = this.#following[member] as number;
        this.#first[slot] = following;
        if (following === NONE) this.#last[slot] = NONE;
        this.#waiting -= 1;
        return member;
      }
      this.#now += 1;
    }
  }
}
