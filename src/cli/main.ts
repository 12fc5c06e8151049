#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const USAGE = `Usage: resilient-sts [--help | --version]

AWS credentials from an OIDC token that keep coming when the identity provider,
STS or a region does not. The library is imported; see the README.

Options:
  -h, --help     print this help
  -v, --version  print the version
`;

/** Exit codes: 0 fine, 2 wrong usage. */
function main(args: string[]): number {
  let values: { help?: boolean; version?: boolean };
  try {
    ({ values } = parseArgs({
      args,
      options: {
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "v" },
      },
    }));
  } catch (error) {
    // Node's message goes on with advice about positional arguments, which this command has none of.
    const [problem] = (error as Error).message.split(". ");
    process.stderr.write(`resilient-sts: ${problem}; see resilient-sts --help\n`);
    return 2;
  }
  if (values.version) {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  (values.help ? process.stdout : process.stderr).write(USAGE);
  return values.help ? 0 : 2;
}

function version(): string {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

// `resilient-sts --help | head -1` closes the pipe early; that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = main(process.argv.slice(2));
