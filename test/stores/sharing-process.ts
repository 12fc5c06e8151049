import { createClient } from "@redis/client";
import { fromWebToken } from "../../src/index.js";
import { fileStore, redisStore } from "../../src/stores/index.js";

/** What a test wants of a process that shares credentials with others. */
export interface SharingInstructions {
  readonly webIdentityToken: string;
  readonly roleArn: string;
  readonly endpoint: string;
  /** A folder, a Redis, or neither: a process without a store. */
  readonly directory?: string;
  readonly redisUrl?: string;
  readonly key: string;
  /** How many different credentials to see before the process reports. */
  readonly refreshes: number;
}

/** What the process reports, by IPC. */
export interface SharingReport {
  /** Until the first credentials, in milliseconds. */
  readonly ms: number;
  readonly accessKeyIds: readonly string[];
  /** When a caller got credentials that had expired. */
  readonly expired: number;
  /** What failed in the store. */
  readonly failures: readonly string[];
}

const instructions = JSON.parse(process.argv[2] ?? "") as SharingInstructions;
const { webIdentityToken, roleArn, endpoint, directory, redisUrl, key, refreshes } = instructions;

const store = await connect();
const failures: string[] = [];
const credentials = fromWebToken({
  webIdentityToken,
  roleArn,
  preflight: "off",
  clientConfig: { endpoint, region: "eu-west-1" },
  ...(store && { store }),
  onEvent: (event) => {
    if (event.type === "store.failed") failures.push(`${event.operation}: ${event.message}`);
  },
});
process.once("message", () => void share());
process.send?.("ready");

async function connect() {
  if (directory !== undefined) return fileStore({ directory });
  if (redisUrl === undefined) return undefined;
  const client = createClient({ url: redisUrl });
  client.on("error", () => {});
  // To a closed port this never settles: the store has its own limit.
  await Promise.race([client.connect(), new Promise((resolve) => setTimeout(resolve, 500))]);
  return redisStore({ client, keys: [{ id: "k", key }], namespace: "processes" });
}

async function share(): Promise<void> {
  const start = performance.now();
  await credentials();
  const ms = performance.now() - start;
  const seen = new Set<string>();
  let expired = 0;
  for (;;) {
    const { accessKeyId, expiration } = await credentials();
    seen.add(accessKeyId);
    if (expiration !== undefined && expiration.getTime() < Date.now() - 1_000) expired += 1;
    if (seen.size >= refreshes) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  process.send?.({ ms, accessKeyIds: [...seen], expired, failures } satisfies SharingReport);
}
