import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { inspect } from "node:util";
import type { Logger } from "@smithy/types";
import type { WebIdentityInit } from "../../src/provider/options.js";
import type { WebIdentityProvider } from "../../src/provider/web-identity-provider.js";

/** Everything that anybody gets to see of a provider but its credentials. */
export class Witness implements Disposable {
  readonly #seen: unknown[] = [];
  readonly #see = (value: unknown) => void this.#seen.push(value);
  readonly #logger: Logger = {
    trace: this.#see,
    debug: this.#see,
    info: this.#see,
    warn: this.#see,
    error: this.#see,
  };

  constructor() {
    subscribe("resilient-sts", this.#see);
  }

  [Symbol.dispose](): void {
    unsubscribe("resilient-sts", this.#see);
  }

  /** Options that make a provider report all that it can. */
  init(clientConfig: WebIdentityInit["clientConfig"] = {}): WebIdentityInit {
    return {
      onEvent: this.#see,
      logger: this.#logger,
      clientConfig: { ...clientConfig, logger: this.#logger },
    };
  }

  /** Calls the provider; returns its credentials, or nothing when it failed. */
  async call(provider: WebIdentityProvider) {
    try {
      return await provider();
    } catch (error) {
      this.#see(error);
      return undefined;
    } finally {
      this.#see(provider.status());
      this.#see(provider);
    }
  }

  get count(): number {
    return this.#seen.length;
  }

  get seen(): readonly unknown[] {
    return this.#seen;
  }

  /** All of it, as the tools that print values would print it. */
  text(): string {
    return this.#seen.flatMap(textsOf).join("\n");
  }

  /** The secrets that can be found in what was seen, by their names. */
  find(secrets: Readonly<Record<string, string>>): string[] {
    const text = this.text();
    return Object.entries(secrets).flatMap(([name, secret]) =>
      secret !== "" && text.includes(secret) ? [name] : [],
    );
  }
}

/** A value as every tool that prints values would print it. */
function textsOf(value: unknown): string[] {
  const stack = value instanceof Error ? String(value.stack) : "";
  const full = inspect(value, {
    depth: Number.POSITIVE_INFINITY,
    showHidden: true,
    maxStringLength: null,
    maxArrayLength: null,
    breakLength: Number.POSITIVE_INFINITY,
  });
  const clone = value instanceof Error ? inspect(structuredClone(value)) : "";
  return [JSON.stringify(value) ?? "", full, String(value), stack, clone, inspect(value)];
}

/** A token, and each part of it that could be put to use. */
export function secretsOf(token: string): Record<string, string> {
  const [, payload = "", signature = ""] = token.split(".");
  return { token, payload, signature, encoded: encodeURIComponent(token) };
}
