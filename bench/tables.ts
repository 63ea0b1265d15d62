/** `npm run bench:tables`: writes bench/results/README.md from the reports in that folder, newest first. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { markdownReport } from "./format.ts";
import type { BenchReport } from "./records.ts";

const folder = fileURLToPath(new URL("results/", import.meta.url));
const reports = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as BenchReport)
  .sort((a, b) => b.environment.date.localeCompare(a.environment.date));
const introduction = `# Results

Written by \`npm run bench:tables\` from the JSON files beside it, which \`npm run bench -- --json FILE\` wrote. Read the ratios: the
machines were shared, and every table says how busy they were.`;
writeFileSync(join(folder, "README.md"), `${[introduction, ...reports.map(markdownReport)].join("\n\n")}\n`);
