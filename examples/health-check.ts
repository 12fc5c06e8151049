/*
 * A service that reports the state of its credentials at /healthz, from status(). A failed refresh is a
 * warning for as long as the cached credentials are valid. For metrics, see `opentelemetry.ts`.
 */
import { createServer } from "node:http";
import { fromTokenFile } from "resilient-sts";

const credentials = fromTokenFile();

function health(): { httpStatus: number; body: object } {
  const { state, expiresAt, refreshing, nextRefreshAllowedAt, lastError } = credentials.status();
  const usable = state !== "empty" && state !== "expired";
  return {
    httpStatus: usable ? 200 : 503,
    body: {
      credentials: state,
      expiration: asDate(expiresAt),
      refreshing,
      nextRefreshAllowedAt: asDate(nextRefreshAllowedAt),
      // Neither contains a token or a secret.
      problem: lastError && { code: lastError.code, hint: lastError.hint },
    },
  };
}

function asDate(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms);
}

const server = createServer((request, response) => {
  if (request.url === "/healthz") {
    const { httpStatus, body } = health();
    response.writeHead(httpStatus, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  } else {
    response.writeHead(404).end();
  }
});

// Get credentials at the start, so that the first request does not wait. /healthz reports a failure.
credentials().catch(() => {});
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST, () => {
  const address = server.address();
  console.log(`listening on port ${typeof address === "object" ? address?.port : address}`);
});
process.once("SIGTERM", () => {
  server.close();
  credentials.close();
});
