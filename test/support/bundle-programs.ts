import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { sdkAsCommonJs } from "../../tsup.config.js";
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
  await bundlePrograms({ cli: "src/cli/bin.ts", ...Object.fromEntries(examples) }, PROGRAMS);
}

/**
 * Bundles programs, by their names in the folder. They load the AWS SDK as the published build does:
 * that takes a third less of a process's time.
 *
 * @param alias - packages to replace, as esbuild takes them.
 */
export async function bundlePrograms(
  entryPoints: Readonly<Record<string, string>>,
  outdir: string,
  alias: NonNullable<BuildOptions["alias"]> = {},
): Promise<void> {
  const options = {
    ...{ absWorkingDir: ROOT, outdir, alias, bundle: true, packages: "external" },
    ...{ platform: "node", target: "node20.19", logLevel: "warning" },
  } satisfies BuildOptions;
  await Promise.all([
    build({
      ...{ ...options, entryPoints, format: "esm", splitting: true },
      ...{ outExtension: { ".js": ".mjs" }, plugins: [sdkAsCommonJs] },
    }),
    build({
      ...{ ...options, entryPoints: { sdk: "src/sts/sdk.ts" }, format: "cjs" },
      outExtension: { ".js": ".cjs" },
    }),
  ]);
}
