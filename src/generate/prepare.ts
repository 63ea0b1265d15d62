/** From a request to model inputs: pictures decoded and cut, the chat template rendered, tokens counted and placed. CPU only. */
import { ChatTemplate, conversationTemplates, findChatTemplate, Tokenizer, TokenizerError } from "../../tokenizer/index.ts";
import type { Folder } from "../../weights/index.ts";
import { decodeImage, type PictureSource } from "../input/decode.ts";
import { flattenMessages, normaliseRequest, type Request, type TemplateMessage } from "../input/messages.ts";
import { gridShape, selectBestResolution, type Size } from "../input/anyres.ts";
import { identityTable, packTable, pooledVideoTable, type RowTable } from "../input/pack.ts";
import { type PictureProcessor, processPicture } from "../input/picture-job.ts";
import { type ProcessedImage, processVideo } from "../input/processors.ts";
import { outputSize, type ProcessorConfig, readProcessorConfig } from "../input/processor-config.ts";
import { encodePrompt, PromptError } from "../input/prompt.ts";
import type { ModelConfig } from "../models/config.ts";
import { TEXT } from "../ops/index.ts";
import type { HostTensor, Sight } from "./runtime.ts";

/** A request ready for the model. */
export interface Prepared {
  /** Token ids with one image token per image row, [n]. */
  readonly inputIds: Int32Array;
  /** Of every picture, [tiles, 3, S, S]; a video's frames are its tiles. */
  readonly pixelValues: HostTensor[];
  /** Sizes of the pictures as they came, [height, width]. */
  readonly imageSizes: [number, number][];
  /** The prompt after the chat template, before image tokens are repeated. */
  readonly prompt: string;
  /** How the pictures were processed, in the order of their places. */
  readonly pictures: ProcessedImage[];
  /** The same, as the runtime takes them. */
  readonly sights: Sight[];
  /** For every token its image row, or TEXT, [n]. */
  readonly source: Uint32Array;
}

const REQUEST: readonly (keyof Request)[] = ["prompt", "system", "messages", "images", "videos", "template"];

/** What a checkpoint's folder says about its inputs. Files are read when they are first needed. */
export class Preparer {
  readonly #tokenizer = once(() => Tokenizer.load(this.folder));
  readonly #processor = once(() => this.#readProcessorConfig());
  readonly #template = once(() => findChatTemplate(this.folder));

  constructor(
    private readonly folder: Folder,
    readonly config: ModelConfig,
    /** Image rows of one tile. */
    private readonly rowsPerTile: number,
  ) {}

  /** Throws `TokenizerError` if the folder has no tokenizer. */
  tokenizer(): Promise<Tokenizer> {
    return this.#tokenizer();
  }

