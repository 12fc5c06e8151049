import { describe, expect, test } from "vitest";
import { parse, readSources, type Source } from "../support/sources.js";
import { folderOf } from "./import-rules.js";
import {
  importsOfTests,
  retiredProse,
  retiredWords,
  smallFilesOfOneImporter,
  spreadLiterals,
  tooManyParameters,
} from "./shape-rules.js";

const library = readSources("src");
const folders = [...new Set(library.map(({ path }) => folderOf(path)))].toSorted();

const tree = (files: Record<string, string>): Source[] =>
  Object.entries(files).map(([path, text]) => parse(path, text));

/** Small files that one importer has and that are concepts of their own. This limit only goes down. */
const SMALL_FILES_LEFT = 4;

describe("a function takes at most three positional parameters", () => {
  test.each(folders)("holds in src/%s", (folder) => {
    const found = tooManyParameters(library.filter(({ path }) => folderOf(path) === folder));
    expect(found).toEqual([]);
  });

  test.each([
    ["a function", "export function f(a: A, b: B, c: C, d: D) {}", "f"],
    ["a method", "export class K { #m(a: A, b: B, c: C, d: D) {} }", "#m"],
    ["an arrow function", "export const f = (a: A, b: B, c: C, d: D) => a;", "f"],
    ["a type", "export type F = (a: A, b: B, c: C, d: D) => A;", "a function"],
  ])("the rule finds %s with four", (_, text, name) => {
    expect(tooManyParameters(tree({ "src/sts/a.ts": text }))).toEqual([
      `src/sts/a.ts: ${name} takes 4 parameters`,
    ]);
  });

  test("the rule accepts three", () => {
    const text = "export const f = (a: A, b: B, c: C) => a;";
    expect(tooManyParameters(tree({ "src/sts/a.ts": text }))).toEqual([]);
  });
});

describe("a file under 40 lines with one importer belongs in that importer", () => {
  test("holds in the library", () => {
    const found = smallFilesOfOneImporter(library);
    expect(found.length > SMALL_FILES_LEFT ? found : []).toEqual([]);
  });

  const small = { "src/sts/small.ts": "export const a = 1;" };
  const importer = (text: string) => tree({ ...small, "src/sts/large.ts": text });

  test("the rule finds one", () => {
    expect(smallFilesOfOneImporter(importer('import { a } from "./small.js";'))).toEqual([
      "src/sts/small.ts: 1 lines, imported by src/sts/large.ts alone",
    ]);
  });

  test("the rule accepts a lazy seam", () => {
    expect(smallFilesOfOneImporter(importer('await import("./small.js");'))).toEqual([]);
  });
});

describe("no object literal is spread into another", () => {
  test("holds in the library, the benchmarks and the examples", () => {
    expect(spreadLiterals([...library, ...readSources("bench", "examples")])).toEqual([]);
  });

  test("the rule finds one", () => {
    const text = "export const a = { ...{ b, c }, d: 1 };";
    expect(spreadLiterals(tree({ "src/sts/a.ts": text }))).toEqual(["src/sts/a.ts: ...{ b, c }"]);
  });
});

describe("the library, the benchmarks and the examples import nothing from the tests", () => {
  test("holds in all of them", () => {
    expect(importsOfTests([...library, ...readSources("bench", "examples")])).toEqual([]);
  });

  test("the rule finds such an import", () => {
    const text = 'import { world } from "../test/support/world.js";';
    expect(importsOfTests(tree({ "bench/a.ts": text }))).toEqual([
      "bench/a.ts -> test/support/world.ts",
    ]);
  });
});

describe("no identifier has a word that the glossary has replaced", () => {
  test.each(folders)("holds in src/%s", (folder) => {
    const found = retiredWords(library.filter(({ path }) => folderOf(path) === folder));
    expect(found).toEqual([]);
  });

  test.each(["bench", "examples", "test"])("holds in %s", (folder) => {
    expect(retiredWords(readSources(folder))).toEqual([]);
  });

  test.each([
    "look",
    "lookAgain",
    "isLookedAt",
    "REFRESH_GATE",
    "#landing",
    "gaveUp",
    "triedInVain",
    "regionAsked",
    "isAnswered",
  ])("the rule finds %s", (identifier) => {
    const text = `export class K { ${identifier} = 1; }`;
    expect(retiredWords(tree({ "src/sts/a.ts": text }))).toHaveLength(1);
  });

  test.each(["lookup", "delegate", "Closed"])("the rule accepts %s", (identifier) => {
    expect(retiredWords(tree({ "src/sts/a.ts": `export const ${identifier} = 1;` }))).toEqual([]);
  });
});

describe("no comment or text has a word that another one has replaced", () => {
  test("holds in the library", () => expect(retiredProse(library)).toEqual([]));

  test.each([
    ["cannot", "// The file cannot be read."],
    ["at once", "/**\n * It ends at\n * once.\n */"],
    ["request id", "export const a = `the request id` + b;"],
    ["STS answered", 'export const a = "STS answered";'],
  ])("the rule finds %s in %j", (word, text) => {
    expect(retiredProse(tree({ "src/a.ts": text }))).toEqual([`src/a.ts: ${word}`]);
  });

  test("the rule accepts other words", () => {
    const text = "/** STS's response has the request ID. */\nexport const answered = 1;";
    expect(retiredProse(tree({ "src/a.ts": text }))).toEqual([]);
  });
});
