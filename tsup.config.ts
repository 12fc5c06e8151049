import { readFileSync, writeFileSync } from "node:fs";
import { defineConfig, type Options } from "tsup";

type EsbuildPlugin = NonNullable<Options["esbuildPlugins"]>[number];

const library = {
  index: "src/index.ts",
  doctor: "src/doctor/index.ts",
  testing: "src/testing/index.ts",
  serve: "src/serve/index.ts",
  opentelemetry: "src/opentelemetry/index.ts",
  stores: "src/stores/index.ts",
  "token-sources": "src/token-sources/index.ts",
};

const code = {
  target: "node20.19",
  platform: "node",
  // Maps would be half of the package and point to sources that are not in it. The code is not
  // minified and names the source of each part, so that a stack trace can be read without them.
  sourcemap: false,
  splitting: true,
  removeNodeProtocol: false,
} satisfies Options;

// These publish ES modules only. Node's own require() takes them, Jest's does not before Node 24.9.
const bundledInCjs = ["p-retry", "is-network-error", "jose", "oauth4webapi"];

/**
 * Jest refuses `import()` in CommonJS without a flag, so the CommonJS build loads lazily by
 * `require`. A plain call with a literal, and not esbuild's shim for it, because bundlers must
 * still see which package is meant.
 */
const lazyRequire = {
  name: "lazy-require",
  renderChunk(source: string) {
    const lazy = "Promise.resolve().then(() => require($1))";
    return { code: source.replace(/\bimport\(("[^"\n]+")\)/g, lazy) };
  },
  buildEnd() {
    const notices = bundledInCjs.map((name) => {
      const file = ["jose", "oauth4webapi"].includes(name) ? "LICENSE.md" : "license";
      return `${name}\n\n${readFileSync(`node_modules/${name}/${file}`, "utf8").trim()}\n`;
    });
    writeFileSync("dist/THIRD-PARTY-LICENSES.txt", notices.join(`\n${"-".repeat(72)}\n\n`));
  },
};

/**
 * The AWS SDK runs as CommonJS on Node whoever loads it, but `import` of it parses every file twice
 * to find its exports: by `require` of one small CommonJS file a cold start is a fifth faster. In a
 * bundle there is no such file, and perhaps no URL either; bundlers follow the `import()`.
 */
const LOAD_SDK = `
  import { createRequire } from "node:module";
  export async function loadSdk() {
    try {
      return createRequire(import.meta.url)("./sdk.cjs");
    } catch {
      return await import("./sdk.js");
    }
  }
`;

export const sdkAsCommonJs: EsbuildPlugin = {
  name: "sdk-as-commonjs",
  setup(build) {
    build.onResolve({ filter: /\/sdk\.js$/ }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /\/load-sdk\.ts$/ }, () => ({ contents: LOAD_SDK }));
  },
};

/** The same file for the CommonJS entries. */
const sdkOnce: EsbuildPlugin = {
  name: "sdk-once",
  setup(build) {
    build.onResolve({ filter: /\/sdk\.js$/ }, () => ({ path: "./sdk.cjs", external: true }));
  },
};

/**
 * The parts of the main entry that a start does without. Built apart, they repeat a few functions of
 * the entry; built together, all would load a third file that holds them. A class that is thrown or
 * compared must not cross: each part has its own.
 */
const lazy = {
  "run-issuer-check": "src/preflight/run-issuer-check.ts",
  "shared-refresh": "src/provider/shared-refresh.ts",
};

function lazyApart(extension: string): EsbuildPlugin {
  const filter = new RegExp(`/(${Object.keys(lazy).join("|")})\\.js$`);
  return {
    name: "lazy-apart",
    setup(build) {
      build.onResolve({ filter }, ({ path }) => {
        return { path: path.replace(/^.*\/(.*)\.js$/, `./$1${extension}`), external: true };
      });
    },
  };
}

/**
 * `bin.cjs` loads one CommonJS file by `require`, and the ES modules of the program by `import()`: as
 * `import()` alone it would start Node's loader of ES modules for both.
 */
const bin = {
  name: "bin",
  setup(build) {
    build.onResolve({ filter: /\/stored-credentials\.js$/ }, () => {
      return { path: "./stored-credentials.cjs", external: true };
    });
    build.onResolve({ filter: /\/main\.js$/ }, () => ({ path: "./cli.js", external: true }));
  },
} satisfies EsbuildPlugin;

const requireStoredCredentials = {
  name: "require-stored-credentials",
  renderChunk(source: string) {
    const call = 'import("./stored-credentials.cjs")';
    return { code: source.replace(call, call.replace("import", "require")) };
  },
};

/** Each in one file. */
const lazyEntries = Object.entries(lazy).map(([name, source]) => ({ [name]: source }));

const esm = {
  ...code,
  format: "esm",
  esbuildPlugins: [sdkAsCommonJs],
} satisfies Options;

const cjs = {
  ...code,
  format: "cjs",
  // Rollup turns the chunks into CommonJS; without it sucrase does, and rewrites the syntax too.
  treeshake: true,
  noExternal: bundledInCjs,
  plugins: [lazyRequire],
} satisfies Options;

// Each on its own, and so in one file: what the other entries share with it would be cut into many.
const { index, "token-sources": sources, ...others } = library;
const sdk = { sdk: "src/sts/sdk.ts" };

export default defineConfig([
  { ...esm, entry: { index }, esbuildPlugins: [sdkAsCommonJs, lazyApart(".js")] },
  { ...esm, entry: { "token-sources": sources } },
  ...lazyEntries.map((entry) => ({ ...esm, entry })),
  { ...esm, entry: sdk },
  { ...esm, entry: { ...others, cli: "src/cli/main.ts" } },
  { ...cjs, entry: { index }, esbuildPlugins: [sdkOnce, lazyApart(".cjs")] },
  { ...cjs, entry: { "token-sources": sources } },
  ...lazyEntries.map((entry) => ({ ...cjs, entry })),
  { ...cjs, entry: others, esbuildPlugins: [sdkOnce] },
  { ...cjs, entry: sdk },
  {
    ...{ ...code, format: "cjs", entry: { bin: "src/cli/bin.ts" } },
    // With splitting, tsup turns each `import()` into `require`.
    ...{ splitting: false, esbuildPlugins: [bin], plugins: [requireStoredCredentials] },
  },
  {
    ...{ ...cjs, esbuildPlugins: [sdkOnce] },
    entry: { "stored-credentials": "src/cli/credential-process/stored-credentials.ts" },
  },
  { format: ["esm", "cjs"], entry: library, dts: { only: true } },
]);
