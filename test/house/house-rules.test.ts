import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PUBLIC_ENTRIES, parse, ROOT, readSources, type Source } from "../support/sources.js";
import { badNames, forbidden, realmBound, tooLong } from "./file-rules.js";
import { barrels, cycles, sharedPackages, wrongDirections } from "./import-rules.js";

const library = readSources("src");
const everything = readSources(
  ...["src", "test", "examples", "bench"].filter((folder) => existsSync(join(ROOT, folder))),
);
const entries = [...PUBLIC_ENTRIES.values()];

const tree = (files: Record<string, string>): Source[] =>
  Object.entries(files).map(([path, text]) => parse(path, text));

describe("imports go one way:", () => {
  test("the library keeps the rule", () => expect(wrongDirections(library)).toEqual([]));

  test.each([
    ["up", "src/retry/a.ts", 'import { b } from "../provider/b.js";'],
    ["sideways", "src/sts/a.ts", 'import type { B } from "../token/b.js";'],
    ["out of the foundations", "src/runtime/clock.ts", 'export { b } from "../retry/b.js";'],
    ["lazily", "src/provider/a.ts", 'await import("../doctor/b.js");'],
    ["inside a type", "src/token/a.ts", 'type B = import("../sts/b.js").B;'],
    ["into src/testing", "src/doctor/a.ts", 'import { b } from "../testing/b.js";'],
    ["out of src/testing", "src/testing/x/a.ts", 'import { b } from "../../token/b.js";'],
    ["into the command", "src/index.ts", 'export { b } from "./cli/b.js";'],
    ["into the entry", "src/provider/a.ts", 'import { b } from "../index.js";'],
    ["out of an unknown folder", "src/shed/a.ts", ""],
  ])("the rule finds an import that goes %s", (_, path, text) => {
    expect(wrongDirections(tree({ [path]: text }))).toHaveLength(1);
  });

  test("the rule accepts imports that go down", () => {
    const down = 'import { b } from "../retry/b.js"; import { c } from "../runtime/clock.js";';
    expect(wrongDirections(tree({ "src/provider/a.ts": down }))).toEqual([]);
  });
});

describe("no value is recognized by a class of its own realm:", () => {
  test("the library keeps the rule", () => expect(realmBound(library)).toEqual([]));

  test.each(["Error", "TypeError", "DOMException", "AbortSignal", "Promise", "Date"])(
    "the rule finds instanceof %s",
    (name) => {
      const text = `export const is = (value: unknown) => value instanceof ${name};`;
      expect(realmBound(tree({ "src/sts/a.ts": text }))).toEqual([
        `src/sts/a.ts: instanceof ${name}`,
      ]);
    },
  );
});

describe("imports have no cycle:", () => {
  test("the library keeps the rule", () => expect(cycles(library)).toEqual([]));

  test("the rule finds a cycle of types alone", () => {
    const a = 'import type { B } from "./b.js";';
    const b = 'import type { A } from "./a.js";';
    expect(cycles(tree({ "src/a.ts": a, "src/b.ts": b }))).toEqual([
      "src/a.ts -> src/b.ts -> src/a.ts",
    ]);
  });
});

describe("one folder imports a third-party package:", () => {
  test("the library keeps the rule", () => expect(sharedPackages(library)).toEqual([]));

  test.each([
    ["p-retry", 'import pRetry from "p-retry";'],
    ["jose", 'await import("jose");'],
    ["@aws-sdk/core", 'import type { A } from "@aws-sdk/core/client";'],
    ["@smithy/types", 'import { type A, B } from "@smithy/types";'],
  ])("the rule finds two folders that import %s", (name, text) => {
    const found = sharedPackages(tree({ "src/retry/a.ts": text, "src/preflight/a.ts": text }));
    expect(found).toEqual([`${name}: retry, preflight`]);
  });

  test("the rule accepts the SDK's types everywhere", () => {
    const text =
      'import { type A } from "@smithy/types"; import type { B } from "@aws-sdk/client-sts";';
    expect(sharedPackages(tree({ "src/retry/a.ts": text, "src/sts/a.ts": text }))).toEqual([]);
  });
});

