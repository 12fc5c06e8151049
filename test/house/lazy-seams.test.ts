import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, readSources } from "../support/sources.js";

const sources = new Map(readSources("src").map((source) => [source.path, source]));

/** The files that are loaded with `path`: what it imports statically, and what those import. */
function loadedWith(path: string, loaded = new Set<string>()): Set<string> {
  const source = sources.get(path);
  if (source === undefined || loaded.has(path)) return loaded;
  loaded.add(path);
  for (const { file, typeOnly, lazy } of source.imports) {
    if (file !== undefined && !typeOnly && !lazy) loadedWith(file, loaded);
  }
  return loaded;
}

const ofPreflight = (path: string) => path.startsWith("src/preflight/");

describe("the issuer check", () => {
  test("loads its entry and the reading of the token's issuer with the main entry, and no more", () => {
    const loaded = [...loadedWith("src/index.ts")].filter(ofPreflight).toSorted();
    expect(loaded).toEqual(["src/preflight/issuer-check.ts", "src/preflight/subject.ts"]);
  });

  test("loads everything else with the first check", () => {
    const all = [...sources.keys()].filter(ofPreflight);
    const loaded = loadedWith("src/preflight/run-issuer-check.ts");
    const rest = all.filter((path) => !loaded.has(path)).toSorted();
    expect(rest).toEqual(["src/preflight/issuer-check.ts"]);
  });
});

test("every file that the build keeps apart from the main entry is loaded by import() only", () => {
  const config = readFileSync(join(ROOT, "tsup.config.ts"), "utf8");
  const block = /const lazy = \{([^}]*)\}/.exec(config)?.[1] ?? "";
  const files = [...block.matchAll(/"([^"]+)": "(src\/[^"]+)"/g)];
  const loaded = loadedWith("src/index.ts");
  expect(files.map(([, name]) => name)).toContain("run-issuer-check");
  for (const [, name, path = ""] of files) {
    expect(path).toMatch(new RegExp(`/${name}\\.ts$`));
    expect([...sources.keys()]).toContain(path);
    expect([...loaded]).not.toContain(path);
  }
});
