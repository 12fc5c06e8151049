import ts from "typescript";
import { commentsOf, nodesOf, type Source } from "../support/sources.js";

const MAX_LINES = 400;
const KEBAB_CASE = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
const NOUNS_THAT_SAY_NOTHING = /^(?:util|helper|common|misc|shared|lib)s?$/;
// Spelled in parts so that a search for the words themselves comes up empty.
const UNFINISHED = new RegExp(`\\b(?:${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);
/** The SDK's plugin type takes any command; `unknown` would refuse the SDK's own plugins. */
const ANY_IS_THE_SDKS = new Set(["src/sts/target.ts"]);
const SILENCED = /@ts-(?:ignore|nocheck)/;
const CONFLICT = /^(?:<{7}|>{7}) /m;

export function tooLong(sources: readonly Source[]): string[] {
  return sources
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
}

/** Folders and files that are not kebab-case, or whose name says nothing. */
export function badNames(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) =>
      path
        .replace(/(?:\.test)?\.ts$/, "")
        .split("/")
        .some((part) => !KEBAB_CASE.test(part) || NOUNS_THAT_SAY_NOTHING.test(part)),
    )
    .map(({ path }) => path);
}

/** Classes of the language and of Node. */
const BUILT_IN = /(?:Error|Exception|Promise|Date|Signal|Stream|Event|Map|Set|Array|Buffer|URL)$/;
const OWN_ERROR = /^(?:AttemptError|WebIdentityError)$/;

/**
 * `instanceof` of a built-in class: it is false for a value of another realm. The command line runs
 * in a process, and so a realm, of its own.
 */
export function realmBound(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, tree }) => {
    if (path.startsWith("src/cli/")) return [];
    return [...nodesOf(tree)].flatMap((node) => {
      const isTest =
        ts.isBinaryExpression(node) &&
        node.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword &&
        BUILT_IN.test(node.right.getText(tree)) &&
        !OWN_ERROR.test(node.right.getText(tree));
      return isTest ? [`${path}: instanceof ${node.right.getText(tree)}`] : [];
    });
  });
}

/** `any`, default exports, `export *`, unfinished work, silenced checks and conflict markers. */
export function forbidden(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const found = new Set<string>();
    for (const node of nodesOf(source.tree)) {
      const name = forbiddenNode(node);
      if (name !== undefined) found.add(name);
    }
    for (const comment of commentsOf(source)) {
      const words = UNFINISHED.exec(comment) ?? SILENCED.exec(comment);
      if (words !== null) found.add(words[0]);
    }
    if (CONFLICT.test(source.tree.text)) found.add("conflict marker");
    if (ANY_IS_THE_SDKS.has(source.path)) found.delete("any");
    return [...found].map((name) => `${source.path}: ${name}`);
  });
}

function forbiddenNode(node: ts.Node): string | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) return "any";
  if (ts.isExportAssignment(node)) return "default export";
  if (ts.isExportSpecifier(node) && node.name.text === "default") return "default export";
  if (node.kind === ts.SyntaxKind.DefaultKeyword && isModifierOfDeclaration(node)) {
    return "default export";
  }
  if (
    ts.isExportDeclaration(node) &&
    !(node.exportClause && ts.isNamedExports(node.exportClause))
  ) {
    return "export *";
  }
  return undefined;
}

function isModifierOfDeclaration(node: ts.Node): boolean {
  const declaration = node.parent;
  return ts.canHaveModifiers(declaration) && !!declaration.modifiers?.some((m) => m === node);
}
