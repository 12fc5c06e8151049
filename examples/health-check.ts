/*
 * A service that shows how its credentials are: /healthz from status(), /metrics from the events.
 * A failed refresh is a warning for as long as the cached credentials are valid.
 */
import { createServer } from "node:http";
import { fromTokenFile, type WebIdentityEvent } from "resilient-sts";

const counts = new Map<string, number>();

function count(event: WebIdentityEvent): void {
  const label = event.type === "attempt.failed" ? `,verdict="${event.verdict}"` : "";
  const series = `sts_events_total{type="${event.type}"${label}}`;
  counts.set(series, (counts.get(series) ?? 0) + 1);
}

const credentials = fromTokenFile({ onEvent: count });

function health(): { httpStatus: number; body: object } {
  const { state, expiration, refreshing, nextRefreshAllowedAt, lastError } = credentials.status();
  const usable = state !== "empty" && state !== "expired";
  return {
    httpStatus: usable ? 200 : 503,
    body: {
      credentials: state,
      expiration,
      refreshing,
      nextRefreshAllowedAt:
        nextRefreshAllowedAt === undefined ? undefined : new Date(nextRefreshAllowedAt),
      // Code and hint hold no token and no secret.
      problem: lastError && { code: lastError.code, hint: lastError.hint },
    },
  };
}

function metrics(): string {
  const { expiration } = credentials.status();
  const left = expiration === undefined ? 0 : (expiration.getTime() - Date.now()) / 1000;
  const lines = [...counts].map(([series, value]) => `${series} ${value}`);
  return [...lines, `sts_credentials_seconds_left ${left.toFixed(0)}`, ""].join("\n");
}

const server = createServer((request, response) => {
  if (request.url === "/healthz") {
    const { httpStatus, body } = health();
    response.writeHead(httpStatus, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  } else if (request.url === "/metrics") {
    response.end(metrics());
  } else {
    response.writeHead(404).end();
  }
});

// Fetched at the start, so that the first request need not wait. A failure shows in /healthz.
credentials().catch(() => {});
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST, () => {
  const address = server.address();
  console.log(`listening on port ${typeof address === "object" ? address?.port : address}`);
});
process.once("SIGTERM", () => {
  server.close();
  credentials.close();
});
