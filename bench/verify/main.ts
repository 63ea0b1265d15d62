/** `npm run verify:gpu`: the GPU tests and the bench on one adapter, offline; leaves report.json and report.md. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { chooseAdapter } from "../../src/gpu/adapter.ts";
import { runBench } from "../suite.ts";
import { verifyOn } from "./adapters.ts";
import { addResult, isClean, newSection, verifyMarkdown, type VerifyReport } from "./report.ts";
import { runTests } from "./runner.ts";

interface Flags {
  out: string;
  adapter: string;
  quick?: boolean;
  only?: string;
}

/** The test files by section. */
const sections: Record<string, () => Promise<unknown>> = {
  "kernels against references": () => import("../../test/kernels.test.ts"),
  "golden parity": () => import("../../test/parity.test.ts"),
  "real shapes": () => import("../../test/long/blocks.long.ts"),
};

async function verify({ out, adapter, quick = false, only }: Flags): Promise<void> {
  const began = performance.now();
  const found = await chooseAdapter(adapter);
  verifyOn(found);
  process.env.LLAVA_TEST_LONG = quick ? "0" : "1";
  mkdirSync(out, { recursive: true });
  const { name, description, software } = found;
  const report: VerifyReport = { adapter: name, driver: description, software, quick, date: new Date().toISOString(), sections: [], failures: [], seconds: 0 };
  /** After every section, so that a run that is cut short leaves what it found. */
  const save = (): void => {
    report.seconds = (performance.now() - began) / 1e3;
    writeFileSync(join(out, "report.json"), `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(join(out, "report.md"), verifyMarkdown(report));
  };
  const guarded = async (what: string, body: () => Promise<void>): Promise<void> => {
    console.error(`... ${what}`);
    await body().catch((error: unknown) => report.failures.push(`${what}: ${(error as Error).message}`));
    save();
  };

  const parts = only?.split(",").map((part) => part.trim()).filter(Boolean);
  const isWanted = (title: string): boolean => parts === undefined || parts.some((part) => title.includes(part));
  for (const [title, load] of Object.entries(sections).filter(([title]) => isWanted(title))) {
    const section = newSection(title);
    report.sections.push(section);
    await guarded(title, () => runTests(load, (result) => {
      addResult(section, result);
      if (result.error !== undefined) console.error(`FAILED: ${result.name}: ${result.error}`);
    }));
    if (section.passed + section.failed.length === 0) report.failures.push(`${title}: no test ran`);
  }
  if (isWanted("bench")) {
    await guarded("bench", async () => {
      report.bench = await runBench({ adapter: name, quick, only: [], peers: false, progress: (line) => console.error(`... ${line}`) });
    });
  }
  console.log(verifyMarkdown(report));
  if (!isClean(report)) process.exitCode = 1;
}

const program = new Command("npm run verify:gpu --")
  .description("Runs the kernel tests, golden parity, blocks of real models and the bench on one adapter, offline.")
  .requiredOption("--out <folder>", "where report.json and report.md go")
  .option("--adapter <name>", "gpu, software, auto or a part of an adapter's name", "gpu")
  .option("--only <parts>", "parts of the names of sections, with commas: kernels, parity, shapes, bench")
  .option("--quick", "leave out the slow kernel cases and shrink the bench")
  .action(verify);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`verify:gpu: ${(error as Error).message}`);
  process.exitCode = 1;
}
