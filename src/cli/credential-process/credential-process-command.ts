/**
 * `resilient-sts credential-process`: credentials for the SDK or CLI that runs it by a profile's
 * `credential_process`. SDKs don't share its answer between processes and ask again in the last
 * 15 minutes, so it keeps answers in a store for all processes of the user. An answer from there loads
 * neither the AWS SDK nor any other package.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AwsCredentialIdentity } from "@smithy/types";
import type { StoredCredentials } from "../../model/credential-store.js";
import { systemClock } from "../../runtime/clock.js";
import { readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { formatDuration } from "../../runtime/time-text.js";
import { fileStore } from "../../stores/file-store.js";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  print,
  printCredentials,
  wrongUsage,
} from "../command.js";
import {
  COMMON_OPTIONS,
  type CommandSpec,
  defineCommand,
  type OptionSpec,
} from "../command-spec.js";
import { durationFrom } from "../option-values.js";
import {
  noRole,
  PROVIDER_OPTION_NAMES,
  PROVIDER_OPTIONS,
  type ProviderSettings,
  readProviderSettings,
} from "../provider-options.js";
import { isPassingPlace, lastingArguments, profileLines } from "./profile-lines.js";
import { answerKey, SharedAnswer, type SharedEntry } from "./shared-answer.js";

const SPEC = {
  name: "credential-process",
  usage: "[options]",
  about: `
Prints AWS credentials from an OIDC token as the AWS SDKs and the AWS CLI expect them of a
credential_process. All processes of this user share them: one process asks STS, the others read
its answer. While credentials are valid, a failed refresh is one line on standard error.

Exit codes: 0 credentials were printed, 1 STS or the issuer refused, 2 wrong usage, 3 there is no
token, 4 out of time.`,
  groups: {
    Credentials: [...PROVIDER_OPTION_NAMES],
    "The answer": ["cache", "min-ttl", "print-config", "help", "version"],
  },
  options: {
    ...PROVIDER_OPTIONS,
    timeout: {
      type: "string",
      value: "TIME",
      default: "50s",
      help: "Limit for the whole command, 1s to 10m. Default: 50s; the SDK for Go ends it after 60s.",
    },
    cache: {
      type: "string",
      value: "DIR",
      complete: "directory",
      help: "Private folder for what the processes of this user share, or off. Default: $XDG_RUNTIME_DIR/resilient-sts, or the user's cache folder.",
    },
    "min-ttl": {
      type: "string",
      value: "TIME",
      default: "16m",
      help: "Refresh credentials that are valid for less than this, or for less than half of their lifetime if that is shorter. Default: 16m, because the AWS CLI and boto3 ask again when 15 minutes are left.",
    },
    "print-config": {
      type: "boolean",
      help: "Print the lines of a profile that calls this command with these options, and end.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    [
      "A profile for the AWS CLI, boto3, Terraform and every SDK",
      "resilient-sts credential-process --print-config \\\n    --role-arn arn:aws:iam::123456789012:role/dev \\\n    --token-file ~/.oidc/token >> ~/.aws/config",
    ],
    ["What the profile runs", "resilient-sts credential-process --role-arn ARN --token-file FILE"],
  ],
} as const satisfies CommandSpec;

/** Longest session (AWS STS API reference, DurationSeconds), in milliseconds. */
const MAX_SESSION_MS = 43_200_000;

/** The longest delay of a caller by a refresh that is not needed yet, in milliseconds. */
const EARLY_REFRESH_MS = 10_000;

/** How much more of the time limit waiting processes get than the process that refreshes. */
const HEAD_START_MS = 2_000;

/** Bounds of the wait between two reads of the cache, in milliseconds. */
const POLL_MS = { first: 50, longest: 800 };

/** Set for the programs that a token source runs. One that uses the same profile would never end. */
const INSIDE = "RESILIENT_STS_CREDENTIAL_PROCESS";

