/** Who may import whom: the leaf folders, then gpu -> graph -> ops -> nn -> models, and what stands on them. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { conditionalModules, parseSource, readSources, root, targets } from "./harness/sources.ts";
import type { SourceFile } from "./harness/sources.ts";

const leaves = ["errors", "kernels", "tokenizer", "weights"];
const gpu = [...leaves, "src/gpu"];
const graph = [...gpu, "src/graph"];
const ops = [...graph, "src/ops"];
const nn = [...ops, "src/nn"];
const models = [...nn, "src/input", "src/models"];

/** For each layer, the other layers that it may import. */
const allowed: Record<string, readonly string[]> = {
  "errors": [],
  "kernels": ["errors"],
  "tokenizer": ["errors"],
  "weights": ["errors"],
  "src/input": leaves,
  "src/gpu": leaves,
  "src/graph": gpu,
  "src/ops": graph,
  "src/nn": ops,
  "src/models": [...nn, "src/input"],
  "src/generate": models,
  // A recipe loads its model.
  "src/train": [...models, "src/generate", "src"],
  "src/inspect": [...models, "src/generate"],
  // The public API: the files directly under src/.
  "src": [...models, "src/generate", "src/inspect"],
  // It tells its version.
  "src/cli": [...models, "src/generate", "src/train", "src/inspect", "src", "package.json"],
};

/** `src/gpu/tar.ts` -> `src/gpu`, `src/index.ts` -> `src`, `kernels/matmul/matmul.ts` -> `kernels`. */
function layerOf(path: string): string {
  const [top, next, below] = path.split("/");
  return top === "src" && below !== undefined ? `src/${next}` : top;
}

/** The first circle of imports that remain at run time: a list of paths that begins and ends with the same file. */
function findCircle(files: readonly SourceFile[]): string[] | undefined {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): string[] | undefined => {
    const start = trail.indexOf(path);
    if (start >= 0) return [...trail.slice(start), path];
    const file = byPath.get(path);
    if (file === undefined || done.has(path)) return undefined;
    for (const each of file.imports.filter(({ typeOnly }) => !typeOnly)) {
      for (const target of targets(file, each)) {
        const circle = walk(target, [...trail, path]);
        if (circle !== undefined) return circle;
      }
    }
    done.add(path);
    return undefined;
  };
  for (const file of files) {
    const circle = walk(file.path, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

const sources = readSources([...leaves, "src"]);

describe("imports of the sources", () => {
  it("reach files that exist", () => {
    const missing = sources.flatMap((file) => file.imports.flatMap((each) => targets(file, each))
      .filter((target) => !existsSync(join(root, target))).map((target) => `${file.path} -> ${target}`));
    expect(missing).toEqual([]);
  });

  it("stay within the layers", () => {
    const wrong = sources.flatMap((file) => {
      const layer = layerOf(file.path);
      expect(allowed, `${file.path} is in a folder that has no rule`).toHaveProperty([layer]);
      return file.imports.flatMap((each) => targets(file, each))
        .filter((target) => layerOf(target) !== layer && !allowed[layer].includes(layerOf(target)))
        .map((target) => `${file.path} -> ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("go in no circles", () => {
    expect(findCircle(sources)).toBeUndefined();
  });

  it("name Node's modules only where Node alone reads them", () => {
    // The tokenizer loads node:fs/promises when it is given a path, and only then.
    const mayLoad = (path: string): boolean => path.startsWith("tokenizer/");
    const wrong = sources.filter((file) => !file.path.endsWith(".node.ts") && !file.path.startsWith("src/cli/"))
      .flatMap((file) => file.imports
        .filter(({ specifier, dynamic }) => specifier.startsWith("node:") && !(dynamic && mayLoad(file.path)))
        .map(({ specifier }) => `${file.path} -> ${specifier}`));
    expect(wrong).toEqual([]);
  });

  it("name only packages that package.json depends on", () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as
      { dependencies: Record<string, string> };
    const packages = sources.flatMap((file) => file.imports)
      .map(({ specifier }) => specifier)
      .filter((specifier) => !/^([.#]|node:)/.test(specifier))
      .map((specifier) => specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
    expect([...new Set(packages)].filter((name) => !Object.hasOwn(dependencies, name))).toEqual([]);
  });

  it("are written with their extension", () => {
    const wrong = sources.flatMap((file) => file.imports
      .filter(({ specifier }) => specifier.startsWith(".") && !/\.(ts|json|wgsl\?raw)$/.test(specifier))
      .map(({ specifier }) => `${file.path} -> ${specifier}`));
    expect(wrong).toEqual([]);
  });
});

describe("conditional modules", () => {
  it("are the ones of package.json", () => {
    const { imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { imports: object };
    expect(Object.keys(imports).sort()).toEqual(Object.keys(conditionalModules).sort());
  });

  it.each(Object.entries(conditionalModules))("%s exports the same names on both platforms", (_, [node, browser]) => {
    const names = (path: string): string[] =>
      parseSource(path, readFileSync(join(root, path), "utf8")).exports.sort();
    expect(names(node)).toEqual(names(browser));
  });
});

describe("examples", () => {
  // The benchmarks in bench/ may reach inside: they time programs and kernels that the package keeps to itself.
  it("import the package by its name, nothing of ours by path", () => {
    const wrong = readSources(["examples"], { tests: true }).flatMap((file) => file.imports
      .flatMap((each) => targets(file, each))
      .filter((target) => layerOf(target) !== layerOf(file.path))
      .map((target) => `${file.path} -> ${target}`));
    expect(wrong).toEqual([]);
  });
});

describe("the reader of imports", () => {
  it("sees every form", () => {
    const text = `
      import a from "./a.ts"; import type { B } from "./b.ts"; export * from "./c.ts"; export { d } from "./d.ts";
      import "./e.ts"; const f = await import("./f.ts"); let g: import("./g.ts").G;
      export const one = 1, two = 2; export function three() {} export interface Four {}
      const five = 5; export { five };
    `;
    const file = parseSource("x.ts", text);
    const seen = file.imports.map(({ specifier }) => specifier);
    expect(seen).toEqual([..."abcdefg"].map((name) => `./${name}.ts`));
    const typeOnly = file.imports.filter((each) => each.typeOnly).map(({ specifier }) => specifier);
    expect(typeOnly).toEqual(["./b.ts", "./g.ts"]);
    expect(file.exports).toEqual(["*", "d", "one", "two", "three", "Four", "five"]);
  });

  it("sees a circle", () => {
    const files = [["a.ts", "./b.ts"], ["b.ts", "./c.ts"], ["c.ts", "./b.ts"]]
      .map(([path, to]) => parseSource(path, `import ${JSON.stringify(to)};`));
    expect(findCircle(files)).toEqual(["b.ts", "c.ts", "b.ts"]);
  });
});
