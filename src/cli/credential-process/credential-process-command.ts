/**
 * `resilient-sts credential-process`: prints credentials for the SDK or CLI that runs it as the
 * `credential_process` of a profile. SDKs don't share the credentials between processes, and run the
 * command again when less than 15 minutes are left. So the command stores the credentials for all
 * processes of the user. To print stored ones, it loads neither the AWS SDK nor any other package.
 */
import { isAbsolute, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { AwsCredentialIdentity } from "@smithy/types";
import { systemClock } from "../../runtime/clock.js";
import { type Environment, readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { quoteForPosix } from "../../runtime/shell-quote.js";
import { formatDuration } from "../../runtime/time-text.js";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  type PrintedCredentials,
  print,
  printCredentials,
  wrongUsage,
} from "../command.js";
import { defineCommand, type OptionSpec } from "../command-spec.js";
import type { SharedCache, SharedEntry } from "./shared-cache.js";
import {
  type CredentialRequest,
  readRequest,
  SPEC,
  sharedCache,
  timeoutOf,
} from "./stored-credentials.js";

/** How long a refresh may delay a caller whose credentials are valid, in milliseconds. */
const EARLY_REFRESH_MS = 10_000;

/** A refresh ends up to this long before the time limit, so that waiting processes get its result. In milliseconds. */
const HEAD_START_MS = 2_000;

/** Bounds of the wait between two reads of the cache, in milliseconds. */
const POLL_MS = { first: 50, longest: 800 };

export const CREDENTIAL_PROCESS = defineCommand(SPEC, async ({ values }, context) => {
  const startedAt = systemClock.monotonic();
  const timeoutMs = timeoutOf(values);
  const request = await readRequest(values, context.env);
  if (values["print-config"]) {
    await printConfig(portableArguments(chosen(values), context.env), request.settings, context);
    return EXIT.ok;
  }
  const credentials = new CommandCredentials({
    request,
    context,
    shared: sharedCache(request, values.cache, (message) => note(context, message)),
    endsAt: startedAt + timeoutMs,
  });
  await printCredentials(context.stdout, await credentials.get());
  return EXIT.ok;
});

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
  if (isKeptByNpx(script)) {
    note(context, "npx may remove this program; install it, then print the lines again");
  }
}

function note({ stderr }: CommandContext, message: string): void {
  print(stderr, `resilient-sts: ${safeText(message, 1_000)}\n`).catch(() => {});
}

interface CommandCredentialsOptions {
  readonly request: CredentialRequest;
  readonly shared: SharedCache;
  readonly context: CommandContext;
  /** When the command must have ended, by the monotonic clock. */
  readonly endsAt: number;
}

/** How one command gets credentials: from the cache, from the process that refreshes, or from STS. */
class CommandCredentials {
  readonly #options: CommandCredentialsOptions;

  constructor(options: CommandCredentialsOptions) {
    this.#options = options;
  }

  /** @throws CommandFailure */
  async get(): Promise<PrintedCredentials> {
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
  #found(entry: SharedEntry): PrintedCredentials | undefined {
    const { credentials, isFresh, refusal, isLeased } = entry;
    if (isFresh) return credentials;
    if (refusal !== undefined) return this.#withoutRefresh(entry, refusal);
    // Another process refreshes. With valid credentials, this one need not wait.
    return isLeased ? credentials : undefined;
  }

  async #refreshForAll(): Promise<PrintedCredentials> {
    const { request, shared } = this.#options;
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
      const { key, settings } = request;
      const { roleArn } = settings;
      const now = Date.now();
      await shared.release(
        expiresAt === undefined || expiresAt <= now
          ? undefined
          : { ...issued, kind: "credentials", key, roleArn, issuedAt: now, expiresAt },
      );
      return issued;
    } catch (error) {
      const failure = error instanceof CommandFailure ? error : undefined;
      await shared.release(failure && shared.refusalOf(failure));
      if (failure === undefined) throw error;
      return this.#withoutRefresh(entry, failure);
    }
  }

  /** Returns valid credentials, whatever failed. */
  #withoutRefresh(
    { credentials, leftMs }: SharedEntry,
    failure: CommandFailure,
  ): PrintedCredentials {
    if (credentials === undefined) throw failure;
    note(
      this.#options.context,
      `these credentials are valid for ${formatDuration(leftMs)}; they were not refreshed: ${failure.message}`,
    );
    return credentials;
  }

  /** Calls STS. @param leftMs - how long the stored credentials stay valid. */
  async #refresh(leftMs = 0): Promise<PrintedCredentials> {
    const { context, request } = this.#options;
    const { settings } = request;
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

