/*
 * Processes that share credentials: one calls STS, and the others read its result. Run this program
 * twice: the second process reports that its credentials come from the store. On one host, use a directory:
 *
 *     npx resilient-sts emulate -- sh -c "npx tsx examples/shared-store.ts; npx tsx examples/shared-store.ts"
 *
 * For a fleet, use Redis. The key encrypts the stored credentials:
 *
 *     redis-server --port 6379 --save ''
 *     export REDIS_URL=redis://127.0.0.1:6379
 *     export STORE_KEY=$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')
 */
import { setTimeout as wait } from "node:timers/promises";
import { createClient } from "@redis/client";
import { fromTokenFile } from "resilient-sts";
import { fileStore, redisStore } from "resilient-sts/stores";

const { REDIS_URL, STORE_KEY = "" } = process.env;
const client = REDIS_URL === undefined ? undefined : createClient({ url: REDIS_URL });
client?.on("error", ({ message }) => console.error(`Redis: ${message}`));
// Without Redis, each process calls STS itself, so do not wait long for a connection.
await Promise.race([client?.connect(), wait(1_000, undefined, { ref: false })]);

const credentials = fromTokenFile({
  store:
    client === undefined
      ? fileStore()
      : redisStore({ client, namespace: "shop-dev", keys: [{ id: "2026-11", key: STORE_KEY }] }),
  onEvent(event) {
    if (event.type === "store.failed") console.error(`${event.operation}: ${event.message}`);
  },
});
const { expiration } = await credentials();
console.log(`Credentials from ${credentials.status().source}, until ${expiration?.toISOString()}`);

// Close the provider first: it may still be publishing the credentials.
await credentials[Symbol.asyncDispose]();
client?.destroy();
