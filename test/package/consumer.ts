import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty project outside the repository that has installed the packed tarball, and nothing else. */
export interface Consumer extends AsyncDisposable {
  readonly folder: string;
  /** What the tarball holds. */
  readonly packed: readonly string[];
  /** Of the tarball and of the files in it, in bytes. */
  readonly sizes: { readonly packed: number; readonly unpacked: number };
  run(command: string, ...args: string[]): Promise<Outcome>;
  /** Runs `source` as `name` with the Node that runs the tests. */
  node(name: string, source: string): Promise<Outcome>;
  compile(module: ModuleKind, files: Record<string, string>): Promise<Outcome>;
}

export async function installPackage(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), "consumer-"));
  const run = (command: string, ...args: string[]) => execute(folder, command, args);
  const packing = await execute(ROOT, "npm", [
    ...["pack", "--json", "--ignore-scripts", "--pack-destination", folder],
  ]);
  const [tarball] = Object.values(JSON.parse(packing.stdout) as Tarball[]);
  if (tarball === undefined) throw new Error(`npm pack said: ${packing.stderr}`);

  await writeFile(join(folder, "package.json"), '{ "private": true }');
  const install = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  const installed = await run("npm", ...install, `./${tarball.filename}`);
  if (installed.code !== 0) throw new Error(`npm install said: ${installed.stderr}`);

  return {
    folder,
    packed: tarball.files.map((file) => file.path),
    sizes: { packed: tarball.size, unpacked: tarball.unpackedSize },
    run,
    async node(name, source) {
      await writeFile(join(folder, name), source);
      return run(process.execPath, name);
    },
    async compile(module, files) {
      const names = Object.keys(files);
      for (const name of names) await writeFile(join(folder, name), files[name] ?? "");
      return run(process.execPath, TSC, "--noEmit", ...compilerOptions(module), ...names);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The version package.json of the repository names. */
export async function repositoryVersion(): Promise<string> {
  const manifest = await readFile(join(ROOT, "package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

interface Tarball {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** Each stands for one way to resolve a package; node10 knows no `exports`, only `typesVersions`. */
type ModuleKind = "nodenext" | "preserve" | "commonjs";

const RESOLUTION = { nodenext: "nodenext", preserve: "bundler", commonjs: "node10" } as const;

function compilerOptions(module: ModuleKind): string[] {
  const resolution = RESOLUTION[module];
  return [
    ...["--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"],
    // The SDK's own declarations do not resolve by node10.
    ...[
      "--skipLibCheck",
      String(module === "commonjs"),
      "--target",
      "es2022",
      "--lib",
      "es2023,esnext.disposable",
    ],
    ...["--module", module, "--moduleResolution", resolution],
    ...["--typeRoots", join(ROOT, "node_modules/@types"), "--types", "node"],
  ];
}

function execute(cwd: string, command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}
