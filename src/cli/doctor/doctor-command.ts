/**
 * `resilient-sts doctor`. The diagnosis itself is `src/doctor`, run in a process of its own
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
import { defineCommand, quoted } from "../command-spec.js";
import { readStoreChoice } from "../shared-store.js";
import { fitFor, jsonText, paintFor } from "../terminal-text.js";
import { articleCommands } from "./article-commands.js";
import { type DiagnosisRequest, diagnoseApart } from "./diagnosis-process.js";
import { DOCTOR_SPEC, type DoctorOptions, readDoctorOptions } from "./doctor-options.js";
import { ProgressLine } from "./progress-line.js";
import { terminalReport } from "./terminal-report.js";
import { watch } from "./watch.js";

export const DOCTOR = defineCommand(DOCTOR_SPEC, async ({ values }, context) => {
  const options = readDoctorOptions(values);
  const { htmlFile, watchMs, json } = options;
  if (htmlFile !== undefined) await checkCanWrite(htmlFile);
  const tokenRequest = await withToken(options, context);
  // To check an issuer alone, no store is needed, even if the environment names one.
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

/** STS accepts 20,000 characters. A longer text than this is not a token. */
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
    throw wrongUsage(`cannot read the token file ${named}: ${problem}`);
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
    `${what} has more than ${MAX_TOKEN_BYTES / 1024} KiB, which is too long for a token; give the JWT alone`,
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
    throw wrongUsage(`cannot write ${named}: its folder does not exist; create it first`);
  }
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory()) {
    throw wrongUsage(`cannot write ${named}: it is a directory; name a file`);
  }
  const isAllowed = await access(existing ? path : dirname(path), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isAllowed) throw wrongUsage(`cannot write ${named}: permission denied`);
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
    throw new CommandFailure(`cannot write ${quoted(path)}: ${code}`, EXIT.failed);
  }
  await print(stderr, `wrote the report to ${safeText(path)}\n`);
}
