/** How early credentials are refreshed; both counted back from their expiration, in milliseconds. */
export interface Windows {
  /** From here on a refresh runs behind the answer. */
  readonly advisoryMs: number;
  /** From here on callers wait for the refresh, if only for a moment. */
  readonly mandatoryMs: number;
}

export interface WindowOptions {
  /** @default by the lifetime of the credentials: 300, 900 or 3600 */
  readonly advisoryWindowSeconds?: number | undefined;
  /** @default 60 */
  readonly mandatoryWindowSeconds?: number | undefined;
}

const MINUTE_MS = 60_000;

/** What the AWS SDKs for Go, Java, Rust and Python settled on in 2026. */
const ADVISORY_BY_LIFETIME: readonly (readonly [lifetimeMs: number, windowMs: number])[] = [
  [90 * MINUTE_MS, 60 * MINUTE_MS],
  [20 * MINUTE_MS + 1, 15 * MINUTE_MS],
  [0, 5 * MINUTE_MS],
];

const MANDATORY_MS = MINUTE_MS;

/**
 * The windows of credentials that live for `lifetimeMs`. Neither is longer than half of the
 * lifetime: sessions of a few minutes would otherwise be refreshed all the time.
 */
export function windowsFor(lifetimeMs: number, options: WindowOptions): Windows {
  const half = Math.max(0, lifetimeMs / 2);
  const byLifetime = ADVISORY_BY_LIFETIME.find(([least]) => lifetimeMs >= least)?.[1] ?? 0;
  const advisory = seconds(options.advisoryWindowSeconds) ?? byLifetime;
  const mandatory = seconds(options.mandatoryWindowSeconds) ?? MANDATORY_MS;
  const advisoryMs = Math.min(advisory, half);
  return { advisoryMs, mandatoryMs: Math.min(mandatory, advisoryMs, half) };
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined ? undefined : value * 1000;
}
