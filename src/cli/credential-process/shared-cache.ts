import { resolve } from "node:path";
import type {
  CredentialStore,
  StoredCredentials,
  StoredValue,
  StoreLease,
} from "../../model/credential-store.js";
import { decodeToken, trimToken } from "../../model/jwt.js";
import { readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { peekFile } from "../../runtime/token-file.js";
import { storeKey } from "../../stores/store-entry.js";
import { CommandFailure, EXIT } from "../command.js";
import type { ProviderSettings } from "../provider-options.js";

/** How long other processes repeat a stored refusal, in milliseconds. */
const REFUSAL_MS = { permanent: 5_000, transient: 1_000 };

/** After a failed refresh, processes with valid credentials wait this long before the next one, in milliseconds. */
const PAUSE_MS = 30_000;

/** A lease that isn't extended expires after this, in milliseconds; that of a dead process expires immediately. */
const LEASE_MS = 15_000;

/** A clock that is this far behind the time of storing was set back. In milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000;

/** What other processes stored. */
export interface SharedEntry {
  /** Credentials that are valid now. */
  readonly credentials: StoredCredentials | undefined;
  /** How long they stay valid; 0 without any. In milliseconds. */
  readonly leftMs: number;
  /** Whether they don't need a refresh yet. */
  readonly isFresh: boolean;
  /** Why another process got no credentials recently. */
  readonly refusal: CommandFailure | undefined;
  readonly isLeased: boolean;
}

const NOTHING: SharedEntry = {
  credentials: undefined,
  leftMs: 0,
  isFresh: false,
  refusal: undefined,
  isLeased: false,
};

interface SharedCacheOptions {
  /** `undefined` when nothing is shared. */
  readonly store: CredentialStore | undefined;
  readonly key: string;
  readonly roleArn: string;
  readonly minTtlMs: number;
  /** Called with one sentence when the store can't be used. */
  readonly onTrouble: (message: string) => void;
}

/**
 * What all `credential-process` commands with the same settings share. When the store fails, this
 * process stops using it and calls STS itself.
 */
export class SharedCache {
  readonly #options: SharedCacheOptions;
  #isBroken: boolean;
  #lease: StoreLease | undefined;
  #extending: NodeJS.Timeout | undefined;

  constructor(options: SharedCacheOptions) {
    this.#options = options;
    this.#isBroken = options.store === undefined;
  }

  /** Whether processes share anything at all. */
  get isShared(): boolean {
    return !this.#isBroken;
  }

  async read(): Promise<SharedEntry> {
    const { key, roleArn, minTtlMs } = this.#options;
    const entry = await this.#run((store) => store.read(key));
    if (entry === undefined) return NOTHING;
    const now = Date.now();
    const stored = entry.credentials?.roleArn === roleArn ? entry.credentials : undefined;
    const lifetimeMs = stored === undefined ? 0 : stored.expiresAt - stored.issuedAt;
    const leftMs = stored === undefined ? 0 : Math.min(stored.expiresAt - now, lifetimeMs);
    const isValid = stored !== undefined && leftMs > 0;
    const wasSetBack = stored !== undefined && now < stored.issuedAt - CLOCK_TOLERANCE_MS;
    return {
      credentials: isValid ? stored : undefined,
      leftMs,
      // Half of the lifetime, because a session of 15 minutes never has 16 minutes left.
      isFresh: isValid && !wasSetBack && leftMs > Math.min(minTtlMs, lifetimeMs / 2),
      refusal: recentRefusal(entry.refusal, now, isValid),
      isLeased: entry.isLeased,
    };
  }

  /** Claims the lease to refresh for all. @returns whether this process got it. */
  async claim(): Promise<boolean> {
    const { key } = this.#options;
    this.#lease = await this.#run((store) => store.claim(key, LEASE_MS));
    if (this.#lease === undefined) return false;
    this.#extending = setInterval(() => {
      const lease = this.#lease;
      if (lease !== undefined) void this.#run((store) => store.extend(lease, LEASE_MS));
    }, LEASE_MS / 3);
    return true;
  }

  /** Publishes the result of the refresh for all processes, if there is one, and releases the lease. */
  async release(value?: StoredValue): Promise<void> {
    clearInterval(this.#extending);
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease === undefined) return;
    if (value !== undefined) {
      await this.#run((store) => store.publish(value, lease, value.expiresAt - Date.now()));
    }
    await this.#run((store) => store.release(lease));
  }

  /** The failure as a value for other processes. Wrong usage is not shared: every process reports its own. */
  refusalOf({ message, exitCode }: CommandFailure): StoredValue | undefined {
    if (exitCode === EXIT.usage) return undefined;
    const { key, roleArn } = this.#options;
    const now = Date.now();
    return {
      kind: "refusal",
      key,
      roleArn,
      issuedAt: now,
      expiresAt: now + PAUSE_MS,
      code: String(exitCode),
      message: safeText(message, 2_000),
    };
  }

  async #run<T>(act: (store: CredentialStore) => Promise<T>): Promise<T | undefined> {
    const { store, onTrouble } = this.#options;
    if (this.#isBroken || store === undefined) return undefined;
    try {
      return await act(store);
    } catch (error) {
      this.#isBroken = true;
      onTrouble(`the cache is not used: ${safeText((error as Error).message, 300)}`);
      return undefined;
    }
  }
}

