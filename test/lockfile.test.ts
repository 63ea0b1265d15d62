import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./harness/sources.ts";

interface LockedPackage {
  version: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as
  { packages: Record<string, LockedPackage> };

/** Looks a dependency up as Node does: in the package's own node_modules, then in those above it. */
function isLocked(from: string, name: string): boolean {
  const path = from === "" ? `node_modules/${name}` : `${from}/node_modules/${name}`;
  if (Object.hasOwn(packages, path)) return true;
  return from !== "" && isLocked(from.slice(0, Math.max(0, from.lastIndexOf("node_modules/") - 1)), name);
}

describe("package-lock.json", () => {
  it("holds every dependency, those for other platforms too, or `npm ci` refuses it", () => {
    // npm leaves out what its registry does not have: add such entries by hand (version, cpu, os, dev, optional).
    const missing = Object.entries(packages).flatMap(([path, { dependencies, optionalDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies })
        .filter((name) => !isLocked(path, name))
        .map((name) => `${name} of ${path}`));
    expect(missing).toEqual([]);
  });

  it("names no private registry", () => {
    expect(Object.keys(packages).length).toBeGreaterThan(50);
    expect(JSON.stringify(packages)).not.toMatch(/"resolved":"(?!https:\/\/registry\.npmjs\.org\/)/);
  });
});
