/**
 * `resilient-sts explain`: prints what the guides of this package say about a name or an error text.
 * Each verdict, error code and finding has its own heading there, and so has each error text of STS and
 * of the tools that show it.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT, print, wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandSpec, defineCommand, quoted } from "../command-spec.js";
import { paintFor, wrap } from "../terminal-text.js";

const SPEC = {
  argument: [],
  name: "explain",
  usage: "NAME",
  about: `
Prints what a name in an error or in a report means, and what to do about it. The name is an error
code (ERR_IDP_UNREACHABLE), a verdict or a finding (jwks-key-not-found). It can also be an error text
in quotes, from STS, boto3, the AWS CLI, Terraform or GitHub Actions.`,
  groups: { Options: ["list", "help", "version"] },
  options: {
    list: { type: "boolean", help: "Print every name that can be explained." },
    ...COMMON_OPTIONS,
  },
  examples: [
    ["The code of an error", "resilient-sts explain ERR_ACCESS_DENIED"],
    ["A finding of the doctor", "resilient-sts explain jwks-key-not-found"],
    ["An error text", 'resilient-sts explain "Incorrect token audience"'],
  ],
} as const satisfies CommandSpec;

export const EXPLAIN = defineCommand(SPEC, async ({ values, operands }, context) => {
  const folder = guidesOf(context.script);
  if (values.list) {
    await print(context.stdout, `${sectionNames(folder).join("\n")}\n`);
    return EXIT.ok;
  }
  const query = operands.join(" ");
  if (query.trim() === "") {
    throw wrongUsage(
      "there is no name to explain; give one, such as resilient-sts explain ERR_ACCESS_DENIED",
    );
  }
  const sections = findSections(folder, query);
  if (sections.length === 0) {
    throw wrongUsage(
      `there is no explanation of ${quoted(query, 80)}; resilient-sts explain --list prints every name`,
    );
  }
  const { columns = 80 } = context.stdout;
  const bold = (text: string) => paintFor(context.stdout, context.env)("bold", text);
  const width = Math.max(40, Math.min(100, columns));
  const texts = sections.map((section) =>
    [
      bold(section.heading),
      ...bodyLines(section.body, width),
      `  ${placeOf(section, folder)}`,
      "",
    ].join("\n"),
  );
  await print(context.stdout, texts.join("\n"));
  return EXIT.ok;
});

/** The published program is one folder below the package's root; its source and the build for tests are two. */
function guidesOf(script: string): string {
  const here = dirname(script);
  const places = ["../docs", "../../docs"].map((place) => join(here, place));
  return places.find((place) => existsSync(place)) ?? join(here, "../docs");
}

/** Each paragraph is followed by an empty line. */
function bodyLines(body: string, width: number): string[] {
  return body.split(/\n{2,}/).flatMap((paragraph) => {
    const lines = paragraph.split("\n");
    const shown = paragraph.startsWith("```")
      ? lines.slice(1, -1).map((line) => `    ${line}`)
      : lines.flatMap((line) => wrap(withoutMarks(line), width, "  "));
    return [...shown, ""];
  });
}

function placeOf({ page, anchor }: GuideSection, folder: string): string {
  return `${join(folder, page)}#${anchor}`;
}

/** Markdown as plain text: without marks of emphasis, and with only the words of a link. */
function withoutMarks(line: string): string {
  return line
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*/g, "")
    .replace(/`/g, "");
}

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

/** Shorter texts would match on every page. In characters. */
const MIN_TEXT = 8;

/** The sections about a name, or if there are none, about an error text. */
export function findSections(folder: string, query: string): readonly GuideSection[] {
  const wanted = comparable(query);
  const named = NAMED.flatMap((page) => readSections(folder, page)).filter(
    ({ heading }) => comparable(heading) === wanted,
  );
  if (named.length > 0 || wanted.length < MIN_TEXT) return named;
  const texts = readSections(folder, TEXTS);
  const quoting = texts.filter(({ body }) => quotes(body).some((line) => isAbout(line, wanted)));
  // The message of a tool contains the message of STS.
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

/** The lines of the code blocks, which quote error texts literally. */
function quotes(body: string): string[] {
  const blocks = [...body.matchAll(/^```text\n([\s\S]*?)^```/gm)].map(([, text = ""]) => text);
  return blocks.flatMap((text) => text.split("\n")).flatMap((line) => comparable(line) || []);
}

function isAbout(known: string, wanted: string): boolean {
  return known.includes(wanted) || wanted.includes(known);
}

/** The text in lower case, with single blanks. */
function comparable(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, " ");
}
