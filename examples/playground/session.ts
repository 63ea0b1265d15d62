/** The page's calls of the library. */
import { type FolderSource, Llava, type LoadProgress, type PictureSource } from "llava-webgpu";
import type { ModelFacts, Sight, Timings } from "./state.ts";
import { adapterLabel } from "./words.ts";

/** Where a model lies, and what to call it. */
export interface ModelSource {
  readonly name: string;
  readonly files: FolderSource;
}

export interface Question {
  readonly prompt: string;
  readonly picture?: PictureSource;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

/** The one model that the page talks to; questions wait until it is there. */
export class Session {
  #model: Promise<Llava> | undefined;
  #opening: AbortController | undefined;

  /**
   * Loads a model and then frees the one before, which stays in use if this fails. Ends a load that is still going on,
   * which then rejects with an AbortError. Throws what `Llava.load` throws.
   */
  async open({ name, files }: ModelSource, onProgress: (progress: LoadProgress) => void): Promise<ModelFacts> {
    this.#opening?.abort();
    const opening = (this.#opening = new AbortController());
    const before = this.#model;
    const loading = Llava.load(files, { signal: opening.signal, onProgress });
    this.#model = loading.catch(async (error: unknown) => (await usable(before)) ?? Promise.reject(error));
    // Whoever asks hears of a failure; nobody may be asking yet.
    this.#model.catch(() => undefined);
    const { adapter, config } = await loading;
    await (await usable(before))?.dispose();
    opening.signal.throwIfAborted();
    return { name, kind: config.kind, adapter: adapterLabel(adapter), software: adapter.software };
  }

  /** A picture as the model takes it; undefined if no model could be loaded. Throws what is wrong with the picture. */
  async look(picture: PictureSource, signal: AbortSignal): Promise<Sight | undefined> {
    const llava = await usable(this.#ready(signal));
    if (!llava) return undefined;
    const { pictures, sights } = await llava.prepare({ prompt: "?", images: [picture] }, { signal });
    const [{ bytes, tiles, height, width, grid, resolution }] = pictures;
    return {
      bytes, tiles, height, width, imageTokens: sights[0].table.rows,
      ...(grid && resolution ? { grid: [grid[0], grid[1]], resolution: [resolution[0], resolution[1]] } : {}),
    };
  }

  /** Asks and streams the answer. An aborted signal ends it with what there is. Throws what `Llava.stream` throws. */
  async ask(question: Question): Promise<{ status: "done" | "stopped" | "cut"; timings: Timings }> {
    const { prompt, picture, signal, onText } = question;
    const llava = await this.#ready(signal);
    const began = performance.now();
    let first: number | undefined;
    const answer = llava.stream({ prompt, ...(picture ? { images: [picture] } : {}) }, { signal });
    for (;;) {
      const step = await answer.next();
      first ??= performance.now() - began;
      if (!step.done) {
        onText(step.value);
        continue;
      }
      const { finishReason, promptTokens, tokens, timings } = step.value;
      const { load, vision, decode } = timings;
      return {
        status: finishReason === "aborted" ? "stopped" : finishReason === "length" ? "cut" : "done",
        timings: { load, vision, first, decode, promptTokens, tokens: tokens.length },
      };
    }
  }

  /** The model, as soon as it is loaded; rejects with the signal's reason if that comes first. */
  async #ready(signal: AbortSignal): Promise<Llava> {
    if (this.#model === undefined) throw new Error("no model was opened");
    signal.throwIfAborted();
    let stop!: () => void;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop);
    });
    try {
      return await Promise.race([this.#model, aborted]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}

async function usable(model: Promise<Llava> | undefined): Promise<Llava | undefined> {
  return model?.catch(() => undefined);
}
