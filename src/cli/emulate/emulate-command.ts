/**
 * `resilient-sts emulate`: runs the local identity provider and STS of `src/testing` for programs in any
 * language, with an environment that uses them.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LOOPBACK_VARIABLE } from "../../preflight/guarded-lookup.js";
import { safeText } from "../../runtime/redact.js";
import { quoteForPosix, quoteForPowerShell } from "../../runtime/shell-quote.js";
import { formatDuration } from "../../runtime/time-text.js";
import type { LocalServer } from "../../testing/loopback-server.js";
import { childEnvironment, runChild } from "../child-command.js";
import { CommandFailure, EXIT, print, type Terminal, wrongUsage } from "../command.js";
import { defineCommand } from "../command-spec.js";
import {
  EMULATE_SPEC,
  type EmulateOptions,
  readEmulateOptions,
  type Servers,
} from "./emulate-options.js";

export const EMULATE = defineCommand(EMULATE_SPEC, async (call, context) => {
  const options = readEmulateOptions(call, context.env);
  const { startLocalIdp } = await import("../../testing/idp/local-idp.js");
  const { startLocalSts } = await import("../../testing/sts/local-sts.js");
  await using idp = await started("idp-port", startLocalIdp({ port: options.idpPort }));
  await using sts = await started("sts-port", startLocalSts({ port: options.stsPort }));
  for (const apply of options.faults) await apply({ idp, sts });
  const expiresInSeconds = Math.ceil(options.tokenLifetimeMs / 1000);
  const newToken = () => idp.issueToken({ expiresInSeconds });
  await using tokenFile = await KeptTokenFile.create(options.tokenFile, await newToken());
  const renew = async () => tokenFile.replace(await newToken());
  const variables = emulatedVariables(options, { sts }, tokenFile.path);
  if (options.command.length > 0) {
    context.handOverSignals();
    const env = childEnvironment(context.env, {
      region: options.region,
      keepsConfig: false,
      configFile: undefined,
      credentials: variables,
    });
    const child = await runChild(options.command, env, context);
    const ended = new AbortController();
    const exitCode = child.exitCode.finally(() => ended.abort());
    await renewUntil(ended.signal, options, renew);
    return await exitCode;
  }
  await print(context.stdout, introduction(options, { idp, sts }, variables));
  using _requests = logRequests({ idp, sts }, context.stderr);
  await renewUntil(context.signal, options, renew);
  return EXIT.ok;
});

/** Writes a new token whenever half of the lifetime has passed. */
async function renewUntil(
  signal: AbortSignal,
  { tokenLifetimeMs }: EmulateOptions,
  renew: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(tokenLifetimeMs / 2, undefined, { signal }).catch(() => {});
    if (!signal.aborted) await renew();
  }
}

/** The variables that make an SDK and this library use the local servers. */
function emulatedVariables(
  { roleArn, region }: EmulateOptions,
  { sts }: Pick<Servers, "sts">,
  tokenFile: string,
): Readonly<Record<string, string>> {
  return {
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
    AWS_ROLE_ARN: roleArn,
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    // So that the issuer check reads the documents of the local issuer, as in production.
    [LOOPBACK_VARIABLE]: "true",
  };
}

async function started<Server extends LocalServer>(flag: string, server: Promise<Server>) {
  try {
    return await server;
  } catch (error) {
    const { code, port } = error as NodeJS.ErrnoException & { port?: number };
    const problem = { EADDRINUSE: "is in use", EACCES: "is not allowed for this user" }[code ?? ""];
    if (problem === undefined) throw error;
    throw wrongUsage(`port ${port} ${problem}; choose another with --${flag}`);
  }
}

