import type { CredentialStore } from "../model/credential-store.js";
import type { EmitEvent } from "../model/events.js";
import { safeCause } from "../runtime/redact.js";
import type { ResolvedOptions, WebIdentityInit } from "./options.js";
import type { Runtime } from "./runtime.js";
import type { SharedRefresh, SharedTurn, TurnOptions } from "./shared-refresh.js";
import type { StoreStatus } from "./web-identity-provider.js";

interface SharingOptions {
  readonly init: WebIdentityInit;
  readonly options: ResolvedOptions;
  readonly runtime: Runtime;
  readonly emit: EmitEvent;
}

/**
 * The store of one provider, if it has one. `shared-refresh.ts` decides how it is used, and is loaded
 * with the first refresh that needs it.
 */
export class CredentialSharing {
  readonly #options: SharingOptions;
  /** Absent without a store, and when its credentials can't be shared. */
  readonly #store: CredentialStore | undefined;
  readonly #unusedBecause: string | undefined;
  #shared: SharedRefresh | undefined;

  constructor(options: SharingOptions) {
    const { init } = options;
    this.#options = options;
    this.#unusedBecause = init.store && whyUnused(init, options.options);
    this.#store = this.#unusedBecause === undefined ? init.store : undefined;
  }

  /** Begins the store's part in one refresh; `undefined` if the store is not used. */
  async begin(refresh: TurnOptions): Promise<SharedTurn | undefined> {
    const store = this.#store;
    if (store === undefined) return undefined;
    const { init, options, runtime, emit } = this.#options;
    try {
      const { SharedRefresh } = await import("./shared-refresh.js");
      this.#shared ??= new SharedRefresh({ store, init, options, runtime });
    } catch (error) {
      // Too many open files, for example: it may pass.
      const { message } = safeCause(error);
      const failure = { operation: "read", reason: "error", message } as const;
      emit({ type: "store.failed", store: store.name, ...failure });
    }
    return this.#shared?.begin(refresh);
  }

  /** A caller waits for the refresh in progress: it must not wait long for another process. */
  hurry(): void {
    this.#shared?.hurry();
  }

  /** A service rejected the credentials: no process should get them from the store. */
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

  /** Settles when nothing is being written to the store. */
  async settled(): Promise<void> {
    await this.#shared?.settled();
  }
}

/** Why credentials of this provider can't be shared: it is unknown which processes would get the same. */
function whyUnused(init: WebIdentityInit, { validateToken }: ResolvedOptions): string | undefined {
  if (init.providerId !== undefined) return "an access token names no subject (providerId)";
  if (!validateToken) return "the token is not checked (validateToken)";
  if (init.roleAssumerWithWebIdentity !== undefined) {
    return "roleAssumerWithWebIdentity may ask any service";
  }
  return init.clientPlugins?.length ? "clientPlugins may change the request" : undefined;
}
