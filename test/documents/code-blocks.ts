import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/sources.js";

/** A fenced block of a page. */
export interface CodeBlock {
  /** `docs/options.md:44`: the line of the fence. */
  readonly place: string;
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

/** README and every guide, from the project's root. */
export const PAGES: readonly string[] = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Every fenced block of every page. */
export const CODE_BLOCKS: readonly CodeBlock[] = PAGES.flatMap((page) => blocksOf(page));

function blocksOf(page: string): CodeBlock[] {
  const text = readPage(page);
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => {
    const [, language = "", block = ""] = match;
    const line = text.slice(0, match.index).split("\n").length;
    return { place: `${page}:${line}`, page, language, text: block };
  });
}

/** Calls of the program in a shell script, a workflow or a manifest: the words after its name. */
export function callsOfProgram(text: string): string[][] {
  const joined = text.replace(/\\\n\s*/g, " ");
  // A list of words, as Kubernetes takes a command.
  const listed = joined.replace(/\[\s*((?:"[^"]*",?\s*)+)\]/g, (_, words: string) =>
    [...words.matchAll(/"([^"]*)"/g)].map(([, word]) => word).join(" "),
  );
  const lines = listed.split("\n").filter((line) => !/^\s*#/.test(line));
  return lines.flatMap((line) => {
    const call = /(?:^|[\s/])(?:resilient-sts|cli\.js) +(\S.*)$/.exec(line)?.[1];
    return call === undefined ? [] : [call.split(/\s+/)];
  });
}