export const CREDENTIAL_PROCESS = defineCommand(SPEC, async ({ values }, context) => {
  const startedAt = systemClock.monotonic();
  const timeoutMs = durationFrom(1_000, 600_000)("timeout", values.timeout);
  const minTtlMs = durationFrom(0, MAX_SESSION_MS)("min-ttl", values["min-ttl"]);
  const { timeout: _, ...providerValues } = values;
  const read = await readProviderSettings(providerValues, context.env);
  const roleArn = read.roleArn ?? readVariable(context.env, "AWS_ROLE_ARN");
  if (roleArn === undefined) throw noRole(values.profile);
  if (values["print-config"]) {
    await printConfig(lastingArguments(chosen(values), context.env), { ...read, roleArn }, context);
    return EXIT.ok;
  }
  const key = await answerKey(read, roleArn);
  if (context.env[INSIDE] === key) {
    throw wrongUsage(
      "a profile that calls itself is not allowed: the program of the token source uses the profile that gets its token from there; give that program another AWS_PROFILE",
    );
  }
  const env = { ...context.env, [INSIDE]: key };
  const shared = new SharedAnswer({
    ...{ key, roleArn, minTtlMs },
    store: values.cache === "off" ? undefined : openStore(values.cache),
    onTrouble: (message) => note(context, message),
  });
  const credentials = await new Answer({
    ...{ shared, context, key },
    settings: { ...read, roleArn, env },
    endsAt: startedAt + timeoutMs,
  }).get();
  await printAnswer(credentials, context);
  return EXIT.ok;
});

function openStore(directory: string | undefined) {
  return fileStore({ directory: directory === undefined ? undefined : resolve(directory) });
}

/** Leaves out the defaults, so that a profile gets those of later versions. */
function chosen(values: Readonly<Record<string, string | boolean | string[] | undefined>>) {
  const options: Readonly<Record<string, OptionSpec>> = SPEC.options;
  return Object.fromEntries(
    Object.entries(values).filter(([name, value]) => value !== options[name]?.default),
  );
}

async function printConfig(
  args: readonly string[],
  { roleArn, region }: { readonly roleArn: string; readonly region: string | undefined },
  context: CommandContext,
): Promise<void> {
  const { script, stdout } = context;
  const program = [process.execPath, script] as const;
  const { platform } = process;
  await print(stdout, profileLines({ program, args, region, roleArn, platform }));
  if (isPassingPlace(script)) {
    note(context, "npx may remove this program; install it, then print the lines again");
  }
}

function note({ stderr }: CommandContext, message: string): void {
  print(stderr, `resilient-sts: ${safeText(message, 1_000)}\n`).catch(() => {});
}

/** What is printed: credentials of STS, or what was stored of them. */
type Credentials = Pick<
  StoredCredentials,
  "accessKeyId" | "secretAccessKey" | "sessionToken" | "accountId"
> & { readonly expiresAt: number | undefined };

async function printAnswer(credentials: Credentials, { stdout }: CommandContext): Promise<void> {
  const { expiresAt, accountId } = credentials;
  try {
    await printCredentials(stdout, {
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      SessionToken: credentials.sessionToken,
      Expiration: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
      AccountId: accountId,
    });
  } catch (error) {
    throw new CommandFailure((error as Error).message, EXIT.refused);
  }
}

interface AnswerOptions {
  readonly shared: SharedAnswer;
  readonly context: CommandContext;
  readonly key: string;
  readonly settings: ProviderSettings & { readonly roleArn: string };
  /** When the command must have ended, by the monotonic clock. */
  readonly endsAt: number;
}

/** How one command gets credentials: from the cache, from the process that refreshes, or from STS. */
class Answer {
  readonly #options: AnswerOptions;

  constructor(options: AnswerOptions) {
    this.#options = options;
  }

