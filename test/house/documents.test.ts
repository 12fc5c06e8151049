import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/sources.js";

const GUIDES = readdirSync(join(ROOT, "docs"))
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`);
const PAGES = [
  "README.md",
  "README.ja.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "examples/README.md",
  "bench/research/README.md",
  ...GUIDES,
];

const read = (page: string) => readFileSync(join(ROOT, page), "utf8");

const withoutCode = (text: string) =>
  text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");

/** The anchors of a page, as GitHub makes them of its headings. */
function anchors(page: string): string[] {
  const headings = read(page)
    .replace(/^```[\s\S]*?^```/gm, "")
    .matchAll(/^#{1,6} (.+)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-"),
  );
}

/** The string literals of a union type or of an object's keys in a source file. */
function literals(file: string, declaration: RegExp): string[] {
  const [, body = ""] = declaration.exec(read(file)) ?? [];
  return [...body.matchAll(/^\s+\| "([\w-]+)"/gm)].map(([, name = ""]) => name);
}

describe("the documents", () => {
  test.each(PAGES)("%s names only files of this project that exist", (page) => {
    const named = read(page).match(/(?<=`)(?:src|test|docs|bench|examples)\/[\w./-]+(?=`)/g) ?? [];
    const missing = named.filter((path) => !/\/FOLDER/.test(path) && !existsSync(join(ROOT, path)));
    expect(missing).toEqual([]);
  });

  test.each(PAGES)("%s links only to files and headings that exist", (page) => {
    const links = [...withoutCode(read(page)).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)];
    const broken = links.flatMap(([, link = ""]) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), path));
      if (!existsSync(join(ROOT, target))) return [link];
      return anchor === undefined || anchors(target).includes(anchor) ? [] : [link];
    });
    expect(broken).toEqual([]);
  });

  test.each(PAGES)("%s has no heading twice", (page) => {
    // A changelog has the same sections in every release.
    if (page === "CHANGELOG.md") return;
    const all = anchors(page);
    expect(all.filter((anchor, index) => all.indexOf(anchor) !== index)).toEqual([]);
  });

  test("README.md has at most 1,400 words", () => {
    expect(read("README.md").split(/\s+/).length).toBeLessThanOrEqual(1_400);
  });

  test("README.md, or CONTRIBUTING.md for maintainers, links to every page of docs", () => {
    const text = read("README.md") + read("CONTRIBUTING.md");
    expect(GUIDES.filter((page) => !text.includes(`](${page})`))).toEqual([]);
  });

  test("the pages of the package link only to files of the package", () => {
    const { files } = JSON.parse(read("package.json")) as { files: string[] };
    const held = [...files, "README.md", "LICENSE"].map(
      (each) => new RegExp(`^${each.replaceAll(".", "\\.").replace("*", "[^/]*")}(?:/|$)`),
    );
    const pages = ["README.md", "SECURITY.md", "CHANGELOG.md", "examples/README.md", ...GUIDES];
    const outside = pages.flatMap((page) =>
      [...withoutCode(read(page)).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map(([, path = ""]) => normalize(join(dirname(page), path)))
        .filter((path) => !held.some((each) => each.test(path))),
    );
    expect(outside).toEqual([]);
  });
});

describe("README.ja.md has, like README.md,", () => {
  const pages = ["README.md", "README.ja.md"].map(read);
  const prose = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, "");

  test.each<[string, (text: string) => unknown[]]>([
    ["headings of the same levels in the same order", (text) => prose(text).match(/^#+ /gm) ?? []],
    ["the same code blocks", (text) => text.match(/^```[\s\S]*?^```$/gm) ?? []],
    [
      "the same links",
      (text) =>
        [...prose(text).matchAll(/\]\(([^)]+)\)/g)]
          .map(([, link = ""]) => link)
          .filter((link) => !link.startsWith("README"))
          .toSorted(),
    ],
    [
      "the same code in its sentences",
      (text) => [...new Set(prose(text).match(/`[^`\n]+`/g))].toSorted(),
    ],
    [
      "the same numbers",
      (text) =>
        (
          withoutCode(text)
            .replace(/\]\([^)]*\)/g, "")
            .match(/\d[\d,.]*\d|\d/g) ?? []
        ).toSorted(),
    ],
  ])("%s", (_, partsOf) => {
    const [english, japanese] = pages.map(partsOf);
    expect(english?.length).toBeGreaterThan(5);
    expect(japanese).toEqual(english);
  });
});

describe("the anchors of the reference pages", () => {
  const names: readonly (readonly [string, string, readonly string[]])[] = [
    [
      "verdict",
      "docs/failures.md",
      literals("src/model/failure.ts", /export type Verdict =([\s\S]*?);\n/),
    ],
    [
      "code",
      "docs/failures.md",
      literals("src/model/errors.ts", /export type WebIdentityErrorCode =([\s\S]*?);\n/),
    ],
    [
      "finding",
      "docs/findings.md",
      literals("src/model/findings.ts", /export type FindingId =([\s\S]*?);\n/),
    ],
  ];

  test.each(names)("include each %s once, in %s", (_, page, known) => {
    expect(known.length).toBeGreaterThan(10);
    const all = anchors(page);
    const counted = known.filter(
      (name) => all.filter((anchor) => anchor === name.toLowerCase()).length !== 1,
    );
    expect(counted).toEqual([]);
  });

  test("include no finding that does not exist", () => {
    const [, , known = []] = names[2] ?? [];
    const described = [...read("docs/findings.md").matchAll(/^### (.+)$/gm)].map(([, id]) => id);
    expect(described.filter((id) => !known.includes(id ?? ""))).toEqual([]);
  });
});
