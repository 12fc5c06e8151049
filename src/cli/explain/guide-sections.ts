/**
 * The guides of the package by name: every verdict, error code and finding has one heading, and so has
 * every error text of STS and of the tools that show it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The pages whose third-level headings can be explained. */
const NAMED = ["failures.md", "findings.md"] as const;
const TEXTS = "troubleshooting.md";

/** The part of a page below one heading. */
export interface GuideSection {
  readonly page: string;
  readonly heading: string;
  /** As on GitHub: the part of a link after `#`. */
  readonly anchor: string;
  /** Markdown, without the heading. */
  readonly body: string;
}

/** Shorter texts would be found on every page. */
const MIN_TEXT = 8;

/** The sections about a name, or else about an error text; none when there are none. */
export function findSections(folder: string, query: string): readonly GuideSection[] {
  const wanted = comparable(query);
  const named = NAMED.flatMap((page) => readSections(folder, page)).filter(
    ({ heading }) => comparable(heading) === wanted,
  );
  if (named.length > 0 || wanted.length < MIN_TEXT) return named;
  const texts = readSections(folder, TEXTS);
  const quoting = texts.filter(({ body }) => quotes(body).some((line) => isAbout(line, wanted)));
  // What STS said stands within what a tool says.
  const within = texts.filter(({ heading }) => wanted.includes(comparable(heading)));
  const found = quoting.length > 0 ? quoting.slice(0, 1) : [];
  const all = [...new Set([...within, ...found])];
  if (all.length > 0) return all;
  return texts.filter(({ heading }) => comparable(heading).includes(wanted)).slice(0, 1);
}

/** Every name that has a section, in the order of the pages. */
export function sectionNames(folder: string): readonly string[] {
  return NAMED.flatMap((page) => readSections(folder, page)).map(({ heading }) => heading);
}

function readSections(folder: string, page: string): GuideSection[] {
  const text = readFileSync(join(folder, page), "utf8");
  const parts = text.split(/^(?=#{2,3} )/m).filter((part) => part.startsWith("### "));
  return parts.map((part) => {
    const [line = "", ...rest] = part.split("\n");
    const heading = line.slice("### ".length).trim();
    return { page, heading, anchor: anchorOf(heading), body: rest.join("\n").trim() };
  });
}

/** GitHub's rule for headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

/** The lines of the code blocks: error texts, word for word. */
function quotes(body: string): string[] {
  const blocks = [...body.matchAll(/^```text\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);
  return blocks.flatMap((text) => text.split("\n")).flatMap((line) => comparable(line) || []);
}

function isAbout(known: string, wanted: string): boolean {
  return known.includes(wanted) || wanted.includes(known);
}

/** Without case, and with every run of blanks as one. */
function comparable(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, " ");
}
