import type { Tokenizer } from "../tokenizer/index.ts";
import { Checkpoint, type Folder, type FolderSource, openFolder, WeightError } from "../weights/index.ts";
import { type AdapterDescription, chooseAdapter, describeAdapter, describeDevice } from "./gpu/adapter.ts";
import { defaultModel } from "./default-model.ts";
import { Gpu } from "./gpu/gpu.ts";
import { explain } from "./graph/explain.ts";
import { checkGenerateOptions, generate, type GenerateOptions, type GenerateResult } from "./generate/generate.ts";
import { type Prepared, Preparer } from "./generate/prepare.ts";
import { type HostTensor, Runtime } from "./generate/runtime.ts";
import type { PictureSource } from "./input/decode.ts";
import type { Request } from "./input/messages.ts";
import type { PictureProcessor } from "./input/picture-job.ts";
import { checkForwardOptions, checkLoadOptions, type ForwardOptions, type LoadOptions } from "./llava-options.ts";
import { type ModelConfig, parseConfig } from "./models/config.ts";
import { llava } from "./models/llava.ts";
import type { LoadedModel } from "./models/loaded.ts";
import { freeWeights, loadWeights } from "./models/load.ts";
import { DisposedError, Turns } from "./turns.ts";

export interface ForwardResult {
  /** [1, V] or [n, V] */
  readonly logits: HostTensor;
  /** Captured values by path. */
  readonly captured: Record<string, HostTensor>;
}

/** A model, its runtime, and what prepares its inputs. */
export interface LlavaParts {
  readonly loaded: LoadedModel;
  readonly runtime: Runtime;
  readonly preparer: Preparer;
}

/**
 * A LLaVA on a GPU.
 *
 * ```ts
 * const llava = await Llava.load("path/to/checkpoint");
 * const { text } = await llava.generate({ images: ["cat.jpg"], prompt: "What is this?" });
 * await llava.dispose();
 * ```
 *
 * Calls queue up: a second one waits for the first. An aborted or failed call leaves the object usable, unless the device
 * was lost.
 */
export class Llava {
  readonly #turns = new Turns();
  #closing: Promise<void> | undefined;
  readonly #stop = new AbortController();

  private constructor(
    /** The normalised configuration. */
    readonly config: ModelConfig,
    /** The adapter that the model runs on. */
    readonly adapter: AdapterDescription,
    /** What training and inspection build on. Not meant for programs: it may change in any release. */
    readonly parts: LlavaParts,
    private readonly loadTime: number,
  ) {}

