import type { JsonWebKey } from "node:crypto";
import { generateSigningKey, type SigningAlgorithm, type SigningKey } from "./signing-key.js";

/** Which key to add to the IdP. */
export interface AddKeyOptions {
  /** @default the algorithm the IdP was started with */
  readonly algorithm?: SigningAlgorithm;
  /** @default the key's thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Shows the key in the JWKS. @default true */
  readonly publish?: boolean;
}

/** How to rotate the keys of the IdP. */
export interface RotateKeysOptions {
  /** @default the algorithm the IdP was started with */
  readonly algorithm?: SigningAlgorithm;
  /** @default the key's thumbprint (RFC 7638) */
  readonly kid?: string;
  /** Leaves the earlier keys in the JWKS, as a careful IdP does. @default true */
  readonly keepOldKeys?: boolean;
  /** Shows the new key in the JWKS; false is a rotation that has not spread yet. @default true */
  readonly publish?: boolean;
}

/** The keys of the IdP: which one signs, and which ones the JWKS shows. */
export class KeyRing {
  readonly #algorithm: SigningAlgorithm;
  readonly #keys = new Map<string, SigningKey>();
  #published = new Set<string>();
  #current: SigningKey;

  private constructor(first: SigningKey) {
    this.#algorithm = first.algorithm;
    this.#current = first;
    this.#keys.set(first.kid, first);
    this.#published.add(first.kid);
  }

  static async create(algorithm: SigningAlgorithm, kid?: string): Promise<KeyRing> {
    return new KeyRing(await generateSigningKey(algorithm, kid));
  }

  get algorithm(): SigningAlgorithm {
    return this.#algorithm;
  }

  get current(): SigningKey {
    return this.#current;
  }

  get jwks(): { keys: JsonWebKey[] } {
    const keys = [...this.#keys.values()].filter(({ kid }) => this.#published.has(kid));
    return { keys: keys.map(({ jwk }) => ({ ...jwk })) };
  }

  /** @throws TypeError when there is no such key. */
  get(kid: string): SigningKey {
    const key = this.#keys.get(kid);
    if (!key)
      throw new TypeError(`Expected \`key\` to be the kid of a key of this IdP, got ${kid}`);
    return key;
  }

  async add(options: AddKeyOptions = {}): Promise<SigningKey> {
    const key = await generateSigningKey(options.algorithm ?? this.#algorithm, options.kid);
    this.#keys.set(key.kid, key);
    if (options.publish ?? true) this.#published.add(key.kid);
    else this.#published.delete(key.kid);
    return key;
  }

  async rotate(options: RotateKeysOptions = {}): Promise<SigningKey> {
    const { keepOldKeys = true, ...which } = options;
    const old = this.#published;
    this.#published = new Set();
    this.#current = await this.add(which);
    if (keepOldKeys) this.#published = new Set([...old, ...this.#published]);
    return this.#current;
  }

  /** Shows in the JWKS a key that was added or rotated in without it. */
  publish(kid: string): void {
    this.#published.add(this.get(kid).kid);
  }
}
