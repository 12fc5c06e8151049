import { isAbsolute, resolve } from "node:path";
import { type Environment, readVariable } from "../../runtime/environment.js";
import { safeText } from "../../runtime/redact.js";
import { quoteForPosix } from "../../runtime/shell-quote.js";
import { wrongUsage } from "../command.js";

interface ProfileLinesOptions {
  /** Absolute paths of Node and of this program: a profile is used from anywhere. */
  readonly program: readonly [node: string, script: string];
  readonly args: readonly string[];
  readonly region: string | undefined;
  readonly roleArn: string;
  readonly platform: NodeJS.Platform;
}

/** The lines of a profile that calls this command, for `~/.aws/config`. */
export function profileLines(options: ProfileLinesOptions): string {
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
 * JavaScript and Go run the line by a shell, Python splits it as a shell would: single quotes mean the
 * same to all of them.
 */
function quoteInProfile(word: string): string {
  checkWord(word);
  return /^[\w./:=@,+-]+$/.test(word) ? word : quoteForPosix(word);
}

/** `cmd.exe` replaces variables inside quotes too, and no spelling of a quote is read alike by all SDKs. */
function quoteForWindows(word: string): string {
  checkWord(word);
  if (/["%!^]/.test(word) || word.endsWith("\\")) {
    throw wrongUsage(
      `${JSON.stringify(safeText(word, 100))} can't stand in a profile on Windows; choose a name without quotes, percent signs, exclamation marks, carets and a backslash at its end`,
    );
  }
  return /^[\w.:\\/=@,+-]+$/.test(word) ? word : `"${word}"`;
}

/** The reader of the file ends a value at a line break and, in some SDKs, at a comment. */
function checkWord(word: string): void {
  if (!/\p{Cc}|(?:^|\s)[#;]/u.test(word)) return;
  throw wrongUsage(
    `${JSON.stringify(safeText(word, 100))} can't stand in a profile; choose a name without line breaks and without # or ; at the beginning of a word`,
  );
}

/** The arguments of this call, such that they mean the same in every folder and every shell. */
export function lastingArguments(
  values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>,
  env: Environment,
): string[] {
  const isTokenNamed = ["token-file", "token-source", "audience", "profile"].some(
    (name) => values[name] !== undefined,
  );
  const lasting = {
    ...values,
    "role-arn":
      values["role-arn"] ??
      (values.profile === undefined ? readVariable(env, "AWS_ROLE_ARN") : undefined),
    "token-file":
      values["token-file"] ??
      (isTokenNamed ? undefined : readVariable(env, "AWS_WEB_IDENTITY_TOKEN_FILE")),
  };
  return Object.entries(lasting).flatMap(([name, value]) => {
    if (value === undefined || typeof value === "boolean") return [];
    const texts = typeof value === "string" ? [value] : value;
    const isPath = name === "token-file" || (name === "cache" && value !== "off");
    return texts.flatMap((text) => [`--${name}`, isPath ? resolve(text) : text]);
  });
}

/** `npx` keeps its programs in a folder that it may empty. */
export function isPassingPlace(script: string): boolean {
  return isAbsolute(script) && /[\\/]_npx[\\/]/.test(script);
}
