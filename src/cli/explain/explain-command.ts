/** `resilient-sts explain`: the section of the guides that is about a name or an error text. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXIT, print, wrongUsage } from "../command.js";
import { COMMON_OPTIONS, type CommandSpec, defineCommand } from "../command-spec.js";
import { quoted } from "../option-values.js";
import { paintFor, wrap } from "../terminal-text.js";
import { findSections, type GuideSection, sectionNames } from "./guide-sections.js";

const SPEC = {
  argument: [],
  name: "explain",
  usage: "NAME",
  about: `
Prints what a name in an error or in a report means, and what to do about it. The name is an error
code (ERR_IDP_UNREACHABLE), a verdict or a finding (jwks-key-not-found). A text in quotes is looked up
among the error messages of STS, boto3, the AWS CLI, Terraform and GitHub Actions.`,
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
    throw wrongUsage("there is no name; such as resilient-sts explain ERR_ACCESS_DENIED");
  }
  const sections = findSections(folder, query);
  if (sections.length === 0) {
    throw wrongUsage(
      `nothing explains ${quoted(query, 80)}; resilient-sts explain --list prints every name`,
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

/** The published program is one folder below the package's root, its source and the tests' build two. */
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

/** Markdown as plain text: no marks of emphasis, and of a link only its words. */
function withoutMarks(line: string): string {
  return line
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/\*\*/g, "")
    .replace(/`/g, "");
}