  /** @throws CommandFailure */
  async get(): Promise<Credentials> {
    const { shared } = this.#options;
    for (let pollMs = POLL_MS.first; ; pollMs = Math.min(pollMs * 1.5, POLL_MS.longest)) {
      const found = this.#found(await shared.read());
      if (found !== undefined) return found;
      if (!shared.isShared) return await this.#refresh();
      if (await shared.claim()) return await this.#refreshForAll();
      await this.#wait(pollMs * (0.5 + Math.random()));
    }
  }

  /** What another process stored, unless this process must refresh. */
  #found(entry: SharedEntry): Credentials | undefined {
    const { credentials, isFresh, refusal, isLeased } = entry;
    if (isFresh) return credentials;
    if (refusal !== undefined) return this.#withoutRefresh(entry, refusal);
    // Another process refreshes: there is no need to wait for it.
    return isLeased ? credentials : undefined;
  }

  async #refreshForAll(): Promise<Credentials> {
    const { shared, key, settings } = this.#options;
    // The previous holder may have published between the read and the claim.
    const entry = await shared.read();
    const found = this.#found({ ...entry, isLeased: false });
    if (found !== undefined) {
      await shared.release();
      return found;
    }
    try {
      const issued = await this.#refresh(entry.leftMs);
      const { expiresAt } = issued;
      const { roleArn } = settings;
      const now = Date.now();
      await shared.release(
        expiresAt === undefined || expiresAt <= now
          ? undefined
          : { ...issued, ...{ kind: "credentials", key, roleArn, issuedAt: now, expiresAt } },
      );
      return issued;
    } catch (error) {
      const failure = error instanceof CommandFailure ? error : undefined;
      await shared.release(failure && shared.refusalOf(failure));
      if (failure === undefined) throw error;
      return this.#withoutRefresh(entry, failure);
    }
  }

  /** Valid credentials are printed, whatever failed. */
  #withoutRefresh({ credentials, leftMs }: SharedEntry, failure: CommandFailure): Credentials {
    if (credentials === undefined) throw failure;
    note(
      this.#options.context,
      `these credentials are valid for ${formatDuration(leftMs)}; they were not refreshed: ${failure.message}`,
    );
    return credentials;
  }

  /** Asks STS. @param leftMs - how long the credentials that are there stay valid. */
  async #refresh(leftMs = 0): Promise<Credentials> {
    const { settings, context } = this.#options;
    const { createRoleProvider, credentialsFailure } = await import("../role-provider.js");
    const leftOfLimit = this.#remainingMs();
    const limitMs = leftOfLimit - Math.min(HEAD_START_MS, leftOfLimit / 10);
    const budgetMs = Math.max(
      500,
      leftMs > EARLY_REFRESH_MS * 3 ? Math.min(limitMs, EARLY_REFRESH_MS) : limitMs,
    );
    const init = { ...settings.init, retry: { budgetMs } };
    const provider = createRoleProvider(settings.roleArn, { ...settings, init }, () => {});
    try {
      return fromSts(await provider({ abortSignal: context.signal }));
    } catch (error) {
      throw credentialsFailure(error);
    } finally {
      provider.close();
    }
  }

  async #wait(ms: number): Promise<void> {
    const leftMs = this.#remainingMs();
    if (leftMs <= 0) {
      throw new CommandFailure(
        "another process was still waiting for STS when the time limit was reached; raise --timeout, or check why the other process fails",
        EXIT.outOfTime,
      );
    }
    const { signal } = this.#options.context;
    await sleep(Math.min(ms, leftMs), undefined, { signal });
  }

  #remainingMs(): number {
    return this.#options.endsAt - systemClock.monotonic();
  }
}

function fromSts(issued: AwsCredentialIdentity): Credentials {
  const { accessKeyId, secretAccessKey, sessionToken, accountId, expiration } = issued;
  const expiresAt = expiration?.getTime();
  return { accessKeyId, secretAccessKey, sessionToken, accountId, expiresAt };
}
