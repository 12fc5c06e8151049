import type { CredentialStore } from "../model/credential-store.js";
import type { EmitEvent } from "../model/events.js";
import { safeCause } from "../runtime/redact.js";
import type { ResolvedOptions, Runtime, WebIdentityInit } from "./options.js";
import type { SharedRefresh, SharedRefreshOptions, SharedStore } from "./shared-refresh.js";
import type { StoreStatus } from "./web-identity-provider.js";

interface SharingOptions {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly emit: EmitEvent;
}

/**
 * Decides whether a provider uses its store. `shared-refresh.ts` does the rest, and is loaded by the first
 * refresh that uses the store.
 */
export class CredentialSharing {
  readonly #options: SharingOptions;
  /** Absent without a store, and when its credentials can't be shared. */
  readonly #store: CredentialStore | undefined;
  readonly #unusedBecause: string | undefined;
  #shared: SharedStore | undefined;

  constructor(options: SharingOptions) {
    const { init } = options;
    this.#options = options;
    this.#unusedBecause = init.store && whyUnused(init, options.options);
    this.#store = this.#unusedBecause === undefined ? init.store : undefined;
  }

  /** Begins the store's part in one refresh; `undefined` if the store is not used. */
  async begin(refresh: SharedRefreshOptions): Promise<SharedRefresh | undefined> {
    const store = this.#store;
    if (store === undefined) return undefined;
    const { init, options, runtime, emit } = this.#options;
    try {
      const { SharedStore } = await import("./shared-refresh.js");
      this.#shared ??= new SharedStore({ store, init, options, runtime });
    } catch (error) {
      // Too many open files, for example: the next refresh tries again.
      const { message } = safeCause(error);
      const failure = { operation: "read", reason: "error", message } as const;
      emit({ type: "store.failed", store: store.name, ...failure });
    }
    return this.#shared?.begin(refresh);
  }

  /** Limits how long the in-flight refresh waits for another process: a caller waits for it now. */
  limitWait(): void {
    this.#shared?.limitWait();
  }

  /** Removes credentials that a service rejected, so that no process gets them from the store. */
  rejected(accessKeyId: string): void {
    this.#shared?.rejected(accessKeyId, this.#options.emit);
  }

  /** `undefined` without a store. */
  status(): StoreStatus | undefined {
    const { store } = this.#options.init;
    if (store === undefined) return undefined;
    const openUntil = this.#shared?.guard.openUntil;
    return { name: store.name, unusedBecause: this.#unusedBecause, openUntil };
  }

  /** Settles when every write to the store has ended. */
  async settled(): Promise<void> {
    await this.#shared?.settled();
  }
}

/** Why the credentials can't be shared: it is unknown which processes would get the same ones. */
function whyUnused(init: WebIdentityInit, { validateToken }: ResolvedOptions): string | undefined {
  if (init.providerId !== undefined) return "an access token names no subject (providerId)";
  if (!validateToken) return "the token is not checked (validateToken)";
  if (init.roleAssumerWithWebIdentity !== undefined) {
    return "roleAssumerWithWebIdentity may call any service";
  }
  return init.clientPlugins?.length ? "clientPlugins may change the request" : undefined;
}
