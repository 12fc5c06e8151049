import type { Environment } from "../runtime/environment.js";

/** Makes text fit for where it is shown. */
export type Fit = (text: string) => string;

/** What stands for the reports' own signs where only ASCII can be shown; of the same width. */
const IN_ASCII: Readonly<Record<string, string>> = {
  "✓": "+",
  "✗": "x",
  "·": ".",
  "–": "-",
  "—": "-",
  "→": ">",
  "▶": ">",
  "…": "~",
  "░": ".",
  "▒": ":",
  "▓": "=",
  "█": "#",
  "▆": "%",
  "│": "|",
};

const asItIs: Fit = (text) => text;
const inAscii: Fit = (text) => text.replace(/[^\p{ASCII}]/gu, (sign) => IN_ASCII[sign] ?? "?");

/**
 * By the locale (POSIX: LC_ALL, LC_CTYPE, LANG). A terminal of which nothing is known gets what
 * every terminal shows; a pipe UTF-8, as every file does.
 */
export function fitFor(
  stream: { readonly isTTY?: boolean | undefined },
  env: Environment,
  platform: NodeJS.Platform = process.platform,
): Fit {
  return showsUnicode(stream.isTTY === true, env, platform) ? asItIs : inAscii;
}

function showsUnicode(isTTY: boolean, env: Environment, platform: NodeJS.Platform): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value);
  if (locale !== undefined && !/utf-?8/i.test(locale)) return false;
  if (!isTTY) return true;
  // Windows has no locale for this; its older console has no such letters.
  if (platform === "win32") return Boolean(env.WT_SESSION ?? env.TERM_PROGRAM ?? locale);
  return locale !== undefined && env.TERM !== "linux" && env.TERM !== "dumb";
}
