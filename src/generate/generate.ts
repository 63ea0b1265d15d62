/** The loop that turns logits into tokens and tokens into text. */
import { StopStrings, type Tokenizer, TokenStream } from "../../tokenizer/index.ts";
import { TEXT } from "../ops/index.ts";
import type { Prepared } from "./prepare.ts";
import type { Runtime } from "./runtime.ts";
import { OptionError } from "./errors.ts";
import { topLogits } from "./logits.ts";
import { checkOptionNames, checkSignal } from "./options.ts";
import { checkSamplerOptions, Sampler, type SamplerOptions } from "./sampler.ts";

/** How an answer is generated. */
export interface GenerateOptions extends SamplerOptions {
  /** Most tokens of the answer. Default 512; the context bounds it too. */
  readonly maxNewTokens?: number;
  /** The answer ends before any of these texts. */
  readonly stop?: readonly string[];
  /** Keep the n largest logits of every step. */
  readonly topLogits?: number;
  readonly signal?: AbortSignal;
}

export interface StepRecord {
  readonly token: number;
  readonly top: { readonly token: number; readonly logit: number }[];
}

export interface GenerateResult {
  readonly text: string;
  /** Generated token ids, an end token included. */
  readonly tokens: number[];
  readonly promptTokens: number;
  /** "stop": an end token or stop string; "length": the token budget; "aborted": the signal. */
  readonly finishReason: "stop" | "length" | "aborted";
  /** One record per generated token, if `topLogits` was asked for. */
  readonly steps?: StepRecord[];
  /** Milliseconds. `load` is the time that loading the model took. */
  readonly timings: { readonly load: number; readonly vision: number; readonly prefill: number; readonly decode: number };
}

const DEFAULT_MAX_NEW_TOKENS = 512;

const OPTIONS: readonly (keyof GenerateOptions)[] = [
  "maxNewTokens",
  "temperature",
  "topK",
  "topP",
  "minP",
  "repetitionPenalty",
  "seed",
  "stop",
  "topLogits",
  "signal",
];

/** Throws `OptionError` for options that make no sense or are not known. */
export function checkGenerateOptions(options: GenerateOptions): void {
  checkOptionNames(options, OPTIONS);
  checkSamplerOptions(options);
  const { maxNewTokens, topLogits: top, stop, signal } = options;
  checkSignal(signal);
  if (maxNewTokens !== undefined && !(Number.isInteger(maxNewTokens) && maxNewTokens >= 1)) {
    throw new OptionError("maxNewTokens", "an integer of at least 1", maxNewTokens);
  }
  if (top !== undefined && !(Number.isInteger(top) && top >= 0)) throw new OptionError("topLogits", "an integer of at least 0", top);
  if (stop !== undefined && !(Array.isArray(stop) && stop.every((text) => typeof text === "string" && text !== ""))) {
    throw new OptionError("stop", "an array of non-empty strings", stop);
  }
}

/**
 * Generates an answer, yielding text as it becomes certain and returning the whole result.
 * An aborted signal ends it with the reason "aborted"; errors of the model are thrown.
 *
 * @param ends token ids that end an answer
 */
export async function* generate(
  runtime: Runtime,
  tokenizer: Tokenizer,
  prepared: Prepared,
  ends: ReadonlySet<number>,
  load: number,
  options: GenerateOptions,
): AsyncGenerator<string, GenerateResult> {
  const { maxNewTokens = DEFAULT_MAX_NEW_TOKENS, signal, topLogits: top = 0, stop = [] } = options;
  const ids = Array.from(prepared.inputIds);
  const tokens: number[] = [];
  const steps: StepRecord[] = [];
  const stream = new TokenStream(tokenizer, { eager: stop.length > 0 });
  const stops = new StopStrings(stop);
  const sampler = new Sampler(options);
  // The GPU's own argmax spares reading the logits back, unless something looks at them.
  const greedy = !options.temperature && (options.repetitionPenalty ?? 1) === 1 && top === 0;
  const timings = { load, vision: 0, prefill: 0, decode: 0 };
  let text = "";
  let finishReason: GenerateResult["finishReason"] = "length";

  const pick = ({ token, logits }: { token?: number; logits?: Float32Array }): number => {
    const chosen = logits ? sampler.next(logits, ids) : token!;
    if (top > 0) steps.push({ token: chosen, top: topLogits(logits!, top) });
    return chosen;
  };
  const wanted = greedy ? "token" : "logits";

  try {
    let since = performance.now();
    const clock = (phase: "vision" | "prefill" | "decode") => {
      const now = performance.now();
      timings[phase] += now - since;
      since = now;
    };
    runtime.reset();
    await runtime.see(prepared.sights, signal);
    clock("vision");
    let next = pick(await runtime.extend(Uint32Array.from(ids), prepared.source, wanted, { signal }));
    clock("prefill");
    for (;;) {
      tokens.push(next);
      ids.push(next);
      const isEnd = ends.has(next);
      const found = isEnd ? undefined : stops.push(stream.push(next));
      if (found?.text) {
        text += found.text;
        yield found.text;
        since = performance.now();
      }
      if (isEnd || found?.stopped) {
        finishReason = "stop";
        break;
      }
      if (tokens.length >= maxNewTokens || ids.length >= runtime.context) break;
      signal?.throwIfAborted();
      next = pick(await runtime.extend(Uint32Array.of(next), TEXT_ONLY, wanted));
      clock("decode");
    }
  } catch (error) {
    if (!signal?.aborted || error !== signal.reason) throw error;
    finishReason = "aborted";
  }
  const last = stops.push(stream.end());
  const rest = last.text + (last.stopped ? "" : stops.end());
  if (rest) {
    text += rest;
    yield rest;
  }
  return { text, tokens, promptTokens: prepared.inputIds.length, finishReason, ...(top > 0 ? { steps } : {}), timings };
}

/** The source of a generated token: it is text. */
const TEXT_ONLY = Uint32Array.of(TEXT);
