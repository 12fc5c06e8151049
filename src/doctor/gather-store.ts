import { randomBytes } from "node:crypto";
import {
  type CredentialStore,
  type InspectableStore,
  type StoredCredentials,
  type StoreOperation,
  storeName,
} from "../model/credential-store.js";
import { withTimeout } from "../runtime/abort.js";
import { readField, safeCause, safeText } from "../runtime/redact.js";
import { errorCode } from "../runtime/system-errors.js";
import { roundMs } from "../runtime/time-text.js";
import type { StoreFacts } from "./diagnosis.js";
import type { Run } from "./run.js";

/** The limit of one operation, in milliseconds. A provider waits only 250 ms; a longer wait shows a slow store. */
const OPERATION_LIMIT_MS = 3_000;
const STEP_LIMIT_MS = 10_000;
const LEASE_MS = 10_000;
const VALUE_TTL_MS = 30_000;

/**
 * Checks a shared store by a round trip under a key of the doctor's own: lease, publish, read, remove,
 * release. Rejects only with the signal's reason.
 */
export async function gatherStore(run: Run, store: CredentialStore): Promise<StoreFacts> {
  const check = new StoreCheck(run, store);
  const step = {
    step: "store",
    label: `checking the ${storeName(store)} store`,
    limitMs: STEP_LIMIT_MS,
    late: () => check.facts(),
  } as const;
  return await run.step<StoreFacts>(step, async (signal) => {
    await check.run(signal);
    return check.facts();
  });
}

/** Ends a check whose operation failed. */
class OperationFailed extends Error {}

class StoreCheck {
  readonly #run: Run;
  readonly #store: CredentialStore;
  readonly #name: string;
  /**
   * Random, so that no workload uses it, and in the form of a key, so that the file store removes what a
   * killed doctor leaves.
   */
  readonly #key = randomBytes(32).toString("base64url");
  readonly #operations: { operation: StoreOperation; ms: number }[] = [];
  readonly #violations: string[] = [];
  #inspection: ReturnType<typeof readInspection> = {};
  #current: StoreOperation = "read";
  #failed: StoreFacts["failed"];
  #isDone = false;

  constructor(run: Run, store: CredentialStore) {
    this.#run = run;
    this.#store = store;
    this.#name = storeName(store);
  }

