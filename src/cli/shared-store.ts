/** The options for sharing credentials with other processes, and the store that they describe. */
import { open } from "node:fs/promises";
import { resolve } from "node:path";
import type { CredentialStore } from "../model/credential-store.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { safeText } from "../runtime/redact.js";
import { wrongUsage } from "./command.js";
import { type OptionSpec, quoted, splitOnce } from "./command-spec.js";

/** Rows for {@link CommandSpec.options}. */
export const STORE_OPTIONS = {
  store: {
    type: "string",
    value: "STORE",
    complete: ["file", "redis://", "rediss://"],
    help: "Share credentials, so that one process refreshes them for all: file or file:DIR for the processes of this user, redis://HOST or rediss://HOST for a fleet. Default: RESILIENT_STS_STORE, where the URL may contain a password.",
  },
  "store-keys": {
    type: "string",
    value: "FILE",
    complete: "file",
    help: "File with the keys that encrypt values in Redis, one ID:KEY per line; mode 0600. Default: RESILIENT_STS_STORE_KEYS, which separates them by commas.",
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

export const STORE_OPTION_NAMES = Object.keys(STORE_OPTIONS) as (keyof typeof STORE_OPTIONS)[];

/** Values of {@link STORE_OPTIONS}. */
export type StoreValues = { readonly [Name in keyof typeof STORE_OPTIONS]?: string | undefined };

/** A store. Disposing of it ends its connection. */
export interface OpenedStore extends AsyncDisposable {
  /** `undefined` when nothing is shared. */
  readonly store: CredentialStore | undefined;
  /** Settles with the first connection, or with the first error. The store keeps trying to connect. */
  readonly connected?: Promise<unknown> | undefined;
}

/** The store that the options and the environment describe, as checked plain data. */
export type StoreChoice =
  | { readonly kind: "file"; readonly directory: string | undefined }
  | { readonly kind: "redis"; readonly url: string; readonly keys: readonly StoreKey[] };

/** Separates this program's keys from others in the same Redis. */
const NAMESPACE = "resilient-sts";

/** Opens the store that the options or the environment name. @throws CommandFailure when that is impossible. */
export async function openSharedStore(values: StoreValues, env: Environment): Promise<OpenedStore> {
  return await openStore(await readStoreChoice(values, env));
}

/** @throws CommandFailure for a store or keys that can't be used. */
export async function readStoreChoice(
  values: StoreValues,
  env: Environment,
): Promise<StoreChoice | undefined> {
  const named = values.store ?? readVariable(env, "RESILIENT_STS_STORE");
  if (named === undefined) return undefined;
  const [kind = "", place] = splitOnce(named, ":");
  if (kind === "file") {
    return { kind, directory: place === undefined || place === "" ? undefined : resolve(place) };
  }
  if ((kind !== "redis" && kind !== "rediss") || !URL.canParse(named)) {
    throw wrongUsage("--store takes file, file:DIR, redis://HOST or rediss://HOST");
  }
  if (values.store !== undefined && new URL(named).password !== "") {
    throw wrongUsage(
      "every user of this machine can read a password on the command line; put the URL into RESILIENT_STS_STORE",
    );
  }
  return { kind: "redis", url: named, keys: await readKeys(values["store-keys"], env) };
}

/** @throws CommandFailure when the Redis client isn't installed. */
export async function openStore(choice: StoreChoice | undefined): Promise<OpenedStore> {
  const nothing = { [Symbol.asyncDispose]: async () => {} };
  if (choice === undefined) return { store: undefined, ...nothing };
  if (choice.kind === "redis") return await openRedis(choice.url, choice.keys);
  const { fileStore } = await import("../stores/file-store.js");
  return { store: fileStore({ directory: choice.directory }), ...nothing };
}

async function openRedis(url: string, keys: readonly StoreKey[]): Promise<OpenedStore> {
  rememberSecret(new URL(url).password);
  const { createClient } = await import("@redis/client").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw wrongUsage(
      "--store redis:// needs the package @redis/client, which is not installed; run: npm install @redis/client, in the directory where resilient-sts is installed",
    );
  });
  const client = createClient({ url });
  const connected = new Promise((resolve, reject) => {
    client.once("ready", resolve);
    // The provider reports a failed store as an event. The client keeps trying to connect.
    client.on("error", reject);
  });
  connected.catch(() => {});
  client.connect().catch(() => {});
  const { redisStore } = await import("../stores/redis-store.js");
  return {
    store: redisStore({ client, keys, namespace: NAMESPACE }),
    connected,
    async [Symbol.asyncDispose]() {
      if (client.isOpen) client.destroy();
    },
  };
}

interface StoreKey {
  readonly id: string;
  readonly key: string;
}

async function readKeys(file: string | undefined, env: Environment): Promise<StoreKey[]> {
  const text = file === undefined ? env.RESILIENT_STS_STORE_KEYS : await readKeyFile(file);
  const entries = (text ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  if (entries.length > 0) {
    return entries.map((entry) => {
      const [id = "", key = ""] = splitOnce(entry, ":");
      return { id, key };
    });
  }
  throw wrongUsage(
    "--store redis:// needs keys: set RESILIENT_STS_STORE_KEYS to ID:KEY, or name a file with --store-keys; openssl rand -base64 32 | tr '+/' '-_' | tr -d '=' generates a key",
  );
}

/** Any user who can read the keys can read the credentials of the fleet. */
async function readKeyFile(path: string): Promise<string> {
  const named = quoted(path);
  const file = await open(path, "r").catch(({ code }: NodeJS.ErrnoException) => {
    throw wrongUsage(`the file of --store-keys, ${named}, can't be read: ${code}`);
  });
  try {
    const { mode } = await file.stat();
    if (process.getuid !== undefined && (mode & 0o077) !== 0) {
      throw wrongUsage(`${named} is open to other users; run: chmod 600 ${safeText(path, 200)}`);
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
