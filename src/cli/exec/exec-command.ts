import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { WebIdentityEvent } from "../../model/events.js";
import type { WebIdentityProvider } from "../../provider/web-identity-provider.js";
import { safeText } from "../../runtime/redact.js";
import { type CredentialsServer, serveCredentials } from "../../serve/serve-credentials.js";
import { childEnvironment } from "../child-environment.js";
import { runChild } from "../child-process.js";
import { EXIT, type ExitCode, wrongUsage } from "../command-failure.js";
import {
  type CommandSpec,
  HELP_OPTION,
  helpText,
  readOptions,
  splitCommand,
} from "../command-spec.js";
import { print } from "../print.js";
import {
  PROVIDER_OPTION_NAMES,
  PROVIDER_OPTIONS,
  readProviderSettings,
  readRoles,
} from "../provider-options.js";
import { createRoleProvider, credentialsFailure } from "../role-provider.js";
import { openSharedStore, STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";
import type { Surroundings } from "../surroundings.js";
import { checkKeptProfile } from "./kept-profile.js";

export const SPEC = {
  name: "exec",
  summary: "run a command in any language with AWS credentials that stay fresh",
  usage: "[options] -- command [argument...]",
  about: `
Gets AWS credentials from an OIDC token, then runs the command with a local endpoint for them that
every AWS SDK and the AWS CLI read. They stay fresh for as long as the command runs, through
failures of the identity provider and STS.

The command keeps this terminal, gets every signal, and its exit code is passed on. AWS keys,
profiles and files that would win over the endpoint are not passed on.`,
  groups: {
    Credentials: ["role", ...PROVIDER_OPTION_NAMES, ...STORE_OPTION_NAMES],
    "The command": ["no-wait", "keep-config", "help"],
  },
  options: {
    ...PROVIDER_OPTIONS,
    ...STORE_OPTIONS,
    role: {
      type: "string",
      multiple: true,
      value: "NAME=ARN",
      help: "A role with a name; may be repeated. The first is the default, each is a profile of the command.",
    },
    "no-wait": {
      type: "boolean",
      help: "Start the command before there are credentials.",
    },
    "keep-config": {
      type: "boolean",
      help: "Pass the AWS config files and profile on to the command. Refused if they hold credentials, which would win.",
    },
    ...HELP_OPTION,
  },
  examples: [
    [
      "A job that runs longer than its session, in GitHub Actions or on EKS",
      "resilient-sts exec --role-arn arn:aws:iam::123456789012:role/ci -- terraform apply",
    ],
    [
      "Two roles; the command chooses the second with AWS_PROFILE=audit",
      "resilient-sts exec --role app=arn:aws:iam::123456789012:role/app \\\n    --role audit=arn:aws:iam::123456789012:role/audit -- ./report.py",
    ],
  ],
} as const satisfies CommandSpec;

/** Hidden command by which a profile of the child's reads its role from the endpoint. */
export const ENDPOINT_COMMAND = "endpoint-credentials";

/** `resilient-sts exec`. */
export async function execCommand(args: string[], around: Surroundings): Promise<ExitCode> {
  const [own, command] = splitCommand(args);
  const values = readOptions(SPEC, own);
  if (values.help) {
    await print(around.stdout, helpText(SPEC));
    return EXIT.fine;
  }
  if (command.length === 0) {
    throw wrongUsage(
      "there is no command; put it behind --, such as resilient-sts exec -- terraform apply",
    );
  }
  const keepsConfig = values["keep-config"] ?? false;
  if (keepsConfig) await checkKeptProfile(around.env);
  const settings = await readProviderSettings(values, around.env);
  const roles = readRoles(values, settings);
  await using shared = await openSharedStore(values, around.env);
  const { store } = shared;
  const outage = new OutageReport(around);
  const providers = Object.fromEntries(
    [...roles].map(([name, arn]) => [
      name,
      createRoleProvider(arn, { ...settings, store }, (event) => outage.onEvent(name, event)),
    ]),
  );
  await using folder = await ChildFolder.create();
  await using server = await serveCredentials({ roles: providers, tokenDirectory: folder.tokens });
  try {
    if (!values["no-wait"]) await firstCredentials(Object.values(providers), around);
    const env = childEnvironment(around.env, {
      region: settings.region,
      keepsConfig,
      configFile: await folder.writeConfig(
        values.role ? [...roles.keys()] : [],
        server,
        around.script,
      ),
      credentials: await folder.endpointVariables(server),
    });
    around.handOverSignals();
    const child = await runChild(command, env, around);
    outage.isReported = true;
    return await child.exitCode;
  } finally {
    await Promise.all(Object.values(providers).map((provider) => provider[Symbol.asyncDispose]()));
  }
}

/** Waits until every role has credentials, so that the child does not start in vain. */
async function firstCredentials(
  providers: readonly WebIdentityProvider[],
  { signal }: Surroundings,
): Promise<void> {
  try {
    await Promise.all(providers.map((provider) => provider({ abortSignal: signal })));
  } catch (error) {
    throw credentialsFailure(error);
  }
}

/** Says on standard error that a role has no valid credentials any more, once for each outage. */
class OutageReport {
  /** Before the child runs, the command's own end says what failed. */
  isReported = false;
  readonly #failing = new Set<string>();
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  onEvent(role: string, event: WebIdentityEvent): void {
    if (event.type === "credentials.refreshed") this.#failing.delete(role);
    const isOver = event.type === "refresh.failed" && !event.servedFromCache;
    if (!isOver || !this.isReported || this.#failing.has(role)) return;
    this.#failing.add(role);
    const words = safeText(`${event.code}: ${event.message}`, 1_000);
    print(
      this.#around.stderr,
      `resilient-sts: role ${role} has no valid credentials: ${words}\n`,
    ).catch(() => {});
  }
}

/** A private folder with the bearer tokens and the AWS config file of one child. */
class ChildFolder implements AsyncDisposable {
  readonly tokens: string;

  private constructor(readonly path: string) {
    this.tokens = join(path, "tokens");
  }

  static async create(): Promise<ChildFolder> {
    return new ChildFolder(await mkdtemp(join(tmpdir(), "resilient-sts-")));
  }

  /** `credential_source = EcsContainer` can't choose a role, so each profile asks for its own. */
  async writeConfig(
    roles: readonly string[],
    server: CredentialsServer,
    script: string,
  ): Promise<string | undefined> {
    if (roles.length === 0) return undefined;
    const sections = roles.map((role) => {
      const env = server.env(role);
      const words = [
        ...[process.execPath, script, ENDPOINT_COMMAND],
        ...[env.AWS_CONTAINER_CREDENTIALS_FULL_URI, env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE],
      ];
      const process_ = words.map((word) => `"${word}"`).join(" ");
      return `[profile ${role}]\ncredential_process = ${process_}\n`;
    });
    const file = join(this.path, "config");
    await writeFile(file, sections.join("\n"), { mode: 0o600, flag: "wx" });
    return file;
  }

  /** With the token itself: SDKs of before 2023 do not know the variable for its file. */
  async endpointVariables(server: CredentialsServer): Promise<Record<string, string>> {
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file = "", ...others } = server.env();
    return { ...others, AWS_CONTAINER_AUTHORIZATION_TOKEN: await readFile(file, "utf8") };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}
