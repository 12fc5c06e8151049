/** How many requests pass in any window of time. */
export interface RateLimit {
  readonly requests: number;
  readonly windowSeconds: number;
}

/** Returns a function that counts one request and tells whether it is over the limit. */
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
