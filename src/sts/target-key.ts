import { type Environment, readVariable } from "../runtime/environment.js";
import type { StsTarget } from "./target.js";

/** The SDK reads these when a client is made, so two clients with different values differ. */
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

/** How deep literals are compared by value, which is deeper than any option is; below, by identity. */
const MAX_DEPTH = 4;

/**
 * Names targets so that equal ones have the same name: primitives and object literals are equal by
 * value, functions and instances only to themselves.
 */
export class TargetKeys {
  readonly #identities = new WeakMap<object, number>();
  #identityCount = 0;

  constructor(private readonly env: Environment) {}

  of({ config, plugins }: StsTarget): string {
    const parts = plugins.map((plugin) => this.#part(plugin));
    return JSON.stringify([this.#entries(config), parts, this.#variables()]);
  }

  /** Names the endpoint only: each calling client has its own request handler and logger. */
  ofEndpoint({ config }: StsTarget): string {
    const { region, endpoint, profile } = config;
    const { useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint } = config;
    const flags = { useFipsEndpoint, useDualstackEndpoint, useGlobalEndpoint };
    const parts = this.#entries({ region, endpoint, profile, ...flags });
    return JSON.stringify([parts, this.#variables()]);
  }

  /**
   * Names what an answer depends on. The connection that it comes over is not part of that, unless the
   * request handler is one of the provider's options.
   */
  ofAnswer({ config, plugins, isHandlerLent }: StsTarget): string {
    const { requestHandler, logger: _, userAgentAppId: __, ...rest } = config;
    const options = isHandlerLent ? rest : { ...rest, requestHandler };
    const parts = plugins.map((plugin) => this.#part(plugin));
    return JSON.stringify([this.#entries(options), parts, this.#variables()]);
  }

  #entries(literal: object, depth = 0): unknown {
    return Object.entries(literal)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, this.#part(value, depth)]);
  }

  #part(value: unknown, depth = 0): unknown {
    if (typeof value !== "object" && typeof value !== "function") return String(value);
    if (value === null) return null;
    const isLiteral = Object.getPrototypeOf(value) === Object.prototype;
    if (isLiteral && depth < MAX_DEPTH) return this.#entries(value, depth + 1);
    let id = this.#identities.get(value);
    if (id === undefined) {
      this.#identityCount += 1;
      id = this.#identityCount;
      this.#identities.set(value, id);
    }
    return { id };
  }

  /** As they are now: they may change while the process runs. */
  #variables(): (string | null)[] {
    return SDK_VARIABLES.map((name) => readVariable(this.env, name) ?? null);
  }
}