  /**
   * Loads a checkpoint in Hugging Face's layout.
   *
   * @param source a folder's path, a URL prefix, or files by name; omitted: the embedded model
   * @throws ConfigError, WeightError, DeviceError, GpuMemoryError, OptionError; the signal's reason if aborted
   */
  static async load(source: FolderSource | undefined = undefined, options: LoadOptions = {}): Promise<Llava> {
    const began = performance.now();
    checkLoadOptions(options);
    const { weights = "auto", adapter = "auto", device, onProgress, signal } = options;
    signal?.throwIfAborted();
    const folder = await openFolder(source ?? defaultModel());
    const optional = "generation_config.json";
    const generation = (await folder.has(optional, signal)) ? await folder.json(optional, signal) : undefined;
    const config = parseConfig(await readConfig(folder, signal), generation);
    const checkpoint = await Checkpoint.open(folder, signal ? { signal } : {});
    let gpu: Gpu | undefined;
    try {
      onProgress?.({ phase: "adapter", done: 0, total: 0 });
      const found = device ? undefined : await chooseAdapter(adapter);
      signal?.throwIfAborted();
      gpu = found ? await Gpu.open(found) : Gpu.wrap(device!);
      const model = llava(config);
      await loadWeights(model.parameters, checkpoint, gpu, {
        weights,
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress: (done: number, total: number) => onProgress({ phase: "weights", done, total }) } : {}),
      });
      const runtime = await Runtime.create(gpu, model, config);
      const preparer = new Preparer(folder, config, model.rowsPerTile);
      const described = found ? describeAdapter(found) : describeDevice(device!);
      const parts = { loaded: { gpu, model, config, folder }, runtime, preparer };
      return new Llava(config, described, parts, performance.now() - began);
    } catch (error) {
      await gpu?.dispose();
      throw error;
    } finally {
      await checkpoint.close();
    }
  }

  /** A request's model inputs: token ids and pixels. No GPU work. Throws what is wrong with the request or its pictures. */
  async prepare(request: Request, { signal }: { signal?: AbortSignal } = {}): Promise<Prepared> {
    this.#checkOpen();
    return this.parts.preparer.prepare(request, signal);
  }

  /** The checkpoint's tokenizer. Throws `TokenizerError` if it has none. */
  async tokenizer(): Promise<Tokenizer> {
    this.#checkOpen();
    return this.parts.preparer.tokenizer();
  }

  /**
   * One picture as the tower takes it. `pictures` is the number of pictures in its sample: OneVision tiles only a single one.
   * `process` reads and processes it; by default that happens on the caller's thread.
   */
  async image(source: PictureSource, pictures = 1, signal?: AbortSignal, process?: PictureProcessor): ReturnType<Preparer["image"]> {
    this.#checkOpen();
    return this.parts.preparer.image(source, pictures, signal, process);
  }

  /** The answer to a request. An aborted signal gives what there is so far, with the reason "aborted". */
  async generate(request: Request, options: GenerateOptions = {}): Promise<GenerateResult> {
    const answer = this.#answer(request, options);
    for (;;) {
      const step = await answer.next();
      if (step.done) return step.value;
    }
  }

  /** The answer's text, piece by piece as it is generated; the generator returns the whole result. */
  stream(request: Request, options: GenerateOptions = {}): AsyncGenerator<string, GenerateResult> {
    return this.#answer(request, options);
  }

  /**
   * One pass over a request without generating: logits, and the values whose paths match `capture`
   * (see the README for the paths). Throws like `generate`.
   */
  async forward(request: Request, options: ForwardOptions = {}): Promise<ForwardResult> {
    checkForwardOptions(options);
    const { capture = [], positions = "last" } = options;
    const both = this.#signals(options.signal);
    const release = await this.#turn(both);
    try {
      const prepared = await this.parts.preparer.prepare(request, both);
      const { runtime } = this.parts;
      const seen = capture.length > 0 && prepared.sights.length > 0 ? await runtime.captureVision(prepared.sights, capture) : {};
      await runtime.see(prepared.sights, both);
      both.throwIfAborted();
      const ids = Uint32Array.from(prepared.inputIds);
      const { logits, captured } = await runtime.captureLanguage(ids, prepared.source, { watch: capture, positions });
      return { logits, captured: { ...seen, ...captured } };
    } catch (error) {
      throw this.#closing ? disposed() : error;
    } finally {
      release();
    }
  }

  /** What one decode step runs: a table of its dispatches with path, kernel, shape, bytes and place in memory. */
  async explain(): Promise<string> {
    const release = await this.#turn();
    try {
      const { runtime } = this.parts;
      return explain(await runtime.decodeProgram(), undefined, { position: runtime.length });
    } finally {
      release();
    }
  }

  /** Ends what runs, frees all GPU memory. Idempotent. Later calls reject with `DisposedError`. */
  dispose(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#stop.abort(disposed());
    await this.#turns.taken;
    await this.parts.runtime.dispose();
    freeWeights(this.parts.loaded.model.parameters, this.parts.loaded.gpu);
    await this.parts.loaded.gpu.dispose();
  }

  async *#answer(request: Request, options: GenerateOptions): AsyncGenerator<string, GenerateResult> {
    checkGenerateOptions(options);
    const signal = this.#signals(options.signal);
    let release: (() => void) | undefined;
    try {
      release = await this.#turn(signal);
      const tokenizer = await this.parts.preparer.tokenizer();
      const prepared = await this.parts.preparer.prepare(request, signal);
      const { eos } = this.config;
      const fallback = tokenizer.eosToken === undefined ? undefined : tokenizer.idOf(tokenizer.eosToken);
      const ends = new Set(eos.length > 0 || fallback === undefined ? eos : [fallback]);
      const answer = generate(this.parts.runtime, tokenizer, prepared, ends, this.loadTime, { ...options, signal });
      for (;;) {
        const step = await answer.next();
        this.#checkOpen();
        if (step.done) return step.value;
        // While the reader holds the text nothing of this call runs, so `dispose` need not wait for the reader.
        this.#stop.signal.addEventListener("abort", release, { once: true });
        try {
          yield step.value;
        } finally {
          this.#stop.signal.removeEventListener("abort", release);
        }
        this.#checkOpen();
      }
    } catch (error) {
      if (this.#closing) throw disposed();
      if (!signal.aborted || error !== signal.reason) throw error;
      const timings = { load: this.loadTime, vision: 0, prefill: 0, decode: 0 };
      const steps = options.topLogits ? { steps: [] } : {};
      return { text: "", tokens: [], promptTokens: 0, finishReason: "aborted", ...steps, timings };
    } finally {
      release?.();
    }
  }

  /** Waits until earlier calls are done; returns what lets the next one go. Throws the signal's reason if aborted. */
  async #turn(signal = this.#stop.signal): Promise<() => void> {
    this.#checkOpen();
    return this.#turns.take(signal);
  }

  #signals(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
  }

  #checkOpen(): void {
    if (this.#closing) throw disposed();
  }
}

/** A folder's `config.json`. Throws `WeightError`, which for a folder of adapters says what to do with them. */
async function readConfig(folder: Folder, signal: AbortSignal | undefined): Promise<unknown> {
  const [file, adapters] = ["config.json", "adapter_config.json"];
  try {
    return await folder.json(file, signal);
  } catch (error) {
    if (!(error instanceof WeightError) || (await folder.has(file, signal)) || !(await folder.has(adapters, signal))) throw error;
    const { base_model_name_or_path: base } = ((await folder.json(adapters, signal)) ?? {}) as { base_model_name_or_path?: unknown };
    const model = typeof base === "string" && base !== "" ? `the base model, ${base},` : "the base model";
    throw new WeightError(`${folder.name}: expected a whole model (${file}), got adapters (${adapters}); load ${model} and call loadLora of llava-webgpu/train with this folder`, { file });
  }
}

function disposed(): DisposedError {
  return new DisposedError("this model was disposed; load it again with Llava.load");
}
