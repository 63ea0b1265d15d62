/** The `llava` command: its words, its errors and its exit status. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { LlavaError } from "../../errors/index.ts";
import { OptionError } from "../generate/errors.ts";
import { version } from "../../package.json";
import { printDevices } from "./devices.ts";
import { type Notes, openNotes } from "./notes.ts";
import { run } from "./run.ts";
import type { RunOptions } from "./run.ts";
import { train, type TrainOptions } from "./train.ts";

/** Exit status of a command that Ctrl-C ended: 128 + SIGINT, as shells have it. */
const INTERRUPTED = 130;

const examples = `
Examples:
  $ llava run --image cat.jpg --prompt "What is this?"
  $ llava run --model path/to/llava-1.5-7b-hf --weights f16 --image a.jpg b.jpg --prompt "What differs?"

Without --model, a small model that comes with the package answers: it knows emoji and little else.`;

/**
 * Runs one command line (without the words "node" and "llava").
 *
 * The first Ctrl-C ends what is generated or trained and keeps what there is; the second ends the process at once. A reader of our
 * output that goes away (`llava ... | head -1`) ends it quietly.
 *
 * @returns the exit status: 0; 1 after an error, told in one line on standard error; 130 after Ctrl-C
 */
export async function main(words: readonly string[]): Promise<number> {
  const verbose = words.includes("--verbose");
  const notes = openNotes(verbose);
  const stop = new AbortController();
  let interrupted = false;
  const onInterrupt = () => {
    interrupted = true;
    stop.abort();
  };
  const onOutputError = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    stop.abort();
  };
  // Once: the second one has its usual effect. (`process.exit` would pull the drivers' libraries from under their threads.)
  process.once("SIGINT", onInterrupt);
  process.stdout.on("error", onOutputError);
  notes.on("error", onOutputError);
  try {
    await commandLine(notes, stop.signal).parseAsync(words.length > 0 ? words : ["--help"], { from: "user" });
    return interrupted ? INTERRUPTED : 0;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    if (stop.signal.aborted || (error instanceof CommanderError && error.exitCode === 0)) return 0;
    notes.write(`${verbose && error instanceof Error && error.stack ? error.stack : `llava: ${describe(error)}`}\n`);
    return 1;
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

/** An error in one line. */
function describe(error: unknown): string {
  // The flag that the user wrote, where the library names its own option.
  if (error instanceof OptionError) return oneLine(`${flagOf(error.option)}: ${error.message.slice(error.option.length + 2)}`);
  if (error instanceof LlavaError) return oneLine(error.message);
  const message = oneLine(error instanceof Error ? error.message : String(error));
  if (error instanceof CommanderError) return message.replace(/^error: /, "");
  return `unexpected error: ${message}; --verbose shows where it came from`;
}

const oneLine = (text: string): string => text.trim().replace(/\s*[\r\n]+\s*/g, " ");

function flagOf(option: string): string {
  return option === "maxNewTokens" ? "--max-tokens" : `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("Expected a number.");
  return value;
}

/** All commands and options. Errors are thrown, not printed. */
function commandLine(notes: Notes, signal: AbortSignal): Command {
  const program = new Command("llava")
    .description("Vision-language models of the LLaVA family on WebGPU.")
    .version(version)
    .helpOption("-h, --help", "show this help")
    .addHelpText("after", examples)
    .exitOverride()
    // main() tells errors itself, in one line.
    .configureOutput({ outputError: () => {} });

  program
    .command("run")
    .description("answer a question about pictures; the answer goes to standard output, all else to standard error")
    .option("--model <dir>", "checkpoint folder or URL, as Hugging Face has it (default: the one in the package)")
    .option("--image <file...>", "pictures (JPEG, PNG, WebP, GIF; paths or URLs); may be repeated")
    .option("--video <file...>", "frames of a video, in order")
    .option("--prompt <text>", "the question; - reads standard input")
    .option("--messages <file.json>", "a conversation instead: [{ role, content }]")
    .option("--system <text>", "system message in front of the prompt")
    .option("--raw", "the prompt as it is, without chat template; <image> stands for a picture")
    .option("--template <name>", "another chat template than the checkpoint's")
    .option("--max-tokens <n>", "most tokens of the answer (default: 512)", number)
    .option("--temperature <t>", "0 takes the likeliest token always (default: 0)", number)
    .option("--top-k <k>", "draw from the k likeliest tokens only", number)
    .option("--top-p <p>", "draw from the likeliest tokens of this total probability", number)
    .option("--min-p <p>", "draw no token this many times less likely than the likeliest", number)
    .option("--repetition-penalty <r>", "above 1: tokens do not come again as easily", number)
    .option("--seed <s>", "the same seed draws the same tokens", number)
    .option("--stop <text...>", "end before this text; may be repeated")
    .option("--weights <type>", "keep weights as f32, f16 or auto (as in the file)", "auto")
    .option("--adapter <name>", "auto, gpu, software, or a part of a name that `llava devices` lists", "auto")
    .option("--json", "one line of JSON with text, tokens and timings instead of the text")
    .option("--no-picture", "do not draw the pictures in the terminal")
    .option("--verbose", "show where an error came from, and what drivers print")
    .action((options: RunOptions) => run(options, notes, signal));

  program
    .command("train <recipe.json>")
    .description("train a model as a recipe says; Ctrl-C leaves a checkpoint that --resume goes on from")
    .option("--resume", "go on from the checkpoint in the recipe's output folder")
    .option("--adapter <name>", "auto, gpu, software, or a part of a name that `llava devices` lists", "auto")
    .option("--json", "one line of JSON with folders and the last evaluation at the end")
    .option("--verbose", "show where an error came from, and what drivers print")
    .action((recipe: string, options: TrainOptions) => train(recipe, options, notes, signal));

  program
    .command("devices")
    .description("list the adapters of this machine, and which one is used by default")
    .option("--json", "as one line of JSON")
    .option("--verbose", "show where an error came from, and what drivers print")
    .action((options: { json?: boolean }) => printDevices(options));

  return program;
}
