import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { IMPORT, type Project, REQUIRE, type Tools, USE } from "./project.js";

/*
 * One row for each runtime, bundler and package manager: what it runs is the smoke program, which gets
 * credentials for one role from the local STS.
 */

const LAMBDA = `${IMPORT}${USE}\nexport const handler = () => main();`;
const CALL_HANDLER = 'require("./lambda.cjs").handler().then((text) => console.log(text));';
const JEST = `${REQUIRE}${USE}
test("gets credentials", async () => {
  const text = await main();
  process.stdout.write(text + "\\n");
  expect(text).toMatch(/^credentials ASIA/);
});`;
const WEBPACK = `
const webpack = require(process.argv[2]);
const output = { path: __dirname + "/webpack", filename: "smoke.cjs" };
const config = { mode: "production", target: "node20", entry: "./smoke.mjs", output };
webpack(config, (error, stats) => {
  if (error ?? stats.hasErrors()) throw error ?? new Error(stats.toString("errors-only"));
  require("./webpack/smoke.cjs");
});`;
const VITE = `
import { pathToFileURL } from "node:url";
const { build } = await import(pathToFileURL(process.argv[2]).href);
const ssr = { noExternal: true, target: "node" };
const output = { entryFileNames: "smoke.mjs" };
await build({ logLevel: "error", ssr, build: { ssr: "smoke.mjs", outDir: "vite", rollupOptions: { output } } });
await import("./vite/smoke.mjs");`;

export interface Row {
  readonly name: string;
  /** What it printed. */
  readonly run: (project: Project, tools: Tools) => Promise<string>;
}

const DENO = ["--quiet", "--allow-env", "--allow-read", "--allow-net", "--allow-sys"];

export const ROWS: readonly Row[] = [
  { name: "Node, import", run: ({ run }) => run(process.execPath, "smoke.mjs") },
  { name: "Node, require", run: ({ run }) => run(process.execPath, "smoke.cjs") },
  { name: "Bun", run: ({ run }, tools) => run(tools.bin("bun"), "smoke.mjs") },
  {
    name: "Deno",
    run: ({ run }, tools) => run(tools.bin("deno"), "run", ...DENO, "smoke.mjs"),
  },
  { name: "Jest", run: runJest },
  { name: "esbuild, ES module", run: (project) => runEsbuild(project, "esm") },
  { name: "esbuild, CommonJS", run: (project) => runEsbuild(project, "cjs") },
  { name: "Lambda, one bundled file", run: runLambda },
  {
    name: "webpack",
    run: async ({ run, write }, tools) => {
      await write("webpack.cjs", WEBPACK);
      return await run(process.execPath, "webpack.cjs", tools.module("webpack"));
    },
  },
  {
    name: "Vite SSR",
    run: async ({ run, write }, tools) => {
      await write("vite.mjs", VITE);
      return await run(process.execPath, "vite.mjs", tools.module("vite/dist/node/index.js"));
    },
  },
  {
    name: "pnpm",
    run: async (project, tools) => {
      await using own = await project.empty();
      const add = ["add", "--ignore-scripts", "--silent", project.tarball];
      await own.run(process.execPath, tools.module("pnpm/bin/pnpm.cjs"), ...add);
      return await own.run(process.execPath, "smoke.mjs");
    },
  },
  { name: "Yarn PnP", run: runYarn },
];

async function runJest({ run, write }: Project, tools: Tools): Promise<string> {
  await write("smoke.test.js", JEST);
  const args = ["--rootDir", ".", "--silent", "--testMatch", "**/smoke.test.js"];
  return await run(process.execPath, tools.module("jest/bin/jest.js"), ...args);
}

async function runEsbuild(project: Project, format: "esm" | "cjs"): Promise<string> {
  const file = format === "esm" ? "esbuild.mjs" : "esbuild.cjs";
  await project.bundle("smoke.mjs", file, format);
  await using own = await project.empty();
  await own.take(file);
  return await own.run(process.execPath, file);
}

/** As a function is deployed: one file in a folder without packages. */
async function runLambda(project: Project): Promise<string> {
  await project.write("lambda.mjs", LAMBDA);
  await project.bundle("lambda.mjs", "lambda.cjs", "cjs");
  await using own = await project.empty();
  await own.take("lambda.cjs");
  await own.write("call.cjs", CALL_HANDLER);
  return await own.run(process.execPath, "call.cjs");
}

async function runYarn(project: Project, tools: Tools): Promise<string> {
  await using own = await project.empty();
  const yarn = (...args: string[]) =>
    own.run(process.execPath, tools.module("@yarnpkg/cli-dist/bin/yarn.js"), ...args);
  await writeFile(join(own.folder, "yarn.lock"), "");
  await yarn("add", `resilient-sts@file:${project.tarball}`);
  return await yarn("node", "smoke.mjs");
}
