/**
 * `resilient-sts doctor`. `src/doctor` makes the diagnosis, in a process of its own
 * (`diagnosis-process.ts`). This folder reads the options and shows the result: on a terminal
 * (`terminal-report.ts`), as a page (`../html`), as commands for curl and PowerShell
 * (`article-commands.ts`), or repeatedly (`watch.ts`).
 */
import { access, constants, open, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import { redact, safeText } from "../../runtime/redact.js";
import {
  type CommandContext,
  CommandFailure,
  EXIT,
  type ExitCode,
  print,
  wrongUsage,
} from "../command.js";
import {
  COMMON_OPTIONS,
  type CommandCall,
  type CommandSpec,
  defineCommand,
  durationFrom,
  httpUrl,
  notEmpty,
  quoted,
  readOption,
  regionName,
  regionNames,
} from "../command-spec.js";
import { PROVIDER_OPTIONS, tokenSourceName } from "../provider-options.js";
import { readStoreChoice, STORE_OPTION_NAMES, STORE_OPTIONS } from "../shared-store.js";
import { fitFor, jsonText, ProgressLine, paintFor } from "../terminal-text.js";
import { articleCommands } from "./article-commands.js";
import { type DiagnosisRequest, diagnoseApart } from "./diagnosis-process.js";
import { terminalReport } from "./terminal-report.js";
import { watch } from "./watch.js";

const { duration: _, ...SHARED_OPTIONS } = PROVIDER_OPTIONS;

const DOCTOR_SPEC = {
  name: "doctor",
  usage: "[options]",
  about: `
Finds out why AssumeRoleWithWebIdentity fails, and who must change what. Without options it checks
what the workload would use: AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_REGION and the other
variables of the AWS SDKs.

Exit codes: 0 healthy (there may be advice), 1 something fatal or suspect was found, 2 wrong usage,
3 the doctor itself failed, 130 stopped by Ctrl-C. --watch exits with 1 if any of its checks would.

Tokens, signatures and credentials are never printed. NO_COLOR turns colors off; a terminal whose
locale has no UTF-8 gets ASCII.`,
  groups: {
    "What to check": [
      ...(["token-file", "token", "token-source", "audience", "profile"] as const),
      ...(["role-arn", "role-session-name", "region", "failover-region"] as const),
      ...(["endpoint-url", "issuer", "allow-private-issuers", "no-assume", "timeout"] as const),
      ...STORE_OPTION_NAMES,
    ],
    "What to print": ["json", "html", "commands", "watch", "redact", "help", "version"],
  },
  options: {
    ...SHARED_OPTIONS,
    ...STORE_OPTIONS,
    store: {
      ...STORE_OPTIONS.store,
      help: "Also check this shared store: file, file:DIR, redis://HOST or rediss://HOST. Default: RESILIENT_STS_STORE, where the URL may contain a password.",
    },
    token: {
      type: "string",
      value: "-",
      complete: ["-"],
      help: "Read the token from standard input.",
    },
    issuer: {
      type: "string",
      value: "URL",
      help: "Check only this issuer, without a token and without STS.",
    },
    "allow-private-issuers": {
      type: "boolean",
      help: "Also check issuers at private addresses, and issuers on this machine over http.",
    },
    "no-assume": {
      type: "boolean",
      help: "Don't call AssumeRoleWithWebIdentity.",
    },
    timeout: {
      type: "string",
      value: "TIME",
      help: "Time limit for one check, 1s to 60s. Default: 18s.",
    },
    json: {
      type: "boolean",
      help: "Print the diagnosis as JSON, one line for each check with --watch. Its schema is schema/diagnosis-v1.schema.json in the package.",
    },
    html: {
      type: "string",
      value: "FILE",
      complete: "file",
      help: "Also write the report as an HTML page.",
    },
    commands: {
      type: "boolean",
      help: "Print AWS's steps for curl and PowerShell with your URLs, for a machine or network without Node.",
    },
    watch: {
      type: "string",
      value: "TIME",
      help: "Check again every TIME (30s, 5m) until Ctrl-C, and print what changed.",
    },
    redact: {
      type: "boolean",
      help: "Mask account IDs and leave out the token's subject.",
    },
    ...COMMON_OPTIONS,
  },
  examples: [
    ["Check what this workload would use", "resilient-sts doctor"],
    [
      "Check a token from another machine, and write a report to attach to a ticket",
      "resilient-sts doctor --token - --role-arn ARN --redact --html a.html < token",
    ],
    [
      "Check whether AWS can read an issuer, before there is a token",
      "resilient-sts doctor --issuer https://login.example.com",
    ],
    ["Watch an outage", "resilient-sts doctor --watch 30s"],
    [
      "Check whether processes can share credentials",
      "resilient-sts doctor --store redis://cache.example.com --store-keys keys",
    ],
  ],
} as const satisfies CommandSpec;

export const DOCTOR = defineCommand(DOCTOR_SPEC, async ({ values }, context) => {
  const options = readDoctorOptions(values);
  const { htmlFile, watchMs, json } = options;
  if (htmlFile !== undefined) await checkCanWrite(htmlFile);
  const tokenRequest = await withToken(options, context);
  // A check of only an issuer ignores a store that the environment names.
  const storeChoice = values.issuer ? undefined : await readStoreChoice(values, context.env);
  const request = { ...tokenRequest, storeChoice };
  const diagnose = () => diagnoseWithProgress(request, context);
  if (watchMs !== undefined) return await watch(diagnose, { intervalMs: watchMs, json }, context);
  const diagnosis = await diagnose();
  if (options.commands) return await printCommands(diagnosis, context);
  await print(context.stdout, json ? jsonText(diagnosis) : reportFor(diagnosis, context));
  if (htmlFile !== undefined) await writeReport(htmlFile, diagnosis, context);
  return diagnosis.verdict === "healthy" ? EXIT.ok : EXIT.found;
});

type DoctorValues = CommandCall<typeof DOCTOR_SPEC.options>["values"];

/** What a run of the doctor does. */
interface DoctorOptions {
  readonly request: DiagnosisRequest;
  readonly readsTokenFromStdin: boolean;
  readonly json: boolean;
  readonly htmlFile: string | undefined;
  readonly commands: boolean;
  readonly watchMs: number | undefined;
}

/** @throws CommandFailure for options that can't be used, or can't be used together. */
function readDoctorOptions(values: DoctorValues): DoctorOptions {
  checkCombinations(values);
  refuseVisibleToken(values);
  const timeoutMs = readOption(values, "timeout", durationFrom(1_000, 60_000));
  return {
    readsTokenFromStdin: values.token === "-",
    json: values.json ?? false,
    htmlFile: readOption(values, "html", notEmpty),
    commands: values.commands ?? false,
    watchMs: readOption(values, "watch", durationFrom(1_000, 86_400_000)),
    request: {
      tokenFile: readOption(values, "token-file", notEmpty),
      tokenSource: readOption(values, "token-source", tokenSourceName),
      audience: readOption(values, "audience", notEmpty),
      profile: readOption(values, "profile", notEmpty),
      roleArn: readOption(values, "role-arn", notEmpty),
      roleSessionName: readOption(values, "role-session-name", notEmpty),
      region: readOption(values, "region", regionName),
      failoverRegions: regionNames("failover-region", values["failover-region"]),
      issuer: readOption(values, "issuer", httpUrl),
      endpointUrl: readOption(values, "endpoint-url", httpUrl),
      allowPrivateIssuers: values["allow-private-issuers"],
      assume: values["no-assume"] !== true && values.commands !== true,
      redact: values.redact ?? false,
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
  };
}

const JWT = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/;

function refuseVisibleToken({ token, "token-file": file }: DoctorValues): void {
  if ((token === undefined || token === "-") && !JWT.test(file ?? "")) return;
  throw wrongUsage(
    "every user of this machine can read a token on the command line; pipe it in (--token -) or name its file (--token-file)",
  );
}

/** Pairs of options that can't be used together. */
const EXCLUSIVE: readonly (readonly [keyof DoctorValues, keyof DoctorValues])[] = [
  ["token", "token-file"],
  ["token", "token-source"],
  ["token-file", "token-source"],
  ["token", "audience"],
  ["token-file", "audience"],
  ["issuer", "token-source"],
  ["issuer", "audience"],
  ["issuer", "profile"],
  ["issuer", "token"],
  ["issuer", "token-file"],
  ["issuer", "role-arn"],
  ["issuer", "role-session-name"],
  ["issuer", "region"],
  ["issuer", "failover-region"],
  ["issuer", "endpoint-url"],
  ["issuer", "store"],
  ["commands", "json"],
  ["commands", "html"],
  ["commands", "watch"],
  ["watch", "html"],
];

function checkCombinations(values: DoctorValues): void {
  const clash = EXCLUSIVE.find(([a, b]) => values[a] !== undefined && values[b] !== undefined);
  if (clash === undefined) return;
  const [a, b] = clash;
  const why = a === "issuer" ? "; --issuer checks only an issuer" : "";
  throw wrongUsage(`--${a} and --${b} can't be used together; leave one out${why}`);
}

async function withToken(
  { request, readsTokenFromStdin }: DoctorOptions,
  context: CommandContext,
): Promise<DiagnosisRequest> {
  const { tokenFile } = request;
  if (tokenFile !== undefined) await checkTokenFile(tokenFile);
  if (!readsTokenFromStdin) return request;
  if (context.stdin.isTTY) {
    await print(context.stderr, "paste the token, then press Enter and Ctrl-D\n");
  }
  const token = await readTokenFrom(context.stdin, context.signal);
  return { ...request, token };
}

/** STS accepts 20,000 characters, so a text of more than 64 KiB can't be a token. */
const MAX_TOKEN_BYTES = 64 * 1024;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws CommandFailure when the file that the command line names can't hold a token. */
async function checkTokenFile(path: string): Promise<void> {
  const named = quoted(path);
  try {
    const found = await stat(path);
    // A pipe can be read only once, so this check leaves it alone.
    if (!found.isFile() && !found.isDirectory()) return;
    if (found.isFile() && found.size > MAX_TOKEN_BYTES) throw tooLong(`the token file ${named}`);
    const file = await open(path, "r");
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_TOKEN_BYTES));
      decodeToken(`the token file ${named}`, buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const problem = READ_PROBLEMS[code] ?? code;
    throw wrongUsage(`can't read the token file ${named}: ${problem}`);
  }
}

/** Reads standard input to its end, up to the maximum length of a token. */
async function readTokenFrom(input: Readable, signal: AbortSignal): Promise<string> {
  addAbortSignal(signal, input);
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of input) {
    const bytes = Buffer.from(piece as Buffer);
    pieces.push(bytes);
    length += bytes.length;
    if (length > MAX_TOKEN_BYTES) {
      input.destroy();
      throw tooLong("standard input");
    }
  }
  const text = decodeToken("standard input", Buffer.concat(pieces)).trim();
  if (text !== "") return text;
  throw wrongUsage(
    "standard input is empty; pipe the token in: resilient-sts doctor --token - < FILE",
  );
}