  facts(): StoreFacts {
    return {
      name: this.#name,
      ...this.#inspection,
      operations: this.#operations,
      failed:
        this.#failed ?? (this.#isDone ? undefined : { operation: this.#current, code: "timeout" }),
      violations: this.#violations,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#roundTrip(signal);
    } catch (error) {
      if (!(error instanceof OperationFailed)) throw error;
    }
    // A store that can't read can't describe itself either.
    if (isInspectable(this.#store) && this.#operations.length > 0) {
      const { inspect, forget } = this.#store;
      // Optional: a Redis user may have only the permissions that a store needs.
      const inspecting = this.#limited(signal, () => inspect.call(this.#store, this.#key));
      this.#inspection = readInspection(await inspecting.catch(() => undefined));
      await this.#limited(signal, () => forget.call(this.#store, this.#key)).catch(() => {});
      signal.throwIfAborted();
    }
    this.#isDone = true;
  }

  async #roundTrip(signal: AbortSignal): Promise<void> {
    const key = this.#key;
    const act = <T>(operation: StoreOperation, work: () => Promise<T>) =>
      this.#act(signal, operation, work);
    const expect = (isKept: boolean, violation: string) => {
      if (!isKept && !this.#violations.includes(violation)) this.#violations.push(violation);
    };
    const read = async () => {
      const entry: unknown = await act("read", () => this.#store.read(key));
      expect(typeof entry === "object" && entry !== null, "it returned no entry from a read");
      const [credentials, isLeased, problem] = ["credentials", "isLeased", "problem"].map((name) =>
        readField(entry, name),
      );
      return { credentials, isLeased: isLeased === true, problem: textIn(problem, 200) };
    };

    const before = await read();
    expect(before.credentials === undefined, "it returned credentials for a key that is new");
    const lease = await act("claim", () => this.#store.claim(key, LEASE_MS));
    if (!lease) {
      this.#violations.push("it granted no lease for a key that nothing uses");
      return;
    }
    const second = await act("claim", () => this.#store.claim(key, LEASE_MS));
    expect(!second, "it granted a second lease while the first was held");
    const isExtended = await act("extend", () => this.#store.extend(lease, LEASE_MS));
    expect(isExtended, "it did not extend a lease that was held");
    const value = probeValue(key, this.#run.runtime.clock.now());
    const isStored = await act("publish", () => this.#store.publish(value, lease, VALUE_TTL_MS));
    expect(isStored, "it did not store a value of the lease's holder");
    const { credentials, problem, isLeased } = await read();
    expect(
      readField(credentials, "accessKeyId") === value.accessKeyId &&
        readField(credentials, "secretAccessKey") === value.secretAccessKey,
      `it did not return what was published${problem === undefined ? "" : ` (${problem})`}`,
    );
    expect(isLeased, "it did not report the lease that was held");
    await act("remove", () => this.#store.remove(key, value.accessKeyId));
    await act("release", () => this.#store.release(lease));
    const after = await read();
    expect(after.credentials === undefined, "it returned credentials that were removed");
    expect(!after.isLeased, "it reported a lease that was released");
  }

  async #act<T>(
    signal: AbortSignal,
    operation: StoreOperation,
    work: () => Promise<T>,
  ): Promise<T> {
    this.#current = operation;
    const startMs = this.#run.elapsedMs();
    try {
      const result = await this.#limited(signal, work);
      this.#operations.push({ operation, ms: roundMs(this.#run.elapsedMs() - startMs) });
      return result;
    } catch (error) {
      signal.throwIfAborted();
      const { message } = safeCause(error);
      this.#failed = {
        operation,
        code: safeText(errorCode(error) ?? "", 60) || undefined,
        message,
      };
      throw new OperationFailed();
    }
  }

  #limited<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const reason = Object.assign(new Error(`no response in ${OPERATION_LIMIT_MS} ms`), {
      code: "timeout",
    });
    const { clock } = this.#run.runtime;
    return withTimeout({ clock, signal, timeoutMs: OPERATION_LIMIT_MS, reason }, work);
  }
}

function isInspectable(store: CredentialStore): store is InspectableStore {
  return ["inspect", "forget"].every((name) => typeof readField(store, name) === "function");
}

/** A longer list is cut to this many entries. */
const MAX_SHOWN = 40;

/** How a store describes itself. A user's own store may return anything: fields without the expected type are left out. */
function readInspection(
  inspection: unknown,
): Pick<StoreFacts, "place" | "clockSkewMs" | "keyIds" | "sample"> {
  const place = textIn(readField(inspection, "place"), 300);
  const skewMs = readField(inspection, "clockSkewMs");
  return {
    ...(place !== undefined && { place }),
    clockSkewMs: Number.isFinite(skewMs) ? roundMs(skewMs as number) : undefined,
    keyIds: listIn(inspection, "keyIds")?.flatMap((id) => textIn(id, 100) ?? []),
    sample: listIn(inspection, "sample")?.flatMap((one) => {
      const count = readField(one, "count");
      if (!Number.isSafeInteger(count)) return [];
      const keyId = textIn(readField(one, "keyId"), 100);
      return [{ keyId, count: count as number, problem: textIn(readField(one, "problem"), 200) }];
    }),
  };
}

function listIn(inspection: unknown, name: string): unknown[] | undefined {
  const list = readField(inspection, name);
  return Array.isArray(list) ? list.slice(0, MAX_SHOWN) : undefined;
}

function textIn(value: unknown, maxLength: number): string | undefined {
  return typeof value === "string" ? safeText(value, maxLength) : undefined;
}

/** A value that can never be credentials of an account. */
function probeValue(key: string, now: number): StoredCredentials {
  return {
    kind: "credentials",
    key,
    roleArn: "arn:aws:iam::000000000000:role/resilient-sts-doctor",
    issuedAt: Math.floor(now),
    expiresAt: Math.floor(now) + 60_000,
    accessKeyId: `DOCTOR${randomBytes(7).toString("hex").toUpperCase()}`,
    secretAccessKey: randomBytes(30).toString("base64url"),
  };
}
