import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/sources.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const COMPLETE = {
  version: "1.2.0",
  repository: "https://example.com/a.git",
  bugs: "https://example.com/a/issues",
  homepage: "https://example.com/a",
};

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly integrity?: string }>>;
}

const readJson = <T>(name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8")) as T;

/** What the check says of a project with this manifest and this line in its changelog. */
async function check(manifest: object, heading: string): Promise<string> {
  using folder = temporaryFolder();
  await writeFile(join(folder.path, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder.path, "CHANGELOG.md"), `# Changelog\n\n${heading}\n\n- A change.\n`);
  return await new Promise((resolve) => {
    const script = join(ROOT, ".ci/check-release.mjs");
    execFile(process.execPath, [script], { cwd: folder.path }, (error, _, stderr) =>
      resolve(error === null ? "published" : stderr),
    );
  });
}

describe("npm publish", () => {
  test("runs the check first", () => {
    const { scripts } = readJson<Manifest>("package.json");
    expect(scripts.prepublishOnly).toBe("node .ci/check-release.mjs");
  });

  test("continues with a complete manifest and a dated release", async () => {
    expect(await check(COMPLETE, "## [1.2.0] - 2026-12-01")).toBe("published");
  });

  test.each([
    [["repository"], "package.json has no repository"],
    [["bugs", "homepage"], "package.json has no bugs, no homepage"],
  ])("is refused in one sentence without %j", async (names, problem) => {
    const without = Object.fromEntries(names.map((name) => [name, undefined]));
    const said = await check({ ...COMPLETE, ...without }, "## [1.2.0] - 2026-12-01");
    expect(said).toBe(`Not published: ${problem}; see docs/releasing.md.\n`);
  });

  test.each(["## [1.2.0] - Unreleased", "## [1.1.0] - 2026-11-01"])(
    "is refused without a release date: %s",
    async (heading) => {
      const problem = "CHANGELOG.md has no release date for 1.2.0";
      expect(await check(COMPLETE, heading)).toBe(
        `Not published: ${problem}; see docs/releasing.md.\n`,
      );
    },
  );
});

test("every entry of package-lock.json has an integrity hash", () => {
  const { packages } = readJson<Lockfile>("package-lock.json");
  const without = Object.entries(packages).filter(
    ([path, { integrity }]) => path !== "" && integrity === undefined,
  );
  expect(without.map(([path]) => path)).toEqual([]);
});
