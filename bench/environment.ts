/** Where and when a run happens. */
import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import type { FoundAdapter } from "../src/gpu/adapter.ts";
import type { Gpu } from "../src/gpu/gpu.ts";
import type { Environment } from "./records.ts";

export function environmentOf(found: FoundAdapter, gpu: Gpu, quick: boolean): Environment {
  const processors = cpus();
  return {
    adapter: found.name,
    driver: found.description,
    how: found.how,
    software: found.software,
    subgroupSize: gpu.traits.subgroupSize,
    features: [...gpu.traits.features].sort(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    load: loadavg().map((value) => Math.round(value * 100) / 100),
    commit: commit(),
    date: new Date().toISOString(),
    quick,
  };
}

/** The commit that the working tree stands on, with a `+` if it was changed since; "unknown" outside a repository. */
function commit(): string {
  try {
    const git = (...words: string[]): string => execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    return git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "--untracked-files=no") ? "+" : "");
  } catch {
    return "unknown";
  }
}