describe("only the public entries export what other files export:", () => {
  test("the library keeps the rule", () => expect(barrels(library, entries)).toEqual([]));

  test.each([
    ["src/retry/index.ts", "export const a = 1;"],
    ["src/retry/all.ts", 'export { a } from "./a.js";'],
  ])("the rule finds %s", (path, text) => {
    expect(barrels(tree({ [path]: text }), entries)).toEqual([path]);
  });

  test("the manifest lists each of them", () => {
    const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
    const { exports, typesVersions } = JSON.parse(manifest) as {
      exports: Record<string, unknown>;
      typesVersions: { "*": Record<string, unknown> };
    };
    const subpaths = [...PUBLIC_ENTRIES.keys()];
    expect(Object.keys(exports).toSorted()).toEqual([...subpaths, "./package.json"].toSorted());
    // For the resolution of TypeScript before 4.7, which does not read `exports`.
    const folders = subpaths.filter((path) => path !== ".").map((path) => path.slice(2));
    expect(Object.keys(typesVersions["*"]).toSorted()).toEqual(folders.toSorted());
  });
});

describe("a file", () => {
  test("has at most 400 lines", () => expect(tooLong(everything)).toEqual([]));
  test("has a meaningful name in kebab-case", () => expect(badNames(everything)).toEqual([]));
  test("has nothing that is forbidden", () => expect(forbidden(everything)).toEqual([]));

  test("with 401 lines is found", () => {
    expect(tooLong(tree({ "src/a.ts": "a;\n".repeat(401) }))).toEqual(["src/a.ts: 401 lines"]);
  });

  test.each(["src/retryLoop.ts", "src/retry/utils.ts", "src/helpers/a.ts", "src/Retry/a.ts"])(
    "with the name %s is found",
    (path) => expect(badNames(tree({ [path]: "" }))).toEqual([path]),
  );

  test.each([
    ["any", "export const a = JSON.parse('') as any;"],
    ["default export", "export default 1;"],
    ["default export", "export default function a() {}"],
    ["default export", "const a = 1; export { a as default };"],
    ["export *", 'export * from "./b.js";'],
    ["export *", 'export * as b from "./b.js";'],
    ["FIX".concat("ME"), `f(/* ${"FIX".concat("ME")} later */);`],
    ["@ts-ignore", `// ${"@ts-".concat("ignore")}\nf();`],
    ["conflict marker", `/**\n${"<".repeat(7)} HEAD\n * a\n */`],
  ])("with %s is found: %s", (name, text) => {
    expect(forbidden(tree({ "src/a.ts": text }))).toEqual([`src/a.ts: ${name}`]);
  });

  test("may have such words in a string", () => {
    expect(
      forbidden(tree({ "src/a.ts": 'export const any = "export default any // @ts-ignore";' })),
    ).toEqual([]);
  });
});

describe("the lock file", () => {
  interface Locked {
    readonly resolved?: string;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  }
  const lockFile = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(lockFile) as { packages: Record<string, Locked> };
  const paths = Object.keys(packages);

  test("names no registry", () => {
    expect(paths.filter((path) => packages[path]?.resolved)).toEqual([]);
  });

  // npm leaves out those that it can't find when it writes the lock, and `npm ci` then refuses the lock.
  test("has the packages of every platform", () => {
    const optional = Object.values(packages).flatMap((locked) =>
      Object.keys(locked.optionalDependencies ?? {}),
    );
    const missing = optional.filter((name) => !paths.some((path) => path.endsWith(`/${name}`)));
    expect(missing).toEqual([]);
  });
});

describe("one program touches the process's arguments, streams and end", () => {
  const TOUCHES = /\bprocess\.(?:argv|exit|exitCode|stdin|stdout|stderr)\b|\bconsole\./;
  const files = (sources: readonly Source[]) =>
    sources.filter(({ tree }) => TOUCHES.test(tree.text)).map(({ path }) => path);

  test("the commands keep the rule", () => {
    const commands = library.filter(({ path }) => path.startsWith("src/cli/"));
    expect(files(commands)).toEqual(["src/cli/bin.ts", "src/cli/main.ts"]);
  });

  test("the rule finds another one", () => {
    const text = "export const end = () => process.exit(1);";
    expect(files(tree({ "src/cli/a.ts": text }))).toEqual(["src/cli/a.ts"]);
  });
});
