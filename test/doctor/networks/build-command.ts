import { join } from "node:path";
import { build } from "tsup";

/** Bundles the command from its source: many of them at a time would each compile it for themselves. */
export async function buildCommand(folder: string): Promise<string> {
  await build({
    entry: { command: "src/cli/main.ts" },
    outDir: folder,
    format: "esm",
    target: "node20.19",
    config: false,
    silent: true,
  });
  return join(folder, "command.js");
}
