/** Our sources as syntax trees: what each file imports and exports. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** One `import` or `export ... from`, or a call of `import()`. */
export interface Import {
  /** As written, e.g. `./tensor.ts`, `#files`, `node:fs`. */
  specifier: string;
  dynamic: boolean;
  /** It names types only and is gone after compiling. */
  typeOnly: boolean;
}

export interface SourceFile {
  /** Relative to the root, with slashes. */
  path: string;
  imports: Import[];
  /** The names of everything exported by a declaration or a list, `*` for `export *`. */
  exports: string[];
}

/** Every TypeScript file under the given folders, tests left out unless asked for. */
export function readSources(folders: readonly string[], { tests = false } = {}): SourceFile[] {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) => (readdirSync(join(root, folder), { recursive: true }) as string[])
      .map((file) => join(folder, file).replaceAll("\\", "/")))
    .filter((path) => path.endsWith(".ts") && !path.includes("node_modules/"))
    .filter((path) => tests || !/\.(test|long)\.ts$/.test(path))
    .map((path) => parseSource(path, readFileSync(join(root, path), "utf8")));
}

export function parseSource(path: string, text: string): SourceFile {
  const imports: Import[] = [];
  const exports: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      const { text: specifier } = node.moduleSpecifier as ts.StringLiteral;
      const typeOnly = ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword : node.isTypeOnly;
      imports.push({ specifier, dynamic: false, typeOnly });
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [target] = node.arguments;
      if (ts.isStringLiteralLike(target)) imports.push({ specifier: target.text, dynamic: true, typeOnly: false });
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
      imports.push({ specifier: node.argument.literal.text, dynamic: true, typeOnly: true });
    }
    exports.push(...exportedNames(node));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true));
  return { path, imports, exports };
}

function exportedNames(node: ts.Node): string[] {
  if (ts.isExportDeclaration(node)) {
    if (node.exportClause === undefined) return ["*"];
    if (ts.isNamedExports(node.exportClause)) return node.exportClause.elements.map((element) => element.name.text);
    return [node.exportClause.name.text];
  }
  if (!ts.canHaveModifiers(node)) return [];
  if (!ts.getModifiers(node)?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword)) return [];
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map((each) => each.name.getText());
  const { name } = node as ts.Node & { name?: ts.Identifier };
  return name === undefined ? ["default"] : [name.text];
}

/** The modules of package.json's `imports` and the files that they stand for. */
export const conditionalModules: Record<string, [node: string, browser: string]> = {
  "#adapters": ["src/gpu/adapters.node.ts", "src/gpu/adapters.browser.ts"],
  "#codecs": ["src/input/codecs.node.ts", "src/input/codecs.browser.ts"],
  "#files": ["weights/files.node.ts", "weights/files.browser.ts"],
  "#workers": ["src/input/workers.node.ts", "src/input/workers.browser.ts"],
};

/** The files of ours that an import reaches; none for packages and Node's own modules. */
export function targets(file: SourceFile, { specifier }: Import): string[] {
  if (specifier in conditionalModules) return conditionalModules[specifier];
  if (!specifier.startsWith(".")) return [];
  return [normalize(join(dirname(file.path), specifier.replace(/\?raw$/, ""))).replaceAll("\\", "/")];
}
