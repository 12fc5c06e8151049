import { MAX_TIMER_MS } from "../runtime/clock.js";
import { expected, resolveNumber, word } from "../runtime/validators.js";

/** @throws TypeError that lists what is known. */
export function checkOneOf(name: string, value: unknown, known: readonly string[]): void {
  if (known.some((each) => each === value)) return;
  throw expected(name, `to be one of ${known.join(", ")}`, word(value));
}

/** @throws TypeError for what is no status of a final answer, if one is given. */
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

/** @throws TypeError for a time that is negative or no number, if one is given. */
export function checkWaits({ delayMs, retryAfterSeconds }: Waits): void {
  resolveNumber("delayMs", delayMs, 0, 0, MAX_TIMER_MS);
  resolveNumber("retryAfterSeconds", retryAfterSeconds, 0, 0, MAX_TIMER_MS);
}
