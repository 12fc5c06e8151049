import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The public entries: each subpath of the package and its source. */
export const PUBLIC_ENTRIES: ReadonlyMap<string, string> = new Map([
  [".", "src/index.ts"],
  ["./doctor", "src/doctor/index.ts"],
  ["./opentelemetry", "src/opentelemetry/index.ts"],
  ["./serve", "src/serve/index.ts"],
  ["./stores", "src/stores/index.ts"],
  ["./testing", "src/testing/index.ts"],
  ["./token-sources", "src/token-sources/index.ts"],
]);

export interface Import {
  readonly specifier: string;
  /** The file it means, from the project's root, when it is one of ours. */
  readonly file: string | undefined;
  readonly typeOnly: boolean;
  readonly reExport: boolean;
  /** An `import()` in the code, which loads the file only when it runs. */
  readonly lazy: boolean;
}

export interface Source {
  /** From the project's root, with forward slashes. */
  readonly path: string;
  readonly lines: number;
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** The TypeScript files of the given folders. */
export function readSources(...folders: string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => posix.join(folder, ...name.split(/[\\/]/)))
      .map((path) => parse(path, readFileSync(join(ROOT, path), "utf8"))),
  );
}

export function parse(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return { path, lines: text.trimEnd().split("\n").length, tree, imports: importsOf(path, tree) };
}

/** Every node, parents before children. */
export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

/** The text of every comment. */
export function commentsOf(source: Source): string[] {
  const text = source.tree.text;
  const ranges = new Map<number, ts.CommentRange>();
  for (const node of nodesOf(source.tree)) {
    if (node.kind === ts.SyntaxKind.JsxText) continue;
    const leading = ts.getLeadingCommentRanges(text, node.pos) ?? [];
    const trailing = ts.getTrailingCommentRanges(text, node.end) ?? [];
    for (const range of [...leading, ...trailing]) ranges.set(range.pos, range);
  }
  return [...ranges.values()].map((range) => text.slice(range.pos, range.end));
}

function importsOf(path: string, tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (
    specifier: ts.Node | undefined,
    { typeOnly = false, reExport = false, lazy = false },
  ) => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return;
    const { text } = specifier;
    const file = text.startsWith(".")
      ? posix.join(posix.dirname(path), text.replace(/\.js$/, ".ts"))
      : undefined;
    found.push({ specifier: text, file, typeOnly, reExport, lazy });
  };
  for (const node of nodesOf(tree)) {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, { typeOnly: importsTypesOnly(node) });
    else if (ts.isExportDeclaration(node))
      add(node.moduleSpecifier, { typeOnly: node.isTypeOnly, reExport: true });
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, { typeOnly: true });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], { lazy: true });
    }
  }
  return found;
}

function importsTypesOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  if (name !== undefined || namedBindings === undefined) return false;
  return (
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}