const READ_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file; check the path, and that it is mounted",
  EACCES: "permission denied; run as the workload's user",
  EPERM: "permission denied; run as the workload's user",
  ENOTDIR: "a part of its path is not a directory",
  EISDIR: "it is a directory; name a file in it",
  ELOOP: "its symbolic links form a loop",
};

function decodeToken(what: string, bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw wrongUsage(`${what} is not UTF-8 text; give the JWT itself, as text`);
  }
}

function tooLong(what: string): CommandFailure {
  return wrongUsage(
    `${what} has more than ${MAX_TOKEN_BYTES / 1024} KiB, which is too long for a token; give only the JWT`,
  );
}

function reportFor(diagnosis: Diagnosis, { stdout, env }: CommandContext): string {
  const report = terminalReport(diagnosis, stdout.columns || 80, paintFor(stdout, env));
  return fitFor(stdout, env)(report);
}

async function diagnoseWithProgress(
  request: DiagnosisRequest,
  context: CommandContext,
): Promise<Diagnosis> {
  const { stderr, env } = context;
  using line = new ProgressLine(stderr, paintFor(stderr, env), env);
  return await diagnoseApart(request, line.show, context);
}

async function printCommands(diagnosis: Diagnosis, { stdout }: CommandContext): Promise<ExitCode> {
  const commands = articleCommands(diagnosis);
  if (commands === undefined) {
    throw wrongUsage(
      "--commands needs an issuer; name it with --issuer, or a token with --token-file",
    );
  }
  await print(stdout, commands);
  return EXIT.ok;
}

async function checkCanWrite(path: string): Promise<void> {
  const named = quoted(path);
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw wrongUsage(`can't write ${named}: its directory does not exist; create it first`);
  }
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory()) {
    throw wrongUsage(`can't write ${named}: it is a directory; name a file`);
  }
  const isAllowed = await access(existing ? path : dirname(path), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isAllowed) throw wrongUsage(`can't write ${named}: permission denied`);
}

async function writeReport(
  path: string,
  diagnosis: Diagnosis,
  { stderr }: CommandContext,
): Promise<void> {
  const { htmlReport } = await import("../html/html-report.js");
  try {
    await writeFile(path, redact(htmlReport(diagnosis)));
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw new CommandFailure(`can't write ${quoted(path)}: ${code}`, EXIT.failed);
  }
  await print(stderr, `wrote the report to ${safeText(path)}\n`);
}
