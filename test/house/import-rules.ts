import type { Source } from "../support/sources.js";

/** What each folder may import besides itself and the foundations. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  model: [],
  runtime: [],
  retry: [],
  token: [],
  sts: [],
  preflight: [],
  "token-sources": [],
  stores: [],
  opentelemetry: [],
  testing: [],
  credentials: ["retry", "token", "sts", "preflight"],
  provider: ["retry", "token", "sts", "preflight", "credentials", "stores"],
  serve: ["provider"],
  doctor: [
    ...["retry", "token", "sts", "preflight", "credentials"],
    ...["stores", "token-sources", "provider"],
  ],
  // The command may offer the local servers; nothing else may lean on a test wing.
  cli: [
    ...["retry", "token", "sts", "preflight", "credentials"],
    ...["stores", "token-sources", "provider", "serve", "doctor", "testing"],
  ],
  entry: ["retry", "token", "sts", "preflight", "credentials", "provider"],
};

/** The vocabulary and the seams to the machine, which every folder may use. */
const FOUNDATIONS = ["model", "runtime"];

/** Packages that need more than one folder, and which. */
const SHARED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  jose: ["preflight", "stores", "testing"],
};

/** Their types are the vocabulary of the whole library. */
const TYPES_ANYWHERE = new Set(["@smithy/types", "@aws-sdk/client-sts"]);

/** The folder of a source file that the rules count by. */
export function folderOf(path: string): string {
  const [, folder = "", rest] = path.split("/");
  return rest === undefined && folder === "index.ts" ? "entry" : folder;
}

/** Imports that go up, sideways, or into a folder that does not exist. */
export function wrongDirections(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const folder = folderOf(source.path);
    const allowed = BELOW[folder];
    if (allowed === undefined) return [`${source.path}: no such folder`];
    const reachable = new Set([folder, ...(folder === "runtime" ? [] : FOUNDATIONS), ...allowed]);
    return source.imports
      .filter(({ file }) => file !== undefined && !reachable.has(folderOf(file)))
      .map(({ file }) => `${source.path} -> ${file}`);
  });
}

/** Every cycle of imports once; imports of types count. */
export function cycles(sources: readonly Source[]): string[] {
  const found: string[] = [];
  const next = new Map(sources.map(({ path, imports }) => [path, imports.map(({ file }) => file)]));
  const done = new Set<string>();
  const follow = (path: string, trail: readonly string[]) => {
    const start = trail.indexOf(path);
    if (start !== -1) found.push([...trail.slice(start), path].join(" -> "));
    if (start !== -1 || done.has(path)) return;
    for (const file of next.get(path) ?? []) {
      if (file !== undefined) follow(file, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of sources) follow(path, []);
  return found;
}

/** Third-party packages that more than one folder imports. */
export function sharedPackages(sources: readonly Source[]): string[] {
  const folders = new Map<string, Set<string>>();
  for (const source of sources) {
    for (const { specifier, file, typeOnly } of source.imports) {
      if (file !== undefined || specifier.startsWith("node:")) continue;
      const name = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
      if (typeOnly && TYPES_ANYWHERE.has(name)) continue;
      folders.set(name, (folders.get(name) ?? new Set()).add(folderOf(source.path)));
    }
  }
  return [...folders]
    .filter(([name, users]) => {
      const allowed = SHARED_PACKAGES[name];
      return allowed ? [...users].some((folder) => !allowed.includes(folder)) : users.size > 1;
    })
    .map(([name, users]) => `${name}: ${[...users].join(", ")}`);
}

/** Files that pass on what other files of ours export, and are no public entry. */
export function barrels(sources: readonly Source[], entries: readonly string[]): string[] {
  return sources
    .filter(({ path, imports }) => {
      if (entries.includes(path)) return false;
      const passesOn = imports.some(({ reExport, file }) => reExport && file !== undefined);
      return passesOn || path.endsWith("/index.ts");
    })
    .map(({ path }) => path);
}
