import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "./sources.js";

/**
 * Where the command line and the examples lie as JavaScript. A folder in `node_modules`: packages
 * resolve from there, and the project's manifest is two folders up, as it is from `src/cli/bin.ts`.
 */
export const PROGRAMS = join(ROOT, "node_modules/.programs");

/**
 * Vitest calls this once for each run. Tests start these programs about a hundred times, and to
 * compile the sources anew in each process takes four times as long as the process itself.
 */
export async function setup(): Promise<void> {
  const examples = readdirSync(join(ROOT, "examples"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => [`examples/${name.replace(/\.ts$/, "")}`, `examples/${name}`]);
  await build({
    absWorkingDir: ROOT,
    entryPoints: { cli: "src/cli/bin.ts", ...Object.fromEntries(examples) },
    outdir: PROGRAMS,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    logLevel: "warning",
  });
}
