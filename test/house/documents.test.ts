import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/sources.js";

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
];

describe("the documents", () => {
  test.each(PAGES)("%s names only files of this project that exist", (page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const named = text.match(/(?<=`)(?:src|test|docs|bench|examples)\/[\w./-]+(?=`)/g) ?? [];
    const missing = named.filter((path) => !/\/FOLDER/.test(path) && !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
  });

  test.each(PAGES)("%s links only to files that exist", (page) => {
    const text = readFileSync(join(ROOT, page), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(
      ([, path]) => path ?? "",
    );
    const missing = links.filter((path) => !existsSync(join(ROOT, page, "..", path)));
    expect(missing).toEqual([]);
  });
});
