/** `npm run bench`: verifies, then times, then prints tables or JSON. */
import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { plainReport } from "./format.ts";
import { runBench } from "./suite.ts";

interface Flags {
  json?: string | true;
  adapter: string;
  quick?: boolean;
  only?: string;
  peers: string | boolean;
  smollm2?: string;
  python?: string;
}

const program = new Command("npm run bench --")
  .description("Checks the kernels against their CPU references, then times them, the peers, whole models, and training.")
  .argument("[parts...]", "the same as --only: `npm run bench -- train`")
  .option("--json [file]", "write the report as JSON to a file, or print it instead of the tables")
  .option("--adapter <name>", "auto, gpu, software or a part of an adapter's name", "auto")
  .option("--quick", "smaller sizes and fewer rounds: shows that it works, not how fast")
  .option("--only <parts>", "sections (kernels, overhead, model, train) or parts of workload names, with commas; peaks always run")
  .option("--peers <folder>", "folder with onnxruntime-node installed (default: bench/peers, see `npm run bench:peers`)")
  .option("--no-peers", "without other libraries")
  .option("--smollm2 <folder>", "also time this SmolLM2-135M-Instruct checkpoint")
  .option("--python <program>", "also train beside us in PyTorch: a Python that has torch and transformers")
  .action(async (parts: readonly string[], flags: Flags) => {
    const report = await runBench({
      adapter: flags.adapter,
      quick: flags.quick ?? false,
      only: [...parts, ...(flags.only?.split(",") ?? [])].map((part) => part.trim()).filter(Boolean),
      peers: flags.peers === true ? undefined : flags.peers,
      ...(flags.smollm2 ? { smollm2: flags.smollm2 } : {}),
      ...(flags.python ? { python: flags.python } : {}),
      progress: (line) => console.error(`... ${line}`),
    });
    const json = `${JSON.stringify(report, null, 1)}\n`;
    if (flags.json === true) process.stdout.write(json);
    else console.log(plainReport(report));
    if (typeof flags.json === "string") writeFileSync(flags.json, json);
    if (report.failures.length > 0) process.exitCode = 1;
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
