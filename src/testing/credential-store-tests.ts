import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type {
  CredentialStore,
  StoredCredentials,
  StoredRefusal,
  StoreLease,
} from "../model/credential-store.js";

/** The options of {@link testCredentialStore}. */
export interface CredentialStoreTests {
  /** Declares one test: the `test` of Node, Vitest, Jest or Mocha. */
  readonly test: (name: string, run: () => Promise<void>) => unknown;
  /**
   * Makes a store. All stores that it makes must share what is stored, as the stores of two processes
   * do. It is called several times in one test.
   */
  readonly createStore: () => CredentialStore | Promise<CredentialStore>;
}

const LEASE_MS = 60_000;
const TTL_MS = 900_000;

/**
 * Declares the tests that every {@link CredentialStore} must pass. Each test uses keys of its own, so
 * that what is stored need not be cleared between them. One of the tests waits for more than a second.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { fileStore } from "resilient-sts/stores";
 * import { testCredentialStore } from "resilient-sts/testing";
 *
 * testCredentialStore({ test, createStore: () => fileStore() });
 * ```
 */
export function testCredentialStore({ test, createStore }: CredentialStoreTests): void {
  const pair = async () => {
    const [one, other] = await Promise.all([createStore(), createStore()]);
    return { one, other, key: randomBytes(32).toString("base64url") };
  };

  test("an empty key has no values and no lease", async () => {
    const { one, key } = await pair();
    equal(one.name.length > 0, true);
    const { credentials, refusal, isLeased, problem } = await one.read(key);
    deepEqual([credentials, refusal, isLeased, problem], [undefined, undefined, false, undefined]);
  });

  test("another process reads exactly what was published", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    const credentials = someCredentials(key);
    const refusal = someRefusal(key);
    equal(await one.publish(credentials, lease, TTL_MS), true);
    equal(await one.publish(refusal, lease, TTL_MS), true);
    const entry = await other.read(key);
    deepEqual(plain(entry.credentials), plain(credentials));
    deepEqual(plain(entry.refusal), plain(refusal));
    const ttlMs = entry.credentialsTtlMs ?? TTL_MS;
    ok(ttlMs > 0 && ttlMs <= TTL_MS, `credentialsTtlMs is ${ttlMs}`);
  });

  test("credentials without a session token, an account or a region come back as they are", async () => {
    const { one, other, key } = await pair();
    const { sessionToken: _, accountId: __, region: ___, ...bare } = someCredentials(key);
    equal(await one.publish(bare, await claimed(one, key), TTL_MS), true);
    deepEqual(plain((await other.read(key)).credentials), bare);
  });

  test("what is published under one key is not found under another", async () => {
    const { one, other, key } = await pair();
    await one.publish(someCredentials(key), await claimed(one, key), TTL_MS);
    const { credentials, isLeased } = await other.read(`${key.slice(0, -1)}_`);
    deepEqual([credentials, isLeased], [undefined, false]);
  });

  test("of many processes that claim at the same time, exactly one gets the lease", async () => {
    const { one, other, key } = await pair();
    const claims = Array.from({ length: 20 }, (_, number) =>
      (number % 2 === 0 ? one : other).claim(key, LEASE_MS),
    );
    const leases = (await Promise.all(claims)).filter((lease) => lease !== undefined);
    equal(leases.length, 1);
    equal((await other.read(key)).isLeased, true);
    equal(await other.claim(key, LEASE_MS), undefined);
  });

  test("a released lease can be claimed, with a higher fence", async () => {
    const { one, other, key } = await pair();
    let last = await claimed(one, key);
    for (const store of [other, one, other]) {
      await one.release(last);
      equal((await store.read(key)).isLeased, false);
      const next = await claimed(store, key);
      ok(next.fence > last.fence, `${next.fence} is not higher than ${last.fence}`);
      notEqual(next.owner, last.owner);
      last = next;
    }
  });

  test("a lease that expired can be claimed, and its holder can't extend or release the next one", async () => {
    const { one, other, key } = await pair();
    const lapsed = await claimed(one, key, 200);
    const next = await claimed(other, key);
    ok(next.fence > lapsed.fence);
    equal(await one.extend(lapsed, LEASE_MS), false);
    await one.release(lapsed);
    equal((await one.read(key)).isLeased, true);
  });

  test("a lease that was released can't be extended", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    await one.release(lease);
    equal(await one.extend(lease, LEASE_MS), false);
    equal((await other.read(key)).isLeased, false);
  });

  test("an extended lease does not expire at its first end", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key, 1_000);
    equal(await one.extend(lease, LEASE_MS), true);
    await setTimeout(1_200);
    equal(await other.claim(key, LEASE_MS), undefined);
    equal(await one.extend(lease, LEASE_MS), true);
  });

  test("credentials that expire later replace the stored ones, and no others do", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    const first = someCredentials(key);
    const sooner = { ...someCredentials(key), expiresAt: first.expiresAt - 1 };
    const later = { ...someCredentials(key), expiresAt: first.expiresAt + 1 };
    equal(await one.publish(first, lease, TTL_MS), true);
    equal(await one.publish(sooner, lease, TTL_MS), false);
    equal((await other.read(key)).credentials?.accessKeyId, first.accessKeyId);
    equal(await one.publish(later, lease, TTL_MS), true);
    equal((await other.read(key)).credentials?.accessKeyId, later.accessKeyId);
  });

  test("an earlier holder does not replace what a later one published", async () => {
    const { one, other, key } = await pair();
    const early = await claimed(one, key);
    await one.release(early);
    const late = await claimed(other, key);
    const newer = someCredentials(key);
    equal(await other.publish(newer, late, TTL_MS), true);
    const delayed = { ...someCredentials(key), expiresAt: newer.expiresAt + 1_000 };
    equal(await one.publish(delayed, early, TTL_MS), false);
    equal((await one.read(key)).credentials?.accessKeyId, newer.accessKeyId);
  });

  test("what is published without a lease is read by others, and replaces nothing that expires later", async () => {
    const { one, other, key } = await pair();
    const first = someCredentials(key);
    equal(await one.publish(first, undefined, TTL_MS), true);
    equal((await other.read(key)).credentials?.accessKeyId, first.accessKeyId);
    const sooner = { ...someCredentials(key), expiresAt: first.expiresAt - 1 };
    equal(await other.publish(sooner, undefined, TTL_MS), false);
    const later = { ...someCredentials(key), expiresAt: first.expiresAt + 1 };
    equal(await other.publish(later, undefined, TTL_MS), true);
    equal((await one.read(key)).credentials?.accessKeyId, later.accessKeyId);
  });

  test("what is published without a lease does not end the lease, and its holder can replace it", async () => {
    const { one, other, key } = await pair();
    const early = await claimed(one, key);
    await one.release(early);
    const late = await claimed(one, key);
    const base = someCredentials(key);
    const later = (ms: number) => ({ ...someCredentials(key), expiresAt: base.expiresAt + ms });
    equal(await one.publish(base, late, TTL_MS), true);
    equal(await other.publish(later(1), undefined, TTL_MS), true);
    equal(await other.claim(key, LEASE_MS), undefined);
    equal(await one.extend(late, LEASE_MS), true);
    equal(await one.publish(later(2), early, TTL_MS), false);
    const last = later(3);
    equal(await one.publish(last, late, TTL_MS), true);
    equal((await other.read(key)).credentials?.accessKeyId, last.accessKeyId);
  });

  test("a refusal leaves stored credentials unchanged, and credentials leave a refusal unchanged", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    await one.publish(someRefusal(key), lease, TTL_MS);
    await one.publish(someCredentials(key), lease, TTL_MS);
    await one.publish({ ...someRefusal(key), expiresAt: Date.now() + 2 * TTL_MS }, lease, TTL_MS);
    const { credentials, refusal } = await other.read(key);
    deepEqual([credentials?.kind, refusal?.kind], ["credentials", "refusal"]);
  });

  test("a value is not returned after its ttl", async () => {
    const { one, other, key } = await pair();
    await one.publish(someCredentials(key), await claimed(one, key), 200);
    // Not a limit: the loop ends as soon as the value is gone.
    while ((await other.read(key)).credentials !== undefined) await setTimeout(20);
    equal((await one.read(key)).credentials, undefined);
  });

  test("credentials are removed by their access key ID, and by no other ID", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    const stored = someCredentials(key);
    await one.publish(stored, lease, TTL_MS);
    await other.remove(key, "ASIAOTHER");
    equal((await one.read(key)).credentials?.accessKeyId, stored.accessKeyId);
    await other.remove(key, stored.accessKeyId);
    equal((await one.read(key)).credentials, undefined);
    equal(await one.publish({ ...stored, accessKeyId: "ASIANEXT" }, lease, TTL_MS), true);
    equal((await other.read(key)).credentials?.accessKeyId, "ASIANEXT");
  });

  test("processes that read while others publish see either whole value", async () => {
    const { one, other, key } = await pair();
    const lease = await claimed(one, key);
    const base = someCredentials(key);
    await one.publish(base, lease, TTL_MS);
    const publishing = (async () => {
      for (let number = 1; number <= 30; number += 1) {
        const text = String(number).repeat(1_000);
        const next = { ...base, sessionToken: text, expiresAt: base.expiresAt + number };
        await one.publish(next, lease, TTL_MS);
      }
    })();
    for (let number = 0; number < 60; number += 1) {
      const { credentials, problem } = await other.read(key);
      equal(problem, undefined);
      if (credentials === undefined || credentials.expiresAt === base.expiresAt) continue;
      const text = String(credentials.expiresAt - base.expiresAt).repeat(1_000);
      equal(credentials.sessionToken, text);
    }
    await publishing;
  });
}

/** Claims as soon as no other lease is held. */
async function claimed(
  store: CredentialStore,
  key: string,
  leaseMs = LEASE_MS,
): Promise<StoreLease> {
  for (;;) {
    const lease = await store.claim(key, leaseMs);
    if (lease !== undefined) return lease;
    await setTimeout(20);
  }
}

function someCredentials(key: string): StoredCredentials {
  return {
    kind: "credentials",
    key,
    roleArn: "arn:aws:iam::123456789012:role/app",
    issuedAt: Date.now(),
    expiresAt: Date.now() + TTL_MS,
    accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString("base64"),
    sessionToken: randomBytes(600).toString("base64"),
    accountId: "123456789012",
    region: "eu-west-1",
  };
}

function someRefusal(key: string): StoredRefusal {
  return {
    kind: "refusal",
    key,
    roleArn: "arn:aws:iam::123456789012:role/app",
    issuedAt: Date.now(),
    expiresAt: Date.now() + 5_000,
    code: "AccessDenied",
    message: "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    httpStatus: 403,
    requestId: "4f8c1d3e-0000-4000-8000-000000000000",
  };
}

/** Without members that are undefined: they count as absent. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
