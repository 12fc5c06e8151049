import { type Environment, readVariable } from "../environment.js";
import type { StsTarget } from "./target.js";

/** Read by the SDK itself whenever a client is made, so part of what tells two clients apart. */
const SDK_VARIABLES = [
  "AWS_ENDPOINT_URL_STS",
  "AWS_ENDPOINT_URL",
  "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  "AWS_PROFILE",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_USE_FIPS_ENDPOINT",
  "AWS_USE_DUALSTACK_ENDPOINT",
  "AWS_SDK_UA_APP_ID",
];

/**
 * Names targets so that equal ones have the same name: equal primitives are equal, functions and
 * objects are equal only to themselves.
 */
export class TargetKeys {
  readonly #identities = new WeakMap<object, number>();
  #identityCount = 0;

  of({ config, plugins }: StsTarget, env: Environment): string {
    const parts = Object.entries(config)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, this.#part(value)]);
    const variables = SDK_VARIABLES.map((name) => readVariable(env, name) ?? null);
    return JSON.stringify([parts, plugins.map((plugin) => this.#part(plugin)), variables]);
  }

  #part(value: unknown): unknown {
    if (typeof value !== "object" && typeof value !== "function") return String(value);
    if (value === null) return null;
    let id = this.#identities.get(value);
    if (id === undefined) {
      this.#identityCount += 1;
      id = this.#identityCount;
      this.#identities.set(value, id);
    }
    return { id };
  }
}