  /** Throws what is wrong with the request, its pictures, or the folder's files. */
  async prepare(request: Request, signal?: AbortSignal): Promise<Prepared> {
    checkRequestNames(request);
    this.#checkKinds(request ?? {});
    const processor = await this.#processor();
    const normalised = normaliseRequest(request, { image: processor.imageToken, video: processor.videoToken });
    this.#checkKinds(normalised);
    const prompt = normalised.rawPrompt ?? (await this.#render(normalised.messages, request.template));
    const images = await Promise.all(normalised.images.map((picture) => this.#image(picture, processor, normalised.images.length, signal)));
    const videos = await Promise.all(normalised.videos.map((frames) => this.#video(frames, processor, signal)));

    const tokenizer = await this.tokenizer();
    const placeholders = [
      { token: processor.imageToken, counts: images.map(({ sight }) => sight.table.rows) },
      { token: processor.videoToken, counts: videos.map(({ sight }) => sight.table.rows) },
    ].filter(({ counts }) => counts.length > 0);
    const ids = encodePrompt(tokenizer, prompt, placeholders, tokenizer.bosToken);
    if (ids.length === 0) throw new PromptError("prompt: expected at least one token, got an empty text; write a question");
    // Rows lie in the runtime in this order: images, then videos.
    const seen = [...images, ...videos];
    return {
      inputIds: Int32Array.from(ids),
      pixelValues: seen.map(({ picture }) => ({ shape: [picture.tiles, picture.channels, picture.height, picture.width], data: picture.pixels })),
      imageSizes: seen.map(({ picture }) => [...picture.originalSize]),
      prompt,
      pictures: seen.map(({ picture }) => picture),
      sights: seen.map(({ sight }) => sight),
      source: this.#placeRows(ids, rowCount(images), rowCount(videos)),
    };
  }

  /**
   * One picture as in a request with `pictures` pictures: its tiles, and how their features become rows.
   * Throws `ImageError` if it cannot be read.
   *
   * @param process reads and processes it; default: on the caller's thread
   */
  async image(
    source: PictureSource,
    pictures: number,
    signal?: AbortSignal,
    process?: PictureProcessor,
  ): Promise<{ picture: ProcessedImage; sight: Sight }> {
    return this.#image(source, await this.#processor(), pictures, signal, process);
  }

  async #readProcessorConfig(): Promise<ProcessorConfig> {
    const optional = async (file: string) => ((await this.folder.has(file)) ? this.folder.json(file) : undefined);
    const [config, preprocessor, processor, video] = await Promise.all(
      ["config.json", "preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"].map(optional),
    );
    if (this.config.kind === "text") return textOnly;
    return readProcessorConfig({ config, preprocessor, processor, video });
  }

  #checkKinds({ images = [], videos = [] }: Pick<Request, "images" | "videos">): void {
    if (this.config.kind === "text" && images.length + videos.length > 0) {
      throw new PromptError(`request: this model reads text only, got ${images.length} images and ${videos.length} videos; use a LLaVA checkpoint`);
    }
    if (videos.length > 0 && this.config.videoToken === undefined) {
      throw new PromptError(`request: a ${this.config.kind} model takes no videos; give frames as images, or use a LLaVA-OneVision checkpoint`);
    }
  }

  async #render(messages: readonly TemplateMessage[], name: string | undefined): Promise<string> {
    const named = name === undefined ? undefined : conversationTemplates.get(name);
    if (named) {
      const turns = flattenMessages(messages).map(({ role, content }) => ({ role: role as "user", text: content }));
      return named.render(turns, { addGenerationPrompt: true });
    }
    if (name === "none") return flattenMessages(messages).map(({ content }) => content).join("");
    if (name !== undefined && !name.includes("{")) {
      throw new TokenizerError(`template: expected "none", a Jinja template or one of ${[...conversationTemplates.keys()].join(", ")}, got "${name}"`);
    }
    const template = name ?? (await this.#template());
    if (template === undefined) {
      throw new TokenizerError(
        `${this.folder.name}: expected a chat template (chat_template.jinja, chat_template.json or in tokenizer_config.json), got none; give template: "none" and a raw prompt, or the name of one: ${[...conversationTemplates.keys()].join(", ")}`,
      );
    }
    // Templates of text-only models take strings; those of LLaVA look at each part's type.
    const content = /\btype\b/.test(template) ? messages.map((message) => ({ ...message })) : flattenMessages(messages);
    return new ChatTemplate(template, await this.tokenizer()).render(content, { addGenerationPrompt: true });
  }

  async #image(source: PictureSource, processor: ProcessorConfig, pictures: number, signal?: AbortSignal, process = processPicture) {
    const picture = await process(source, processor.image, pictures > 1, signal);
    return { picture, sight: { pixels: picture.pixels, tiles: picture.tiles, table: this.#table(picture, processor) } };
  }

  async #video(frames: readonly PictureSource[], processor: ProcessorConfig, signal?: AbortSignal) {
    const images = await Promise.all(frames.map((frame) => decodeImage(frame, signal ? { signal } : {})));
    const picture = processVideo(images, processor.video);
    const table = pooledVideoTable(picture.tiles, this.#side(), "one_token");
    return { picture, sight: { pixels: picture.pixels, tiles: picture.tiles, table } };
  }

  /**
   * How a picture of a given size [height, width] is cut and packed: for batches whose pictures are processed already.
   *
   * @param pictures number of pictures in its sample
   */
  async layout(originalSize: Size, pictures: number): Promise<{ tiles: number; table: RowTable }> {
    const processor = await this.#processor();
    const { tiling } = processor.image;
    if (!tiling || (pictures > 1 && tiling.several === "pad")) return { tiles: 1, table: this.#table({ originalSize }, processor) };
    const grid = gridShape(selectBestResolution(originalSize, tiling.pinpoints), outputSize(processor.image));
    return { tiles: 1 + grid[0] * grid[1], table: this.#table({ originalSize, grid }, processor) };
  }

  /** How one picture's features become rows. */
  #table({ originalSize, grid }: Pick<ProcessedImage, "originalSize" | "grid">, processor: ProcessorConfig): RowTable {
    const { tiling } = processor.image;
    if (!tiling) return identityTable(this.rowsPerTile);
    return packTable({
      side: this.#side(),
      newline: this.config.newline,
      ...(grid ? { grid, originalSize } : {}),
      ...(tiling.maxTiles === undefined ? {} : { maxTiles: tiling.maxTiles }),
    });
  }

  #side(): number {
    const { imageSize, patchSize } = this.config.vision!;
    return Math.floor(imageSize / patchSize);
  }

  #placeRows(ids: readonly number[], imageRows: number, videoRows: number): Uint32Array {
    const { imageToken, videoToken } = this.config;
    const next = { image: 0, video: imageRows };
    const { vocabulary } = this.config.text;
    const source = Uint32Array.from(ids, (id) => {
      if (imageRows > 0 && id === imageToken) return next.image++;
      if (videoRows > 0 && id === videoToken) return next.video++;
      if (id < vocabulary) return TEXT;
      throw new PromptError(
        `prompt: expected token ids below ${vocabulary}, the rows of the embedding, got ${id} from the tokenizer; check that tokenizer.json belongs to these weights`,
      );
    });
    if (next.image !== imageRows || next.video !== imageRows + videoRows) {
      throw new PromptError(
        `prompt: expected ${imageRows + videoRows} image tokens for the image rows, the tokenizer made ${next.image + next.video - imageRows}; check that image_token_index in config.json is the id of <image> in tokenizer.json`,
      );
    }
    return source;
  }
}

/** Refuses misspelt fields of a request: an ignored picture would give an answer about nothing. */
function checkRequestNames(request: Request): void {
  if (typeof request !== "object") return;
  for (const name of Object.keys(request ?? {})) {
    if (!(REQUEST as readonly string[]).includes(name)) throw new PromptError(`request: expected only ${REQUEST.join(", ")}, got "${name}"`);
  }
}

/** Calls `load` at the first need and keeps what it gives; a failure is forgotten, so that the next call tries again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let kept: Promise<T> | undefined;
  return () => {
    if (!kept) {
      kept = load();
      kept.catch(() => (kept = undefined));
    }
    return kept;
  };
}

function rowCount(seen: readonly { readonly sight: Sight }[]): number {
  return seen.reduce((sum, { sight }) => sum + sight.table.rows, 0);
}

/** What stands in for a processor where there are no pictures. */
const textOnly: ProcessorConfig = (() => {
  const none = { padToSquare: false, filter: "bicubic", background: [0, 0, 0] } as const;
  return { image: none, video: none, imageToken: "<image>", videoToken: "<video>" };
})();
