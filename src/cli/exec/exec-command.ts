/**
 * `resilient-sts exec`: serves the roles' credentials on a loopback endpoint, and runs a command whose
 * environment names this endpoint as its only source of credentials.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebIdentityEvent } from "../../model/events.js";
import { type Environment, readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { type CredentialsServer, serveCredentials } from "../../serve/serve-credentials.js";
import { CREDENTIAL_KEYS, profileReader } from "../../sts/shared-config.js";
import { childEnvironment, runChild } from "../child-command.js";
import { type CommandContext, INTERNAL_COMMANDS, print, wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandSpec, defineCommand } from "../command-spec.js";
import { PROVIDER_OPTION_NAMES, PROVIDER_OPTIONS } from "../provider-options.js";
import { RoleProviders } from "../role-provider.js";
import { STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";

const SPEC = {
  runsCommand: true,
  name: "exec",
  usage: "[options] -- command [argument...]",
  about: `
Gets AWS credentials from an OIDC token, then runs the command with a local credentials endpoint
that every AWS SDK and the AWS CLI support. The credentials stay fresh for as long as the command
runs, even while the identity provider or STS fails.

The command keeps this terminal and receives every signal, and exec exits with the command's exit
code. exec does not pass on AWS keys, profiles and files that would override the endpoint.`,
  groups: {
    Credentials: ["role", ...PROVIDER_OPTION_NAMES, ...STORE_OPTION_NAMES],
    "The command": ["no-wait", "keep-config", "help", "version"],
  },
  options: {
    ...PROVIDER_OPTIONS,
    ...STORE_OPTIONS,
    role: {
      type: "string",
      multiple: true,
      value: "NAME=ARN",
      help: "A role and a name for it; may be repeated. The first role is the default; the command can use each as a profile.",
    },
    "no-wait": {
      type: "boolean",
      help: "Start the command before credentials are available.",
    },
    "keep-config": {
      type: "boolean",
      help: "Pass the AWS config files and profile on to the command. Refused if they contain credentials, which would override the endpoint.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    [
      "A job of many hours, in GitHub Actions or on EKS",
      "resilient-sts exec --role-arn arn:aws:iam::123456789012:role/ci \\\n    -- terraform apply",
    ],
    [
      "Two roles; the command chooses the second with AWS_PROFILE=audit",
      "resilient-sts exec --role app=arn:aws:iam::123456789012:role/app \\\n    --role audit=arn:aws:iam::123456789012:role/audit -- ./report.py",
    ],
  ],
} as const satisfies CommandSpec;

export const EXEC = defineCommand(SPEC, async ({ values, operands: command }, context) => {
  if (command.length === 0) {
    throw wrongUsage(
      "there is no command; put it after --, such as resilient-sts exec -- terraform apply",
    );
  }
  const keepsConfig = values["keep-config"] ?? false;
  if (keepsConfig) await checkKeptProfile(context.env);
  const outage = new OutageReport(context);
  await using roles = await RoleProviders.open(values, context.env, (role, event) =>
    outage.onEvent(role, event),
  );
  await using folder = await ChildFolder.create();
  await using server = await serveCredentials({
    roles: roles.byName,
    tokenDirectory: folder.tokens,
  });
  if (!values["no-wait"]) await roles.firstCredentials(context.signal);
  const env = childEnvironment(context.env, {
    region: roles.region,
    keepsConfig,
    configFile: await folder.writeConfig(
      values.role ? Object.keys(roles.byName) : [],
      server,
      context.script,
    ),
    credentials: await folder.endpointVariables(server),
  });
  context.handOverSignals();
  const child = await runChild(command, env, context);
  outage.isReported = true;
  return await child.exitCode;
});

/** Reports on standard error that a role has no valid credentials, once for each outage. */
class OutageReport {
  /** Set once the child runs. Until then, the error of exec itself says what failed. */
  isReported = false;
  readonly #failing = new Set<string>();
  readonly #context: CommandContext;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  onEvent(role: string, event: WebIdentityEvent): void {
    if (event.type === "credentials.refreshed") this.#failing.delete(role);
    const hasNone = event.type === "refresh.failed" && !event.servedFromCache;
    if (!hasNone || !this.isReported || this.#failing.has(role)) return;
    this.#failing.add(role);
    const words = safeText(`${event.code}: ${event.message}`, 1_000);
    print(
      this.#context.stderr,
      `resilient-sts: role ${role} has no valid credentials: ${words}\n`,
    ).catch(() => {});
  }
}

/** A private directory with the bearer tokens and the AWS config file of one child. */
class ChildFolder implements AsyncDisposable {
  readonly tokens: string;

  private constructor(readonly path: string) {
    this.tokens = join(path, "tokens");
  }

  static async create(): Promise<ChildFolder> {
    return new ChildFolder(await mkdtemp(join(tmpdir(), "resilient-sts-")));
  }

  /** Each profile requests its own role, because `credential_source = EcsContainer` can't choose one. */
  async writeConfig(
    roles: readonly string[],
    server: CredentialsServer,
    script: string,
  ): Promise<string | undefined> {
    if (roles.length === 0) return undefined;
    const sections = roles.map((role) => {
      const env = server.env(role);
      const words = [
        ...[process.execPath, script, INTERNAL_COMMANDS.endpoint],
        ...[env.AWS_CONTAINER_CREDENTIALS_FULL_URI, env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE],
      ];
      const process_ = words.map((word) => `"${word}"`).join(" ");
      return `[profile ${role}]\ncredential_process = ${process_}\n`;
    });
    const file = join(this.path, "config");
    await writeFile(file, sections.join("\n"), { mode: 0o600, flag: "wx" });
    return file;
  }

  /** Passes the token itself, because SDKs from before 2023 do not read the variable that names its file. */
  async endpointVariables(server: CredentialsServer): Promise<Record<string, string>> {
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file = "", ...others } = server.env();
    return { ...others, AWS_CONTAINER_AUTHORIZATION_TOKEN: await readFile(file, "utf8") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Every SDK reads these from a profile before it calls an endpoint. */
const OVERRIDING_KEYS = [...CREDENTIAL_KEYS, "role_arn"] as const;

/**
 * Checks that the profiles which the child may use have no credentials, which would silently take
 * precedence over the endpoint.
 *
 * @throws CommandFailure that names the profile and the key.
 */
async function checkKeptProfile(env: Environment): Promise<void> {
  const named = [readVariable(env, "AWS_PROFILE"), readVariable(env, "AWS_DEFAULT_PROFILE")];
  const profiles = new Set(named.map((name) => name ?? "default"));
  for (const profile of profiles) {
    const read = profileReader(profile);
    for (const key of OVERRIDING_KEYS) {
      const value = await read(key).catch(() => undefined);
      if (value === undefined) continue;
      throw wrongUsage(
        `the profile ${safeText(profile, 60)} has ${key}, so its credentials would override the endpoint; leave out --keep-config, or set AWS_PROFILE to a profile without it`,
      );
    }
  }
}
