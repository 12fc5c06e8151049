/** How early credentials are refreshed; both counted back from their expiration, in milliseconds. */
export interface Windows {
  /** From here on a refresh runs behind the answer. */
  readonly advisoryMs: number;
  /** From here on callers wait for the refresh, if only for a moment. */
  readonly mandatoryMs: number;
}

export interface WindowOptions {
  /**
   * Seconds before the expiration from which a refresh runs behind the answer; 0 to 43,200. A random
   * part of up to a third comes on top, or off where that would be before half of the lifetime, so
   * that a fleet that started together refreshes apart.
   * @default by the lifetime of the credentials: 300, 900 or 3600
   */
  readonly advisoryWindowSeconds?: number | undefined;
  /**
   * Seconds before the expiration from which callers wait for the refresh, 100 ms at most; 0 to
   * 43,200, and no more than the advisory window.
   * @default 60
   */
  readonly mandatoryWindowSeconds?: number | undefined;
}

const MINUTE_MS = 60_000;

/** What the AWS SDKs for Go, Java, Rust and Python settled on in 2026. */
const LONG_LIVED: readonly (readonly [lifetimeMs: number, windowMs: number])[] = [
  [90 * MINUTE_MS, 60 * MINUTE_MS],
  [20 * MINUTE_MS + 1, 15 * MINUTE_MS],
];
const SHORT_LIVED_MS = 5 * MINUTE_MS;

const MANDATORY_MS = MINUTE_MS;

/**
 * The windows of credentials that live for `lifetimeMs`. Neither is longer than half of the
 * lifetime, or sessions of a few minutes would be refreshed all the time; only the table's 15 and
 * 60 minutes stand as they are from the lifetime on that they are for, as the SDKs' shared tests have
 * it (15 minutes at 20.5).
 */
export function windowsFor(lifetimeMs: number, options: WindowOptions): Windows {
  const half = Math.max(0, lifetimeMs / 2);
  const configured = seconds(options.advisoryWindowSeconds);
  const advisoryMs =
    configured === undefined ? byLifetime(lifetimeMs, half) : Math.min(configured, half);
  const mandatory = seconds(options.mandatoryWindowSeconds) ?? MANDATORY_MS;
  return { advisoryMs, mandatoryMs: Math.min(mandatory, advisoryMs, half) };
}

function byLifetime(lifetimeMs: number, half: number): number {
  const row = LONG_LIVED.find(([least]) => lifetimeMs >= least);
  return row?.[1] ?? Math.min(SHORT_LIVED_MS, half);
}

/**
 * When the advisory window of one set of credentials begins, in milliseconds before they expire:
 * somewhere in a stretch a third as long as the window. The stretch lies before the window; what of
 * it would come before half of the lifetime lies at the window's begin instead, but never in the
 * mandatory window.
 *
 * @param random - uniform in [0, 1).
 */
export function jitteredAdvisoryMs(
  advisoryMs: number,
  lifetimeMs: number,
  random: () => number,
  mandatoryMs = 0,
): number {
  const stretch = advisoryMs / 3;
  const before = Math.max(0, Math.min(stretch, lifetimeMs / 2 - advisoryMs));
  const after = Math.max(0, Math.min(stretch - before, advisoryMs - mandatoryMs));
  const place = (before + after) * random();
  return advisoryMs + (place <= before ? place : before - place);
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}