/** With valid credentials, a process respects a refusal for longer than without. */
function recentRefusal(
  refusal: Extract<StoredValue, { kind: "refusal" }> | undefined,
  now: number,
  hasCredentials: boolean,
): CommandFailure | undefined {
  if (refusal === undefined) return undefined;
  const exitCode = Number(refusal.code);
  const { permanent, transient } = REFUSAL_MS;
  const limitMs = exitCode === EXIT.outOfTime ? transient : permanent;
  const ageMs = now - refusal.issuedAt;
  const isRecent = ageMs >= 0 && ageMs < (hasCredentials ? PAUSE_MS : limitMs);
  return isRecent ? new CommandFailure(refusal.message, exitCode) : undefined;
}

/** Variables that decide which STS is called, and for which role. */
const STS_VARIABLE =
  /^AWS_(?:ROLE_ARN|ROLE_SESSION_NAME|REGION|DEFAULT_REGION|ENDPOINT_URL|ENDPOINT_URL_STS|USE_\w+|STS_\w+|IGNORE_CONFIGURED_ENDPOINT_URLS)$/;

/** Variables that distinguish the workloads of a platform. */
const PLATFORM_VARIABLE =
  /^(?:ACTIONS_ID_TOKEN_\w+|GITHUB_RUN_ID|CI_JOB_ID|CIRCLE_WORKFLOW_JOB_ID|BUILDKITE_JOB_ID|TFC_\w+|VERCEL\w*|FLY_\w+|SPIFFE_\w+|AZURE_\w+|IDENTITY_\w+|MSI_\w+|K_SERVICE|CLOUD_RUN_\w+|GAE_\w+|KUBERNETES_SERVICE_\w+)$/;

/** The beginning of every JWT. On GitLab, users choose the name of the variable that holds it. */
const JWT = /^\s*ey[\w-]+\./;

/**
 * The name under which processes share credentials: an HMAC over everything that decides which
 * ones STS returns. For a token file, that includes the claims of its token, so that another
 * login gets other credentials. For a platform, it includes the variables that name the workload, so that no
 * token is needed to read the cache. The name is empty if nothing can be shared: a token file that is a pipe
 * can be read only once, by the refresh.
 */
export async function sharingKey(settings: ProviderSettings, roleArn: string): Promise<string> {
  const { env, init, tokenSource, audience } = settings;
  const isSource = tokenSource !== undefined || audience !== undefined;
  const file =
    settings.tokenFile ?? (isSource ? undefined : readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE"));
  const token = file === undefined ? "" : await peek(file);
  if (token === undefined) return "";
  const claims = claimsOf(token);
  const variables = Object.entries(env).filter(
    ([name, value = ""]) =>
      STS_VARIABLE.test(name) ||
      (file === undefined && (PLATFORM_VARIABLE.test(name) || JWT.test(value))),
  );
  return storeKey({
    claims: claims ?? {},
    roleArn,
    roleSessionName: init.roleSessionName ?? readVariable(env, "AWS_ROLE_SESSION_NAME"),
    durationSeconds: init.durationSeconds,
    policy: undefined,
    policyArns: undefined,
    endpoint: JSON.stringify([
      "credential-process",
      file !== undefined && claims === undefined ? resolve(file) : null,
      [tokenSource, audience, init.region, init.failoverRegions, init.clientConfig],
      variables.sort(([a], [b]) => (a < b ? -1 : 1)),
    ]),
  });
}

/** The refresh reports what is wrong with the file. */
async function peek(file: string): Promise<string | undefined> {
  return await peekFile(file).catch(() => "");
}

function claimsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  const decoded = decodeToken(trimToken(text));
  return "claims" in decoded ? decoded.claims : undefined;
}
