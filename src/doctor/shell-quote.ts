/** A word for bash and every other POSIX shell: nothing inside is read by the shell. */
export function quoteForPosix(text: string): string {
  return `'${oneLine(text).replaceAll("'", `'\\''`)}'`;
}

/** A word for PowerShell, which takes the typographic quotes for quotes as well. */
export function quoteForPowerShell(text: string): string {
  return `'${oneLine(text).replace(/['‘’‚‛]/g, "$&$&")}'`;
}

/** A command is pasted: a line break in it would run what follows, a hidden mark would not be seen. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, "");
}
