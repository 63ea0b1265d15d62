import { shown } from "../../../errors/index.ts";
import type { Tokenizer } from "../../../tokenizer/tokenizer.ts";
import { checkOptionNames } from "../../generate/options.ts";
import type { PictureSource } from "../../input/decode.ts";
import { ImageError } from "../../input/image.ts";
import type { PictureProcessor } from "../../input/picture-job.ts";
import type { ProcessedImage } from "../../input/processors.ts";
import type { ModelConfig, TextConfig } from "../../models/config.ts";
import { checkConversationOptions, defaultMaxLength, encodeConversation, expandConversation } from "./conversation.ts";
import type { ConversationOptions } from "./conversation.ts";
import { checkChoice, DataError, EmptyBatchError, SampleError } from "./error.ts";
import { ignoreIndex } from "./mask.ts";
import { picturePath } from "./path.ts";
import { parseSample } from "./sample.ts";
import type { RawSample, Sample } from "./sample.ts";

/** What is needed of a model to make batches for it: its tokenizer, and how it looks at pictures. */
export interface SampleProcessor {
  readonly config: Pick<ModelConfig, "kind" | "imageToken" | "pad"> & { readonly text: Pick<TextConfig, "vocabulary"> };
  tokenizer(): Promise<Tokenizer>;
  /**
   * One picture as the tower takes it, and how many image tokens stand for it.
   *
   * @param pictures number of pictures in its sample: OneVision tiles only a single one
   * @param process reads and processes it; absent: the caller's thread does
   * @throws ImageError if it cannot be read
   */
  image(
    source: PictureSource,
    pictures: number,
    signal?: AbortSignal,
    process?: PictureProcessor,
  ): Promise<SeenPicture>;
}

/** A processed picture. */
export interface SeenPicture {
  readonly picture: Pick<ProcessedImage, "pixels" | "tiles" | "channels" | "height" | "width" | "originalSize">;
  readonly sight: { readonly table: { readonly rows: number } };
}

export interface CollateOptions extends Omit<ConversationOptions, "images" | "id"> {
  /** Folder, or URL prefix, that relative paths of pictures start from. Default: the working directory. */
  readonly imageFolder?: string;
  /** A sample that cannot be learnt from: "fail" (default) throws its error, "skip" leaves the sample out. */
  readonly onBadSample?: "fail" | "skip";
  /** Is told of every sample that is left out. */
  readonly report?: (error: SampleError) => void;
  readonly signal?: AbortSignal;
}

/** Values on the host. */
export interface HostTensor {
  readonly shape: number[];
  readonly data: Float32Array;
}

/** What one micro-batch of training takes; fields have the meanings that Hugging Face's processors give them. */
export interface Batch {
  /** [samples][n], padded on the right; the image token stands once for each image row */
  readonly inputIds: number[][];
  /** [samples][n]; -100 where nothing is learnt; not shifted */
  readonly labels: number[][];
  /** [samples][n]; 1 at tokens, 0 at padding */
  readonly attentionMask: number[][];
  /** [images, 3, H, W]; for AnyRes models [images, tiles, 3, H, W], padded with zero tiles. Absent without pictures. */
  readonly pixelValues?: HostTensor;
  /** AnyRes models: [height, width] of each picture as it came. */
  readonly imageSizes?: [number, number][];
  /** [samples] */
  readonly imagesPerSample: number[];
  /** [samples] */
  readonly sampleIds: string[];
}

/** One sample ready for a batch. */
export interface EncodedSample {
  readonly id: string;
  /** [n]; pictures are expanded */
  readonly inputIds: number[];
  /** [n] */
  readonly labels: number[];
  readonly pictures: readonly SeenPicture["picture"][];
}

