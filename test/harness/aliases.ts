/** Where tests find our modules: the sources, not the build. */
import { fileURLToPath } from "node:url";
import type { Alias } from "vite";

const source = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The conditional modules (`imports` of package.json) for one platform, and the package by its own name. */
export function sourceAliases(platform: "node" | "browser"): Alias[] {
  return [
    { find: "#adapters", replacement: source(`src/gpu/adapters.${platform}.ts`) },
    { find: "#codecs", replacement: source(`src/input/codecs.${platform}.ts`) },
    { find: "#files", replacement: source(`weights/files.${platform}.ts`) },
    { find: "#workers", replacement: source(`src/input/workers.${platform}.ts`) },
    { find: /^llava-webgpu$/, replacement: source("src/index.ts") },
    { find: /^llava-webgpu\/(kernels|tokenizer|weights)$/, replacement: source("$1/index.ts") },
    { find: /^llava-webgpu\/(train|inspect)$/, replacement: source("src/$1/index.ts") },
  ];
}
