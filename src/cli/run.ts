/** `llava run`: one question, one answer. */
import { readFile } from "node:fs/promises";
import { addAbortSignal } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../../errors/index.ts";
import { parseJson } from "../../weights/json.ts";
import { defaultModel } from "../default-model.ts";
import { checkGenerateOptions, type GenerateOptions, type GenerateResult } from "../generate/generate.ts";
import type { AdapterDescription } from "../gpu/adapter.ts";
import { decodeImage } from "../input/decode.ts";
import type { Image } from "../input/image.ts";
import type { Message, Request } from "../input/messages.ts";
import { Llava } from "../llava.ts";
import type { LoadOptions } from "../llava-options.ts";
import { duration } from "./format.ts";
import type { Notes } from "./notes.ts";
import { colourDepth, drawPicture } from "./picture.ts";
import { ProgressLine } from "./progress.ts";

/** The options of the command line. */
export interface RunOptions {
  readonly model?: string;
  readonly image?: readonly string[];
  readonly video?: readonly string[];
  readonly prompt?: string;
  readonly messages?: string;
  readonly system?: string;
  readonly raw?: boolean;
  readonly template?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly weights: string;
  readonly adapter: string;
  readonly json?: boolean;
  readonly picture: boolean;
}

/** A command line that cannot be right. */
export class CommandError extends LlavaError {
  override name = "CommandError";
}

/** Most character cells that a picture may take in the terminal. */
const PICTURE = { columns: 48, rows: 18 };
/** Most pictures that are drawn. */
const PICTURES = 4;

/**
 * Answers, streaming the text to standard output. What needs no model (options, files, pictures) is checked before one is
 * loaded. When `signal` aborts, the answer ends where it is.
 */
export async function run(options: RunOptions, notes: Notes, signal: AbortSignal): Promise<void> {
  const { json = false, model, adapter, weights } = options;
  const { stdout } = process;
  const generation = { ...generateOptions(options), signal };
  checkGenerateOptions(generation);
  const request = await readRequest(options, signal);
  if (options.picture && !json) drawPictures([...request.images, ...request.videos.flat()], notes);

  const progress = notes.isTTY && !json ? new ProgressLine(notes) : undefined;
  const loading = { weights: weights as LoadOptions["weights"], adapter, signal, onProgress: progress?.update };
  const llava = await Llava.load(model, loading).finally(() => progress?.clear());
  try {
    progress?.show("reading the question");
    const answer = llava.stream(request, generation);
    let step = await answer.next().finally(() => progress?.clear());
    for (; !step.done; step = await answer.next()) if (!json) stdout.write(step.value);
    if (json) {
      const { limits: _limits, features: _features, ...named } = llava.adapter;
      stdout.write(`${JSON.stringify({ ...step.value, adapter: named, model: model ?? fileURLToPath(defaultModel()) })}\n`);
      return;
    }
    // Whoever read the answer may be gone.
    if (!stdout.writable) return;
    stdout.write("\n");
    notes.write(`${summary(step.value, llava.adapter)}\n`);
    if (llava.adapter.software && adapter === "auto" && !signal.aborted) notes.write(`${advice(llava.adapter)}\n`);
  } finally {
    await llava.dispose();
  }
}

/** Draws the first pictures, where there is a terminal that can show them. */
function drawPictures(pictures: readonly Image[], notes: Notes): void {
  const depth = colourDepth(notes);
  if (depth === undefined) return;
  const columns = Math.min(PICTURE.columns, notes.columns ?? PICTURE.columns);
  for (const picture of pictures.slice(0, PICTURES)) notes.write(`${drawPicture(picture, columns, PICTURE.rows, depth)}\n`);
}

function generateOptions(options: RunOptions): GenerateOptions {
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop } = options;
  return { maxNewTokens: maxTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop };
}

/** A request whose pictures are decoded, so that a bad one is told before the model is loaded. */
type ReadRequest = Request & { readonly images: readonly Image[]; readonly videos: readonly (readonly Image[])[] };

async function readRequest(options: RunOptions, signal: AbortSignal): Promise<ReadRequest> {
  const { prompt, messages, system, raw = false, template, image = [], video = [] } = options;
  if ((prompt === undefined) === (messages === undefined)) {
    const got = prompt === undefined ? "neither" : "both";
    throw new CommandError(`run: give either --prompt or --messages, got ${got}; try: llava run --image cat.jpg --prompt "What is this?"`);
  }
  if (raw && template !== undefined) throw new CommandError("run: --raw is no template at all, so --template cannot go with it");
  const decode = (path: string) => decodeImage(path, { signal });
  const images = await Promise.all(image.map(decode));
  const frames = await Promise.all(video.map(decode));
  return {
    prompt: prompt === "-" ? await readInput(signal) : prompt,
    messages: messages === undefined ? undefined : await readMessages(messages),
    system,
    template: raw ? "none" : template,
    images,
    videos: frames.length > 0 ? [frames] : [],
  };
}

/** Standard input without its last line break. */
async function readInput(signal: AbortSignal): Promise<string> {
  addAbortSignal(signal, process.stdin);
  return (await text(process.stdin)).replace(/\r?\n$/, "");
}

/** A list of messages, or an object that holds one. */
async function readMessages(path: string): Promise<readonly Message[]> {
  const content = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    const problem = cause.code === "ENOENT" ? "there is no such file" : cause.message;
    throw new CommandError(`--messages: cannot read ${path}: ${problem}`, { cause });
  });
  const value = parseJson(content, path) as { readonly messages?: unknown } | null;
  const list = Array.isArray(value) ? value : value?.messages;
  if (Array.isArray(list)) return list as Message[];
  throw new CommandError(`--messages: expected ${path} to hold a list of { role, content }, got ${value === null ? "null" : typeof value}`);
}

/** One line: how long each part took, and on what. */
function summary({ tokens, promptTokens, finishReason, timings }: GenerateResult, adapter: AdapterDescription): string {
  const { load, vision, prefill, decode } = timings;
  // The prefill gives the first token.
  const rate = tokens.length > 1 && decode > 0 ? `, ${(((tokens.length - 1) * 1000) / decode).toFixed(1)} tokens/s` : "";
  const parts = [
    `load ${duration(load)}`,
    `vision ${duration(vision)}`,
    `prefill ${duration(prefill)} (${promptTokens} tokens)`,
    `decode ${duration(decode)} (${tokens.length} tokens${rate})`,
  ];
  const ending = { stop: "", length: "ended by the token limit, ", aborted: "interrupted, " }[finishReason];
  return `[${ending}${parts.join(", ")}; ${adapter.name}]`;
}

/** What to do about a slow adapter. */
function advice({ name }: AdapterDescription): string {
  if (process.platform === "linux" && !/llvmpipe/.test(name)) {
    return "This adapter computes on the CPU. A GPU with its Vulkan driver is much faster; "
      + "without one, Mesa 23 or newer helps: apt-get install mesa-vulkan-drivers";
  }
  return "This adapter computes on the CPU. A GPU with its driver is much faster; `llava devices` lists what is found.";
}