/**
 * A batch of samples: conversations rendered and masked, pictures decoded and processed, rows padded to the longest.
 *
 * @param samples LLaVA's JSON; checked here
 * @param llava the model that the batch is for
 * @throws SampleError for the first bad sample unless they are skipped: broken JSON, a picture that cannot be read, a
 * wrong number of placeholders, pictures that do not fit into `maxLength`, nothing to learn. EmptyBatchError if all are
 * skipped; DataError for a setting that does not exist, for samples that are no list, and where the data do not fit the model
 * at all; OptionError for an option that does not exist
 */
export async function collate(
  samples: readonly RawSample[],
  llava: SampleProcessor,
  options: CollateOptions,
): Promise<Batch> {
  checkCollateOptions(options);
  if (!Array.isArray(samples)) throw new DataError("samples", `expected a list of samples, got ${shown(samples)}`);
  const encoded: EncodedSample[] = [];
  let bad: SampleError | undefined;
  for (const [i, sample] of samples.entries()) {
    const outcome = await encodeSample(async () => parseSample(sample, `${i} of the batch`), llava, options);
    if (outcome instanceof SampleError) {
      bad = outcome;
      options.report?.(outcome);
    } else {
      encoded.push(outcome);
    }
  }
  if (encoded.length === 0) throw new EmptyBatchError(samples.length, bad);
  return padSamples(encoded, llava.config);
}

/**
 * A sample ready for a batch, or what is wrong with one that is to be left out. Throws as {@link collate}.
 *
 * @param read gives the checked sample
 * @param process reads and processes its pictures; absent: the caller's thread does
 */
export async function encodeSample(
  read: () => Promise<Sample>,
  llava: SampleProcessor,
  options: CollateOptions,
  process?: PictureProcessor,
): Promise<EncodedSample | SampleError> {
  try {
    return await encode(await read(), llava, options, process);
  } catch (error) {
    if (error instanceof SampleError && options.onBadSample === "skip") return error;
    throw error;
  }
}

const NAMES: readonly (keyof CollateOptions)[] = ["template", "placement", "maxLength", "system", "imageFolder", "onBadSample", "report", "signal"];

/** @throws OptionError for an option that does not exist, DataError for a setting that does not */
export function checkCollateOptions(options: CollateOptions): void {
  checkOptionNames(options, NAMES);
  checkConversationOptions(options);
  checkChoice("onBadSample", options.onBadSample ?? "fail", ["fail", "skip"]);
}

/** One sample's tokens, labels and pictures. */
async function encode(
  sample: Sample,
  llava: SampleProcessor,
  options: CollateOptions,
  process: PictureProcessor | undefined,
): Promise<EncodedSample> {
  const { maxLength = defaultMaxLength, signal } = options;
  const { id, images, conversations } = sample;
  const { imageToken, kind } = llava.config;
  signal?.throwIfAborted();
  if (images.length > 0 && kind === "text") {
    throw new DataError("data", `expected samples without pictures, since the model reads text only, got sample ${id}`);
  }
  // Text first: it is cheap, and pictures of a sample that is left out need not be decoded.
  const encoded = encodeConversation(await llava.tokenizer(), conversations, { ...options, images: images.length, id });
  checkLearns(id, encoded.labels, encoded.mismatch, maxLength);
  const seen: SeenPicture[] = [];
  for (const [i, source] of images.entries()) {
    const place = picturePath(options.imageFolder, source);
    seen.push(await llava.image(place, images.length, signal, process).catch((error: unknown) => {
      throw error instanceof ImageError ? pictureError(sample, i, error) : error;
    }));
  }
  const rows = seen.map(({ sight }) => sight.table.rows);
  const { inputIds, labels } = expandConversation(encoded, rows, imageToken, maxLength);
  checkImageTokens(id, inputIds.filter((token) => token === imageToken).length, rows, maxLength);
  checkLearns(id, labels, false, maxLength);
  checkVocabulary(inputIds, llava.config.text.vocabulary);
  return { id, inputIds, labels, pictures: seen.map(({ picture }) => picture) };
}

