import { createHmac } from "node:crypto";
import { types } from "node:util";
import type { StoredValue } from "../model/credential-store.js";
import { rememberSecret } from "../runtime/known-secrets.js";
import { readField } from "../runtime/redact.js";
import { checkKeys, expected } from "../runtime/validators.js";
import { MAX_VALUE_BYTES, parseStoredValue } from "./store-entry.js";

/** One key of a ring. */
export interface StoreKeyOptions {
  /** Names the key inside values; 1 to 64 letters, digits or `._-`. It is readable in the store. */
  readonly id: string;
  /** 32 bytes, or their base64url. `openssl rand -base64 32 | tr '+/' '-_' | tr -d '='` makes one. */
  readonly key: Uint8Array | string;
}

/** A list of keys, or a function that returns it. The first key encrypts; all of them decrypt. */
export type StoreKeys =
  | readonly StoreKeyOptions[]
  | (() => readonly StoreKeyOptions[] | Promise<readonly StoreKeyOptions[]>);

/** One key, ready for use. */
export interface RingKey {
  readonly id: string;
  /** For A256GCM. */
  readonly secret: Uint8Array;
  /** For names in the store. */
  readonly naming: Uint8Array;
}

/** The facts that a sealed value is bound to: if any of them changes, the value can't be read. */
export interface Seal {
  /** Its name in the store. */
  readonly name: string;
  readonly fence: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Separates these uses of the user's key from every other. */
const DOMAIN = "resilient-sts store v1";
const KEY_BYTES = 32;
const KEY_ID = /^[\w.-]{1,64}$/;

/** A function is called for new keys after this, in milliseconds. */
const RENEW_AFTER_MS = 60_000;

/**
 * The keys of a store. A function is called when the ring is created, and each minute while the store is
 * in use. If it fails or does not respond, the last keys stay in use.
 */
export class KeyRing {
  readonly #fetch: () => Promise<readonly RingKey[]>;
  readonly #now: () => number;
  #keys: readonly RingKey[] | undefined;
  #fetching: Promise<readonly RingKey[]> | undefined;
  #fetchedAt = 0;

  /** @throws TypeError for a list that can't be used. */
  constructor(keys: StoreKeys, now: () => number) {
    this.#now = now;
    if (typeof keys === "function") {
      this.#fetch = async () => toRing(await keys());
      // The first operation reports the error.
      this.#renew().catch(() => {});
    } else {
      const ring = toRing(keys);
      this.#keys = ring;
      this.#fetch = async () => ring;
    }
  }

  async read(): Promise<readonly RingKey[]> {
    const sinceMs = this.#now() - this.#fetchedAt;
    const isDue = sinceMs < 0 || sinceMs >= RENEW_AFTER_MS;
    const fetching = isDue ? this.#renew() : this.#fetching;
    if (this.#keys === undefined) return fetching ?? this.#renew();
    fetching?.catch(() => {});
    return this.#keys;
  }

  #renew(): Promise<readonly RingKey[]> {
    this.#fetchedAt = this.#now();
    const fetching = this.#fetch().then(
      (keys) => {
        // A later call may have returned before.
        if (this.#fetching === fetching) this.#keys = keys;
        return keys;
      },
      (error: unknown) => {
        if (this.#fetching === fetching) this.#fetching = undefined;
        throw error;
      },
    );
    this.#fetching = fetching;
    return fetching;
  }
}

/** @throws TypeError that names the key; never with a part of it. */
function toRing(keys: unknown): readonly RingKey[] {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw expected("keys", "to be an array of at least one `{ id, key }`", keys);
  }
  const ring = keys.map(toRingKey);
  const ids = ring.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined)
    throw new TypeError(`Expected \`keys\` to have the ID ${twice} only once.`);
  return ring;
}

function toRingKey(entry: unknown, index: number): RingKey {
  const name = `keys[${index}]`;
  checkKeys(name, entry ?? null, ["id", "key"]);
  const id = readField(entry, "id");
  if (typeof id !== "string" || !KEY_ID.test(id)) {
    throw expected(`${name}.id`, "to be 1 to 64 letters, digits or `._-`", id);
  }
  const key = readField(entry, "key");
  const secret = toBytes(key);
  if (typeof key === "string") rememberSecret(key);
  rememberSecret(secret);
  if (secret?.length !== KEY_BYTES) {
    throw expected(`${name}.key`, `to be ${KEY_BYTES} bytes, or their base64url`, undefined);
  }
  // Each use of the key has a key of its own (NIST SP 800-108).
  const derive = (use: string) => createHmac("sha256", secret).update(`${DOMAIN}: ${use}`).digest();
  return { id, secret: derive("values"), naming: derive("names") };
}

function toBytes(key: unknown): Uint8Array | undefined {
  if (types.isUint8Array(key)) return key;
  if (typeof key !== "string" || !/^[\w-]+=*$/.test(key)) return undefined;
  return Buffer.from(key, "base64url");
}

/** The name of a value in a store that others may read: only a process that has the key can find it. */
export function sealedName(storeKey: string, { naming }: RingKey): string {
  return createHmac("sha256", naming).update(storeKey).digest("base64url");
}

/** The value as a JWE in compact form (RFC 7516, `dir` and `A256GCM`). */
export async function seal(value: StoredValue, { id, secret }: RingKey, bound: Seal) {
  const { CompactEncrypt } = await import("jose");
  const { name, fence, expiresAt } = bound;
  return await new CompactEncrypt(Buffer.from(JSON.stringify(value)))
    .setProtectedHeader({
      alg: "dir",
      enc: "A256GCM",
      kid: id,
      cty: `${value.kind}+json`,
      name,
      fence,
      expiresAt,
    })
    .encrypt(secret);
}

/** The ID of the key that a value names; `undefined` if it is not a value of this library. */
export async function keyIdOf(jwe: string): Promise<string | undefined> {
  const { decodeProtectedHeader } = await import("jose");
  try {
    const { kid } = decodeProtectedHeader(jwe);
    return typeof kid === "string" && KEY_ID.test(kid) ? kid : undefined;
  } catch {
    return undefined;
  }
}

/** The value of a JWE that was sealed with this key for this name, or the problem with it. */
export async function unseal(
  jwe: string,
  { id, secret }: RingKey,
  name: string,
): Promise<Unsealed | { readonly problem: string }> {
  if (jwe.length > MAX_VALUE_BYTES) return { problem: "it is too long" };
  const { compactDecrypt } = await import("jose");
  const options = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };
  let decrypted: Awaited<ReturnType<typeof compactDecrypt>>;
  try {
    decrypted = await compactDecrypt(jwe, secret, options);
  } catch {
    // The exact reason would help only an attacker.
    return { problem: `it can't be decrypted with the key ${id}` };
  }
  const { protectedHeader: header, plaintext } = decrypted;
  if (header.name !== name) return { problem: "it was stored under another name" };
  const value = parseStoredValue(Buffer.from(plaintext).toString());
  if ("problem" in value) return value;
  const { fence, expiresAt } = header;
  const isBound = expiresAt === value.expiresAt && header.cty === `${value.kind}+json`;
  if (!isBound || !Number.isSafeInteger(fence))
    return { problem: "its header does not match its content" };
  return { value, fence: fence as number };
}

interface Unsealed {
  readonly value: StoredValue;
  readonly fence: number;
}
