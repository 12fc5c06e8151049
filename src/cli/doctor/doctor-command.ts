import { access, constants, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Diagnosis } from "../../doctor/diagnosis.js";
import { redact, safeText } from "../../runtime/redact.js";
import { CommandFailure, EXIT, type ExitCode, wrongUsage } from "../command-failure.js";
import { fitFor } from "../glyphs.js";
import { jsonText } from "../json-text.js";
import { paintFor } from "../paint.js";
import { print } from "../print.js";
import type { Surroundings } from "../surroundings.js";
import { checkTokenFile, readTokenFrom } from "../token-input.js";
import { articleCommands } from "./article-commands.js";
import { DOCTOR_HELP } from "./doctor-help.js";
import { type DoctorOptions, readDoctorOptions } from "./doctor-options.js";
import { lookApart } from "./look-apart.js";
import type { LookRequest } from "./look-messages.js";
import { ProgressLine } from "./progress-line.js";
import { terminalReport } from "./terminal-report.js";
import { watch } from "./watch.js";

/** `resilient-sts doctor`. */
export async function doctorCommand(args: string[], around: Surroundings): Promise<ExitCode> {
  const options = readDoctorOptions(args);
  if (options.wantsHelp) {
    await print(around.stdout, DOCTOR_HELP);
    return EXIT.fine;
  }
  if (options.htmlFile !== undefined) await checkCanWrite(options.htmlFile);
  const request = await withToken(options, around);
  if (options.watchMs !== undefined) {
    return await watch(() => lookWithProgress(request, around), options.watchMs, around);
  }
  const diagnosis = await lookWithProgress(request, around);
  if (options.commands) return await printCommands(diagnosis, around);
  await print(around.stdout, options.json ? jsonText(diagnosis) : reportFor(diagnosis, around));
  if (options.htmlFile !== undefined) await writeReport(options.htmlFile, diagnosis, around);
  return diagnosis.verdict === "healthy" ? EXIT.fine : EXIT.found;
}

async function withToken(options: DoctorOptions, around: Surroundings): Promise<LookRequest> {
  const { tokenFile } = options.diagnose;
  if (tokenFile !== undefined) await checkTokenFile(tokenFile);
  if (!options.readsTokenFromStdin) return options.diagnose;
  if (around.stdin.isTTY) {
    await print(around.stderr, "paste the token, then press Enter and Ctrl-D\n");
  }
  const token = await readTokenFrom(around.stdin, around.signal);
  return { ...options.diagnose, token };
}

function reportFor(diagnosis: Diagnosis, { stdout, env }: Surroundings): string {
  const report = terminalReport(diagnosis, stdout.columns || 80, paintFor(stdout, env));
  return fitFor(stdout, env)(report);
}

async function lookWithProgress(request: LookRequest, around: Surroundings): Promise<Diagnosis> {
  const { stderr, env } = around;
  using line = new ProgressLine(stderr, paintFor(stderr, env), env);
  return await lookApart(request, line.see, around);
}

async function printCommands(diagnosis: Diagnosis, around: Surroundings): Promise<ExitCode> {
  const commands = articleCommands(diagnosis);
  if (commands === undefined) {
    throw wrongUsage(
      "there is no issuer to spell commands for; name it with --issuer, or a token with --token-file",
    );
  }
  await print(around.stdout, commands);
  return EXIT.fine;
}

async function checkCanWrite(path: string): Promise<void> {
  const named = JSON.stringify(safeText(path, 200));
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) {
    throw wrongUsage(`cannot write ${named}: its folder does not exist; make it first`);
  }
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory()) {
    throw wrongUsage(`cannot write ${named}: it is a directory; name a file`);
  }
  const isAllowed = await access(there ? path : dirname(path), constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isAllowed) throw wrongUsage(`cannot write ${named}: permission denied`);
}

async function writeReport(
  path: string,
  diagnosis: Diagnosis,
  { stderr }: Surroundings,
): Promise<void> {
  const { htmlReport } = await import("../html/html-report.js");
  try {
    await writeFile(path, redact(htmlReport(diagnosis)));
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw new CommandFailure(
      `cannot write ${JSON.stringify(safeText(path, 200))}: ${code}`,
      EXIT.failed,
    );
  }
  await print(stderr, `wrote the report to ${safeText(path)}\n`);
}