function fromSts(issued: AwsCredentialIdentity): PrintedCredentials {
  const { accessKeyId, secretAccessKey, sessionToken, accountId, expiration } = issued;
  const expiresAt = expiration?.getTime();
  return { accessKeyId, secretAccessKey, sessionToken, accountId, expiresAt };
}

interface ProfileLinesOptions {
  /** Absolute paths of Node and of this program: a profile is used from anywhere. */
  readonly program: readonly [node: string, script: string];
  readonly args: readonly string[];
  readonly region: string | undefined;
  readonly roleArn: string;
  readonly platform: NodeJS.Platform;
}

/** The lines of a profile that runs this command, for `~/.aws/config`. */
function profileLines(options: ProfileLinesOptions): string {
  const { program, args, region, roleArn, platform } = options;
  const quote = platform === "win32" ? quoteForWindows : quoteInProfile;
  const command = [...program, "credential-process", ...args].map(quote).join(" ");
  const name = /([\w.-]+)$/.exec(roleArn)?.[1] ?? "resilient-sts";
  return [
    `[profile ${name}]`,
    ...(region === undefined ? [] : [`region = ${region}`]),
    `credential_process = ${command}`,
    "",
  ].join("\n");
}

/**
 * The SDKs for JavaScript and Go run the line in a shell, and the one for Python splits it as a shell
 * would. Single quotes mean the same to all of them.
 */
function quoteInProfile(word: string): string {
  checkWord(word);
  return /^[\w./:=@,+-]+$/.test(word) ? word : quoteForPosix(word);
}

/** `cmd.exe` expands variables inside quotes too, and the SDKs do not agree on how to escape a quote. */
function quoteForWindows(word: string): string {
  checkWord(word);
  if (/["%!^]/.test(word) || word.endsWith("\\")) {
    throw wrongUsage(
      `${JSON.stringify(safeText(word, 100))} can't be in a profile on Windows; choose a name without quotes, percent signs, exclamation marks and carets, and without a backslash at its end`,
    );
  }
  return /^[\w.:\\/=@,+-]+$/.test(word) ? word : `"${word}"`;
}

/** In the config file, a value ends at a line break and, for some SDKs, at a comment. */
function checkWord(word: string): void {
  if (!/\p{Cc}|(?:^|\s)[#;]/u.test(word)) return;
  throw wrongUsage(
    `${JSON.stringify(safeText(word, 100))} can't be in a profile; choose a name without line breaks and without # or ; at the beginning of a word`,
  );
}

/** The arguments of this call, changed so that they mean the same in every directory and every shell. */
function portableArguments(
  values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
  env: Environment,
): string[] {
  const isTokenNamed = ["token-file", "token-source", "audience", "profile"].some(
    (name) => values[name] !== undefined,
  );
  const portable = {
    ...values,
    "role-arn":
      values["role-arn"] ??
      (values.profile === undefined ? readVariable(env, "AWS_ROLE_ARN") : undefined),
    "token-file":
      values["token-file"] ??
      (isTokenNamed ? undefined : readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE")),
  };
  return Object.entries(portable).flatMap(([name, value]) => {
    if (value === undefined || typeof value === "boolean") return [];
    const texts = typeof value === "string" ? [value] : value;
    const isPath = name === "token-file" || (name === "cache" && value !== "off");
    return texts.flatMap((text) => [`--${name}`, isPath ? resolve(text) : text]);
  });
}

/** `npx` keeps its programs in a directory that it may empty. */
function isKeptByNpx(script: string): boolean {
  return isAbsolute(script) && /[\\/]_npx[\\/]/.test(script);
}
