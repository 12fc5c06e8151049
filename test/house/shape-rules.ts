import ts from "typescript";
import { commentsOf, nodesOf, type Source } from "../support/sources.js";
import { folderOf } from "./import-rules.js";

const MAX_POSITIONAL = 3;
/** A file below this with one importer belongs in that importer. */
const SMALL_LINES = 40;

/** Words that the glossary has replaced, as parts of an identifier. */
const RETIRED_WORDS = new Set([
  ...[
    "asked",
    "told",
    "beside",
    "gate",
    "landing",
    "lost",
    "overtaken",
    "renewal",
    "resting",
    "shut",
  ],
  ...["tired", "trial", "vain", "visit", "visits"],
  ...["answer", "answered", "answering", "answers", "unanswered"],
  ...["look", "looked", "looking", "looks"],
]);
/** Words that the glossary has replaced in one meaning, by the folders that had it. */
const RETIRED_IN: Readonly<Record<string, readonly string[]>> = {
  credentials: ["slot", "slots"],
  provider: ["slot", "slots", "turn", "turns", "hurry", "hurried"],
  stores: ["turn", "turns"],
  sts: ["stop", "stops"],
};
const RETIRED_PHRASES = /\b(?:gave up|gives up|give up)\b/;
/** Words of comments and texts that another word has replaced, so that each thing has one name. */
const RETIRED_PROSE = new RegExp(
  `\\b(?:${[
    "at once",
    "behaviours?",
    "cannot",
    "colours?",
    "lapse[sd]?",
    "mint(?:s|ed)",
    "used up",
    "(?:access key|account|key|request) ids?(?! *[=:])",
    "(?:STS|issuer|proxy|Redis|region|server|store)(?:'s)? answer(?:s|ed)?",
  ].join("|")})\\b`,
);

/** Functions that take more than three positional parameters. */
export function tooManyParameters(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, tree }) =>
    [...nodesOf(tree)].flatMap((node) => {
      if (!ts.isFunctionLike(node) || node.parameters.length <= MAX_POSITIONAL) return [];
      const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : node);
      const name = named === node ? "a function" : named.getText(tree);
      return [`${path}: ${name} takes ${node.parameters.length} parameters`];
    }),
  );
}

/** Small files that one other file imports, and none of them lazily. */
export function smallFilesOfOneImporter(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, lines }) => {
    if (lines >= SMALL_LINES || path.endsWith("/index.ts")) return [];
    const importers = sources.filter(({ imports }) => imports.some(({ file }) => file === path));
    const isLazy = importers.some(({ imports }) =>
      imports.some(({ file, lazy }) => file === path && lazy),
    );
    const [importer, ...others] = importers;
    if (importer === undefined || others.length > 0 || isLazy) return [];
    return [`${path}: ${lines} lines, imported by ${importer.path} alone`];
  });
}

/** Object literals that are spread into another: `{ ...{ a, b }, c }` is `{ a, b, c }`. */
export function spreadLiterals(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, tree }) =>
    [...nodesOf(tree)]
      .filter((node) => ts.isSpreadAssignment(node))
      .filter(({ expression }) => ts.isObjectLiteralExpression(expression))
      .map((node) => `${path}: ${node.getText(tree).replace(/\s+/g, " ")}`),
  );
}

/** Imports that leave the given folders for `test`. */
export function importsOfTests(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, imports }) =>
    imports.filter(({ file }) => file?.startsWith("test/")).map(({ file }) => `${path} -> ${file}`),
  );
}

/** Identifiers with a retired word in them: `path: identifier (word)`, each once. */
export function retiredWords(
  sources: readonly Source[],
): { readonly path: string; readonly identifier: string; readonly word: string }[] {
  return sources.flatMap(({ path, tree }) => {
    const retiredHere = RETIRED_IN[folderOf(path)] ?? [];
    const identifiers = new Set<string>();
    // Without the tokens between them, which nodesOf() scans the text for.
    const walk = (node: ts.Node): void => {
      if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) identifiers.add(node.text);
      ts.forEachChild(node, walk);
    };
    walk(tree);
    return [...identifiers].flatMap((identifier) => {
      const words = identifier.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])/g)?.map((w) => w.toLowerCase());
      const phrase = RETIRED_PHRASES.exec(words?.join(" ") ?? "")?.[0];
      const word =
        phrase ?? words?.find((each) => RETIRED_WORDS.has(each) || retiredHere.includes(each));
      return word === undefined ? [] : [{ path, identifier, word }];
    });
  });
}

/** Words in comments, string literals and templates that another word has replaced. */
export function retiredProse(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const texts = [...nodesOf(source.tree)].filter(
      (node) => ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node),
    );
    return [...commentsOf(source), ...texts.map((node) => node.getText(source.tree))].flatMap(
      (text) => {
        const word = RETIRED_PROSE.exec(text.replace(/\s+(?:\*\s+)?/g, " "))?.[0];
        return word === undefined ? [] : [`${source.path}: ${word}`];
      },
    );
  });
}
