/**
 * Makes providers from the options: one for `credential-process`, and one for each role of `exec` and
 * `serve`. The providers of one command share a store and are disposed together.
 */
import { isWebIdentityError } from "../model/errors.js";
import type { WebIdentityEvent } from "../model/events.js";
import type { TokenSource } from "../model/token-source.js";
import { fromTokenFile, fromWebIdentity } from "../provider/create-provider.js";
import type { WebIdentityProvider } from "../provider/web-identity-provider.js";
import { type Environment, readVariable } from "../runtime/environment.js";
import { detectTokenSource, matchingSources } from "../token-sources/detect.js";
import { CommandFailure, EXIT, wrongUsage } from "./command.js";
import {
  noRole,
  type ProviderSettings,
  type ProviderValues,
  readProviderSettings,
} from "./provider-options.js";
import { type OpenedStore, openSharedStore, type StoreValues } from "./shared-store.js";

/** @throws CommandFailure when there is no role or no token. */
export function createRoleProvider(
  role: string | undefined,
  settings: ProviderSettings,
  onEvent: (event: WebIdentityEvent) => void,
): WebIdentityProvider {
  const { tokenFile, env, store } = settings;
  const init = { ...settings.init, store };
  const roleArn = role ?? readVariable(env, "AWS_ROLE_ARN");
  if (roleArn === undefined) throw noRole(init.clientConfig?.profile);
  const token = tokenFile === undefined ? createSource(settings) : undefined;
  if (token === undefined) {
    return fromTokenFile({ ...init, webIdentityTokenFile: tokenFile, roleArn, onEvent });
  }
  const roleSessionName = init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME");
  return fromWebIdentity({ ...init, token, roleArn, roleSessionName, onEvent });
}

/** The token source, or `undefined` where the environment names a token file. */
function createSource({ tokenSource, audience, env }: ProviderSettings): TokenSource | undefined {
  if (tokenSource !== undefined || audience !== undefined) {
    return detectTokenSource({ source: tokenSource, audience, env });
  }
  if (readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE") !== undefined) return undefined;
  if (matchingSources(env).length > 0) return detectTokenSource({ env });
  throw new CommandFailure(
    "there is no token; name its file with --token-file or its source with --token-source, or set AWS_WEB_IDENTITY_TOKEN_FILE",
    EXIT.noToken,
  );
}

/** Values of the options of {@link RoleProviders.open}. */
export type RoleValues = ProviderValues &
  StoreValues & {
    readonly role?: readonly string[] | undefined;
    readonly "no-wait"?: boolean | undefined;
  };

/** The providers of a command, by the names of their roles. */
export class RoleProviders implements AsyncDisposable {
  readonly byName: Readonly<Record<string, WebIdentityProvider>>;
  /** The region that an option or the environment names. */
  readonly region: string | undefined;
  readonly #store: OpenedStore;

  private constructor(
    byName: Readonly<Record<string, WebIdentityProvider>>,
    region: string | undefined,
    store: OpenedStore,
  ) {
    this.byName = byName;
    this.region = region;
    this.#store = store;
  }

  /** @throws CommandFailure for options that can't be used. */
  static async open(
    values: RoleValues,
    env: Environment,
    onEvent: (role: string, event: WebIdentityEvent) => void,
  ): Promise<RoleProviders> {
    const settings = await readProviderSettings(values, env);
    const roles = readRoles(values, settings);
    const shared = await openSharedStore(values, env);
    try {
      const { store } = shared;
      const providers = [...roles].map(([name, arn]) => {
        const report = (event: WebIdentityEvent) => onEvent(name, event);
        return [name, createRoleProvider(arn, { ...settings, store }, report)] as const;
      });
      return new RoleProviders(Object.fromEntries(providers), settings.region, shared);
    } catch (error) {
      await shared[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits until every role has credentials. */
  async firstCredentials(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#providers.map((provide) => provide({ abortSignal: signal })));
    } catch (error) {
      throw credentialsFailure(error);
    }
  }

  get #providers(): WebIdentityProvider[] {
    return Object.values(this.byName);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider[Symbol.asyncDispose]()));
    await this.#store[Symbol.asyncDispose]();
  }
}

const ROLE = /^(?!\.{1,2}=)([\w.-]{1,64})=(\S+)$/;

/** Names and ARNs of `--role NAME=ARN`, or one role with the name `default`. */
function readRoles(
  { role: roles = [], "role-arn": roleArn }: RoleValues,
  settings: ProviderSettings,
): ReadonlyMap<string, string | undefined> {
  if (roles.length === 0) return new Map([["default", settings.roleArn]]);
  if (roleArn !== undefined) {
    throw wrongUsage("--role and --role-arn can't be used together; name every role with --role");
  }
  const named = new Map<string, string>();
  for (const text of roles) {
    const [, name = "", arn = ""] = ROLE.exec(text) ?? [];
    if (name === "") {
      throw wrongUsage(
        "--role takes a name and a role, such as app=arn:aws:iam::123456789012:role/app",
      );
    }
    if (named.has(name)) throw wrongUsage(`--role names ${name} twice; choose another name`);
    named.set(name, arn);
  }
  return named;
}

/**
 * The failure of a command that could not get credentials. Its exit code is 1 for a refusal by STS or
 * the issuer, 3 for a missing token, and 4 when time ran out.
 */
export function credentialsFailure(error: unknown): unknown {
  if (!isWebIdentityError(error)) return error;
  const exitCode = EXIT_CODES[error.code] ?? EXIT.refused;
  return new CommandFailure(`${error.code}: ${error.message}`, exitCode);
}

const EXIT_CODES: Readonly<Record<string, number>> = {
  ERR_NOT_CONFIGURED: EXIT.noToken,
  ERR_TOKEN_UNAVAILABLE: EXIT.noToken,
  ERR_IDP_UNREACHABLE: EXIT.outOfTime,
  ERR_THROTTLED: EXIT.outOfTime,
  ERR_STS_UNAVAILABLE: EXIT.outOfTime,
};
