// Quoting for the commands that reports and articles print for people to paste into a shell.

/** Quotes a word for bash and every other POSIX shell, so that the shell expands nothing in it. */
export function quoteForPosix(text: string): string {
  return `'${oneLine(text).replaceAll("'", `'\\''`)}'`;
}

/** Quotes a word for PowerShell, which also accepts typographic quotes. */
export function quoteForPowerShell(text: string): string {
  return `'${oneLine(text).replace(/['‘’‚‛]/g, "$&$&")}'`;
}

/** In a pasted command, a line break would run the text that follows, and a hidden mark would not be seen. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, "");
}