function introduction(
  options: EmulateOptions,
  { idp, sts }: Servers,
  environment: Readonly<Record<string, string>>,
): string {
  const variables = Object.entries(environment);
  const tokenFile = environment.AWS_WEB_IDENTITY_TOKEN_FILE ?? "";
  const { faultNames, tokenLifetimeMs } = options;
  const faults = faultNames.map((name) => safeText(name)).join("  ");
  return [
    `# Identity provider  ${idp.issuer}`,
    `# STS                ${sts.url}`,
    `# Faults             ${faults === "" ? "none" : faults}`,
    `# Token file         ${safeText(tokenFile)}, renewed every ${formatDuration(tokenLifetimeMs / 2)}`,
    "",
    ...variables.map(([name, value]) => `export ${name}=${quoteForPosix(value)}`),
    "",
    "# The same in PowerShell:",
    ...variables.map(([name, value]) => `# $env:${name} = ${quoteForPowerShell(value)}`),
    "",
    "# Then: resilient-sts doctor --allow-private-issuers",
    "#   or: aws sts assume-role-with-web-identity --role-session-name me \\",
    '#         --endpoint-url "$AWS_ENDPOINT_URL_STS" --role-arn "$AWS_ROLE_ARN" \\',
    '#         --web-identity-token "$(cat "$AWS_WEB_IDENTITY_TOKEN_FILE")"',
    "# Ctrl-C stops the servers and removes the token file.",
    "",
  ].join("\n");
}

const POLL_MS = 250;
const MAX_KEPT = 1000;

/** Prints a line for each request to the servers. Drops old requests, so that they don't fill the memory. */
function logRequests({ idp, sts }: Servers, stderr: Terminal): Disposable {
  const logged = new WeakSet<object>();
  const log = () => {
    const settled = sts.requests.filter(({ outcome }) => outcome !== "pending");
    const seen = [
      ...idp.requests
        .filter((one) => !logged.has(one))
        .map(({ at, document, path }) => ({ at, text: `IdP  ${document ?? path}` })),
      ...settled
        .filter((one) => !logged.has(one))
        .map(({ at, action, outcome }) => ({ at, text: `STS  ${action}  ${outcome}` })),
    ];
    if (seen.length === 0) return;
    for (const one of [...idp.requests, ...settled]) logged.add(one);
    if (idp.requests.length > MAX_KEPT) idp.resetRequests();
    if (sts.requests.length > MAX_KEPT) sts.resetRequests();
    const lines = seen
      .toSorted((a, b) => a.at - b.at)
      .map(
        ({ at, text }) => `${new Date(at).toTimeString().slice(0, 8)}  ${safeText(text, 120)}\n`,
      );
    stderr.write(lines.join(""));
  };
  const timer = setInterval(log, POLL_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      log();
    },
  };
}

/** Only the owner may read the file. */
const TOKEN_FILE_MODE = 0o600;

/** A token file whose token is replaced in one step, and which is removed at the end. */
class KeptTokenFile implements AsyncDisposable {
  readonly path: string;
  readonly #folder: string | undefined;
  /** Removes the file when the process exits without disposing of this object. */
  readonly #onExit = () => {
    for (const [path, recursive] of this.#paths()) rmSync(path, { recursive, force: true });
  };

  private constructor(path: string, folder: string | undefined) {
    this.path = path;
    this.#folder = folder;
    process.once("exit", this.#onExit);
  }

  /** Writes the first token. An existing file is never replaced: it may belong to another program. */
  static async create(path: string | undefined, token: string): Promise<KeptTokenFile> {
    const folder = path === undefined ? await mkdtemp(join(tmpdir(), "resilient-sts-")) : undefined;
    const full = resolve(path ?? join(folder ?? "", "token"));
    try {
      await writeFile(full, token, { mode: TOKEN_FILE_MODE, flag: "wx" });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const named = JSON.stringify(full);
      if (code === "EEXIST") {
        throw wrongUsage(
          `the token file ${named} already exists; name a new one, because it is removed at the end`,
        );
      }
      throw new CommandFailure(`can't write the token file ${named}: ${code}`, EXIT.usage);
    }
    return new KeptTokenFile(full, folder);
  }

  /** Replaces the token. A reader sees the old one or the new one. */
  async replace(token: string): Promise<void> {
    await writeFile(this.#next, token, { mode: TOKEN_FILE_MODE });
    await rename(this.#next, this.path);
  }

  get #next(): string {
    return `${this.path}.${process.pid}.next`;
  }

  /** What to remove. Only the directory that this object created is removed with its contents. */
  #paths(): [path: string, recursive: boolean][] {
    const files: [string, boolean][] = [
      [this.path, false],
      [this.#next, false],
    ];
    return this.#folder === undefined ? files : [...files, [this.#folder, true]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [path, recursive] of this.#paths()) await rm(path, { recursive, force: true });
    process.removeListener("exit", this.#onExit);
  }
}
