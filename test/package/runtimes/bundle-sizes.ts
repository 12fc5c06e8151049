import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { ROOT } from "../../support/sources.js";
import type { Project } from "./project.js";

/*
 * How large a bundle gets by one import. The table in docs/runtimes.md is written from here, and a check
 * compares it with what is measured.
 */

const GUIDE = join(ROOT, "docs/runtimes.md");
const TABLE = /(<!-- sizes -->\n\n)[\s\S]*?(\n\n<!-- end of sizes -->)/;
/** New versions of the dependencies change the sizes too. */
const TOLERANCE = 0.1;

const DEPENDENCIES = ["@aws-sdk/*", "@smithy/*", "jose", "p-retry", "oauth4webapi"];

const ENTRIES = [
  { name: "`fromTokenFile`, code that is loaded at the start", external: [...DEPENDENCIES, "./*"] },
  { name: "`fromTokenFile`, all code of this package", external: DEPENDENCIES },
  {
    name: "`fromTokenFile` with all dependencies, the AWS SDK's STS client included",
    external: [],
  },
];

interface Size {
  readonly name: string;
  readonly minified: number;
  readonly gzip: number;
}

export async function measureSizes(project: Project): Promise<Size[]> {
  const source = 'export { fromTokenFile } from "resilient-sts";';
  await project.write("size.mjs", source);
  return await Promise.all(
    ENTRIES.map(async ({ name, external }) => {
      const { outputFiles } = await build({
        ...{ entryPoints: [join(project.folder, "size.mjs")], external, write: false },
        ...{ bundle: true, minify: true, format: "esm", platform: "node", target: "node20" },
        mainFields: ["module", "main"],
      });
      const [file] = outputFiles;
      const contents = file?.contents ?? new Uint8Array();
      return { name, minified: contents.length, gzip: gzipSync(contents).length };
    }),
  );
}

const kilobytes = (bytes: number) => `${Math.round(bytes / 1000)} kB`;

function tableOf(sizes: readonly Size[]): string {
  const head = "| import | minified | gzip |\n| --- | --- | --- |";
  const rows = sizes.map(
    ({ name, minified, gzip }) => `| ${name} | ${kilobytes(minified)} | ${kilobytes(gzip)} |`,
  );
  return [head, ...rows].join("\n");
}

export async function writeSizes(sizes: readonly Size[]): Promise<void> {
  const guide = await readFile(GUIDE, "utf8");
  await writeFile(GUIDE, guide.replace(TABLE, `$1${tableOf(sizes)}$2`));
}

/** The rows of the guide that are out of date. */
export async function outdatedSizes(sizes: readonly Size[]): Promise<string[]> {
  const guide = await readFile(GUIDE, "utf8");
  return sizes.flatMap(({ name, minified, gzip }) => {
    const row = guide.split("\n").find((line) => line.startsWith(`| ${name} `)) ?? "";
    const [stated = 0, statedGzip = 0] = [...row.matchAll(/(\d+) kB/g)].map(([, kB]) => Number(kB));
    const isRight = (bytes: number, kB: number) =>
      Math.abs(bytes / 1000 - kB) <= Math.max(1, kB * TOLERANCE);
    if (isRight(minified, stated) && isRight(gzip, statedGzip)) return [];
    return [`${name}: ${kilobytes(minified)} minified, ${kilobytes(gzip)} gzip; the guide: ${row}`];
  });
}
