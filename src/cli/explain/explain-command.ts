import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { safeText } from "../../runtime/redact.js";
import { EXIT, type ExitCode, wrongUsage } from "../command-failure.js";
import { type CommandSpec, HELP_OPTION, helpText, readOptions } from "../command-spec.js";
import { wrap } from "../layout.js";
import { paintFor } from "../paint.js";
import { print } from "../print.js";
import type { Surroundings } from "../surroundings.js";
import { findSections, type GuideSection, sectionNames } from "./guide-sections.js";

export const SPEC = {
  name: "explain",
  summary: "explain an error code, a verdict, a finding or an error text of STS",
  usage: "NAME",
  about: `
Prints what a name in an error or in a report means, and what to do about it. The name is an error
code (ERR_IDP_UNREACHABLE), a verdict or a finding (jwks-key-not-found). A text in quotes is looked up
among the error messages of STS, boto3, the AWS CLI, Terraform and GitHub Actions.`,
  groups: { Options: ["list", "help"] },
  options: {
    list: { type: "boolean", help: "Print every name that can be explained." },
    ...HELP_OPTION,
  },
  examples: [
    ["The code of an error", "resilient-sts explain ERR_ACCESS_DENIED"],
    ["A finding of the doctor", "resilient-sts explain jwks-key-not-found"],
    ["An error text", 'resilient-sts explain "Incorrect token audience"'],
  ],
} as const satisfies CommandSpec;

/** `resilient-sts explain`. */
export async function explainCommand(args: string[], around: Surroundings): Promise<ExitCode> {
  const words = args.filter((arg) => !arg.startsWith("-"));
  const values = readOptions(
    SPEC,
    args.filter((arg) => arg.startsWith("-")),
  );
  if (values.help) {
    await print(around.stdout, helpText(SPEC));
    return EXIT.fine;
  }
  const folder = guidesOf(around.script);
  if (values.list) {
    await print(around.stdout, `${sectionNames(folder).join("\n")}\n`);
    return EXIT.fine;
  }
  const query = words.join(" ");
  if (query.trim() === "") {
    throw wrongUsage("there is no name; such as resilient-sts explain ERR_ACCESS_DENIED");
  }
  const sections = findSections(folder, query);
  if (sections.length === 0) {
    throw wrongUsage(
      `nothing explains ${JSON.stringify(safeText(query, 80))}; resilient-sts explain --list prints every name`,
    );
  }
  const { columns = 80 } = around.stdout;
  const bold = (text: string) => paintFor(around.stdout, around.env)("bold", text);
  const width = Math.max(40, Math.min(100, columns));
  const texts = sections.map((section) =>
    [
      bold(section.heading),
      ...bodyLines(section.body, width),
      `  ${placeOf(section, folder)}`,
      "",
    ].join("\n"),
  );
  await print(around.stdout, texts.join("\n"));
  return EXIT.fine;
}

/** The guides lie beside the built command's folder; its source is one folder deeper. */
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