/** Rows padded to the longest and pictures stacked. */
export function padSamples(samples: readonly EncodedSample[], config: SampleProcessor["config"]): Batch {
  const { kind, pad = 0, text } = config;
  const longest = Math.max(...samples.map(({ inputIds }) => inputIds.length));
  const fill = (row: readonly number[], value: number) =>
    Array.from({ length: longest }, (_, i) => (i < row.length ? row[i] : value));
  const pictures = samples.flatMap((sample) => sample.pictures);
  const tiled = kind !== "llava";
  return {
    // Nothing attends to padding, but its embedding is looked up.
    inputIds: samples.map(({ inputIds }) => fill(inputIds, pad >= 0 && pad < text.vocabulary ? pad : 0)),
    labels: samples.map(({ labels }) => fill(labels, ignoreIndex)),
    attentionMask: samples.map(({ inputIds }) => fill(inputIds.map(() => 1), 0)),
    ...(pictures.length > 0 ? { pixelValues: stackPictures(pictures, tiled) } : {}),
    ...(pictures.length > 0 && tiled ? { imageSizes: pictures.map(({ originalSize }) => [...originalSize]) } : {}),
    imagesPerSample: samples.map((sample) => sample.pictures.length),
    sampleIds: samples.map(({ id }) => id),
  };
}

/** [images, 3, H, W], or [images, most tiles, 3, H, W] with zero tiles behind those of pictures that have fewer. */
function stackPictures(pictures: readonly SeenPicture["picture"][], tiled: boolean): HostTensor {
  const { channels, height, width } = pictures[0];
  const most = tiled ? Math.max(...pictures.map(({ tiles }) => tiles)) : 1;
  const each = most * channels * height * width;
  const odd = pictures.find((picture) => picture.height !== height || picture.width !== width || picture.tiles > most);
  if (odd) {
    const sizes = [odd, pictures[0]].map((picture) => `${picture.tiles} x ${picture.height} x ${picture.width}`);
    throw new DataError("preprocessor_config.json", `expected pictures of one size, got tiles ${sizes.join(" and ")}`);
  }
  const data = new Float32Array(pictures.length * each);
  for (const [i, { pixels }] of pictures.entries()) data.set(pixels, i * each);
  return { shape: [pictures.length, ...(tiled ? [most] : []), channels, height, width], data };
}

function pictureError({ id, images }: Sample, index: number, error: ImageError): SampleError {
  const field = images.length > 1 ? `image[${index}]` : "image";
  return new SampleError(id, field, error.message, { cause: error });
}

/** @throws SampleError if no token is a target; the first token of a row never is one */
function checkLearns(id: string, labels: readonly number[], mismatch: boolean, maxLength: number): void {
  if (labels.some((label, i) => i > 0 && label !== ignoreIndex)) return;
  const why = mismatch
    ? "the tokens of its rounds do not add up: an empty or missing last answer, or a role's name inside one"
    : `its answers are empty or begin behind maxLength ${maxLength}`;
  throw new SampleError(id, "conversations", `expected something to learn, got none: ${why}`);
}

/** @throws SampleError unless there is a token for every image row: others would go to the wrong places */
function checkImageTokens(id: string, found: number, rows: readonly number[], maxLength: number): void {
  const wanted = rows.reduce((sum, count) => sum + count, 0);
  if (found < wanted) {
    const problem = `expected room for ${wanted} image tokens, got ${found} within maxLength ${maxLength}; raise it`;
    throw new SampleError(id, "image", problem);
  }
  if (found > wanted) {
    const problem = `expected ${wanted} image tokens, got ${found}: a text spells the image token of the model`;
    throw new SampleError(id, "conversations", problem);
  }
}

/** @throws DataError for ids that the embedding has no row for */
function checkVocabulary(ids: readonly number[], vocabulary: number): void {
  const wrong = ids.find((token) => token >= vocabulary);
  if (wrong === undefined) return;
  const expected = `expected ids below ${vocabulary}, the rows of the embedding`;
  throw new DataError("tokenizer", `${expected}, got ${wrong}; check that tokenizer.json belongs to these weights`);
}
