import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { ROOT } from "../../support/sources.js";

/* The smoke program: it gets credentials once, and recognizes the error of a provider that can't. */

export const USE = `
async function main() {
  const credentials = fromTokenFile({ roleSessionName: "smoke" });
  const { accessKeyId } = await credentials();
  const isKnown = isWebIdentityError(await fromTokenFile({ webIdentityTokenFile: "/none" })().catch((error) => error));
  credentials.close();
  return isKnown ? "credentials " + accessKeyId : "another error";
}`;
export const IMPORT = 'import { fromTokenFile, isWebIdentityError } from "resilient-sts";';
export const REQUIRE = 'const { fromTokenFile, isWebIdentityError } = require("resilient-sts");';
const PRINT = "main().then((text) => console.log(text));";

const ESM = `${IMPORT}${USE}\n${PRINT}`;
const CJS = `${REQUIRE}${USE}\n${PRINT}`;

/** A folder with the smoke programs. */
export interface Folder extends AsyncDisposable {
  readonly folder: string;
  write(name: string, text: string): Promise<void>;
  /** Returns what the program printed, or throws with it. */
  run(command: string, ...args: string[]): Promise<string>;
  /** Copies a file of the project to here. */
  take(name: string): Promise<void>;
}

/** A folder that has the packed package installed by npm. */
export interface Project extends Folder {
  readonly tarball: string;
  /** A folder beside it, without packages. */
  empty(): Promise<Folder>;
  bundle(entry: string, file: string, format: "esm" | "cjs"): Promise<void>;
}

/** Where runtimes, bundlers and package managers are installed. */
export interface Tools extends AsyncDisposable {
  bin(name: string): string;
  module(path: string): string;
}

const NPM = ["--no-audit", "--no-fund", "--prefer-offline", "--silent"];
const TOOLS = [
  "bun@1",
  "deno@2",
  "jest@30",
  "webpack@5",
  "vite@8",
  "pnpm@10",
  "@yarnpkg/cli-dist@4",
];

export async function installTools(): Promise<Tools> {
  const tools = await folderIn(join(tmpdir(), "runtimes-"), {});
  // Bun and Deno put their programs in place by a script.
  await tools.run("npm", "install", ...NPM, ...TOOLS);
  return {
    bin: (name) => join(tools.folder, "node_modules/.bin", name),
    module: (path) => join(tools.folder, "node_modules", path),
    [Symbol.asyncDispose]: tools[Symbol.asyncDispose],
  };
}

/** @param env - what every program gets besides the environment of this process */
export async function installProject(
  env: NodeJS.ProcessEnv,
  packages: readonly string[],
): Promise<Project> {
  const prefix = join(tmpdir(), "runtimes-");
  const project = await folderIn(prefix, env);
  const { folder } = project;
  const packing = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder, ROOT];
  const tarball = join(folder, (await project.run("npm", ...packing)).trim());
  await project.run("npm", "install", ...NPM, "--ignore-scripts", tarball, ...packages);
  return {
    ...project,
    tarball,
    empty: () => folderIn(prefix, env, folder),
    async bundle(entry, file, format) {
      const outfile = join(folder, file);
      const mainFields = format === "esm" ? ["module", "main"] : ["main", "module"];
      await build({
        ...{ entryPoints: [join(folder, entry)], outfile, format, mainFields },
        ...{ bundle: true, minify: true, platform: "node", target: "node20" },
        ...(format === "esm" && { banner: { js: REQUIRE_FOR_CJS } }),
      });
    },
  };
}

/** Packages in CommonJS call `require()`, which an ES module does not have. */
const REQUIRE_FOR_CJS =
  'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

async function folderIn(prefix: string, env: NodeJS.ProcessEnv, source?: string): Promise<Folder> {
  const folder = await mkdtemp(prefix);
  const write = (name: string, text: string) => writeFile(join(folder, name), text);
  await write("package.json", '{ "private": true }');
  await write("smoke.mjs", ESM);
  await write("smoke.cjs", CJS);
  return {
    folder,
    write,
    run: (command, ...args) => execute(folder, { command, args, env }),
    take: (name) => copyFile(join(source ?? folder, name), join(folder, name)),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

function execute(cwd: string, { command, args, env }: Program): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 180_000, maxBuffer: 2 ** 24 };
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`));
    });
  });
}
