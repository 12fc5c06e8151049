import { createClient } from "@redis/client";
import { fromWebToken } from "../../src/index.js";
import type { StoredCredentials } from "../../src/model/credential-store.js";
import type { WebIdentityProvider } from "../../src/provider/web-identity-provider.js";
import { fileStore, redisStore } from "../../src/stores/index.js";

/** Instructions for a process that shares credentials with others. */
export interface SharingInstructions {
  readonly webIdentityToken: string;
  readonly roleArn: string;
  readonly endpoint: string;
  /** A folder, a Redis, or neither: a process without a store. */
  readonly directory?: string | undefined;
  readonly redisUrl?: string | undefined;
  /** The key that encrypts the values in Redis. */
  readonly key: string;
  /** How many different credentials to see before the process reports. */
  readonly refreshes: number;
}

/** Instructions to write one value after the other until the process is killed. */
export interface WriteInstructions {
  readonly writeTo: string;
  /** The value. Each one expires a millisecond after the one before. */
  readonly value: StoredCredentials;
}

/** The report of the process. */
export interface SharingReport {
  /** Until the first credentials, in milliseconds. */
  readonly ms: number;
  readonly accessKeyIds: readonly string[];
  /** How often a caller got credentials that had expired. */
  readonly expired: number;
  /** What failed in the store. */
  readonly failures: readonly string[];
}

/* The parent sends instructions, gets "ready", sends "go", and gets the report; many times. */

let prepared: Prepared | undefined;

interface Prepared {
  readonly credentials: WebIdentityProvider;
  readonly failures: string[];
  readonly refreshes: number;
  readonly end: () => void;
}

process.on("message", (message: SharingInstructions | WriteInstructions | "go") => {
  const work = () => {
    if (message === "go") return share();
    return "writeTo" in message ? write(message) : prepare(message);
  };
  work().then((report) => process.send?.(report));
});
process.send?.("ready");

async function prepare(instructions: SharingInstructions): Promise<"ready"> {
  const { webIdentityToken, roleArn, endpoint, refreshes } = instructions;
  prepared?.credentials.close();
  prepared?.end();
  const { store, end } = await connect(instructions);
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
  prepared = { credentials, failures, refreshes, end };
  return "ready";
}

async function connect({ directory, redisUrl, key }: SharingInstructions) {
  if (directory !== undefined) return { store: fileStore({ directory }), end: () => {} };
  if (redisUrl === undefined) return { store: undefined, end: () => {} };
  const client = createClient({ url: redisUrl });
  client.on("error", () => {});
  // To a closed port this never settles: the store has its own limit.
  await Promise.race([client.connect(), new Promise((resolve) => setTimeout(resolve, 500))]);
  const store = redisStore({ client, keys: [{ id: "k", key }], namespace: "processes" });
  const end = () => {
    if (client.isOpen) client.destroy();
  };
  return { store, end };
}

async function write({ writeTo, value }: WriteInstructions): Promise<never> {
  const store = fileStore({ directory: writeTo });
  for (let number = 1; ; number += 1) {
    const next = { ...value, expiresAt: value.expiresAt + number };
    await store.publish(next, undefined, 900_000);
  }
}

async function share(): Promise<SharingReport> {
  if (prepared === undefined) throw new Error("there were no instructions");
  const { credentials, failures, refreshes } = prepared;
  const start = performance.now();
  await credentials();
  const ms = performance.now() - start;
  const seen = new Set<string>();
  let expired = 0;
  for (;;) {
    const { accessKeyId, expiration } = await credentials();
    seen.add(accessKeyId);
    if (expiration !== undefined && expiration.getTime() < Date.now() - 1_000) expired += 1;
    if (seen.size >= refreshes) return { ms, accessKeyIds: [...seen], expired, failures };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
