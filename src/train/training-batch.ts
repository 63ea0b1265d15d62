/** What a step learns from, checked against the model in one pass: what a GPU reads at a wrong id is a wrong number, and no error. */
import { LlavaError } from "../../errors/index.ts";
import { elements, shapeText } from "../graph/tensor.ts";
import type { ModelConfig } from "../models/config.ts";
import { type Batch, ignoreIndex } from "./data/index.ts";

/** What a step needs of a batch. */
export type TrainingBatch = Pick<Batch, "inputIds" | "labels"> & Partial<Omit<Batch, "inputIds" | "labels">>;

/** A batch that cannot be learnt from. */
export class BatchError extends LlavaError {
  override name = "BatchError";
}

/**
 * Checks ids, labels and masks, the shape of the pictures, and that there is one entry for each sample or picture. How many
 * rows the pictures take is left to `layOutBatch`.
 *
 * @throws BatchError naming the field
 */
export function checkBatch(batch: TrainingBatch, config: ModelConfig): void {
  if (typeof batch !== "object" || batch === null || Array.isArray(batch)) {
    throw new BatchError(`batch: expected one object with inputIds and labels, got ${shown(batch)}; only step takes several`);
  }
  checkTokens(batch, config.text.vocabulary);
  checkPictures(batch, config);
}

function checkTokens({ inputIds, labels, attentionMask }: TrainingBatch, vocabulary: number): void {
  if (!Array.isArray(inputIds) || inputIds.length === 0) throw wrong("inputIds", "a list with a row of token ids for each sample, at least one", inputIds);
  checkList("labels", labels, inputIds.length, "row for each sample");
  if (attentionMask !== undefined) checkList("attentionMask", attentionMask, inputIds.length, "row for each sample");
  const isId = (id: number) => isCount(id) && id < vocabulary;
  const below = `from 0 to ${vocabulary - 1}, a row of the embedding`;
  for (const [b, row] of inputIds.entries()) {
    if (!isList(row) || row.length === 0) throw wrong(`inputIds[${b}]`, "at least one token id", row);
    checkEvery(`inputIds[${b}]`, row, isId, `a token id ${below}, with one image token for each row of a picture (see collate)`);
    checkList(`labels[${b}]`, labels[b], row.length, "label for each token");
    checkEvery(`labels[${b}]`, labels[b]!, (label) => label === ignoreIndex || isId(label), `${ignoreIndex} or a token id ${below}`);
    if (attentionMask !== undefined) checkMask(`attentionMask[${b}]`, attentionMask[b], row.length);
  }
}

/** Attention is causal, so padding on the right needs no mask; anywhere else it would be attended to. */
function checkMask(path: string, mask: readonly number[] | undefined, tokens: number): void {
  if (!isList(mask) || mask.length < tokens) throw wrong(path, `an entry for each of ${tokens} tokens`, mask);
  checkEvery(path, mask, (bit, t) => bit === 0 || (bit === 1 && (t === 0 || mask[t - 1] === 1)), "ones at tokens, then zeros at the padding on the right");
}

function checkPictures({ inputIds, pixelValues, imageSizes, imagesPerSample }: TrainingBatch, config: ModelConfig): void {
  const shape = pixelValues === undefined ? [0] : checkPixels(pixelValues, config);
  const [pictures = 0] = shape;
  if (imagesPerSample !== undefined) {
    checkList("imagesPerSample", imagesPerSample, inputIds.length, "number for each sample");
    checkEvery("imagesPerSample", imagesPerSample, isCount, "a number of pictures");
    const sum = imagesPerSample.reduce((total, count) => total + count, 0);
    if (sum !== pictures) throw wrong("imagesPerSample", `a sum of ${pictures}, the pictures of pixelValues`, sum);
  }
  // What is cut into tiles is cut by its size.
  if (imageSizes === undefined && !(shape.length === 5 && shape[1]! > 1)) return;
  checkList("imageSizes", imageSizes, pictures, "[height, width] for each picture");
  imageSizes!.forEach((size, i) => {
    checkList(`imageSizes[${i}]`, size, 2, "height and one width");
    checkEvery(`imageSizes[${i}]`, size, (length) => isCount(length) && length > 0, "a number of pixels");
  });
}

/** Returns the shape of the pictures. Throws `BatchError`. */
function checkPixels(pixelValues: NonNullable<TrainingBatch["pixelValues"]>, { kind, vision }: ModelConfig): readonly number[] {
  if (!vision) throw new BatchError("batch.pixelValues: expected none, since the model reads text only, got some; leave them out");
  const { shape, data } = pixelValues ?? {};
  const size = [vision.channels, vision.imageSize, vision.imageSize];
  const fits = Array.isArray(shape) && [4, 5].includes(shape.length) && shape.every(isCount) && shape.slice(-3).join() === size.join();
  if (!fits || (kind === "llava" && shape.length === 5 && shape[1] !== 1)) {
    const expected = `shape [images, ${size.join(", ")}] or ${kind === "llava" ? "(with one tile) " : ""}[images, tiles, ${size.join(", ")}]`;
    throw new BatchError(`batch.pixelValues: expected ${expected}, got ${Array.isArray(shape) ? shapeText(shape) : shown(shape)}; use the model's own processor`);
  }
  if (!(data instanceof Float32Array) || data.length !== elements(shape)) {
    const got = data instanceof Float32Array ? `${data.length} values` : shown(data);
    throw new BatchError(`batch.pixelValues.data: expected a Float32Array of ${elements(shape)} values for shape ${shapeText(shape)}, got ${got}`);
  }
  return shape;
}

/** @param what there is one of, per entry */
function checkList(path: string, list: unknown, length: number, what: string): void {
  if (!isList(list) || list.length !== length) throw wrong(path, `${length} entries, one ${what}`, list);
}

function checkEvery(path: string, list: ArrayLike<number>, fits: (value: number, at: number) => boolean, expected: string): void {
  for (let i = 0; i < list.length; i++) if (!fits(list[i]!, i)) throw wrong(`${path}[${i}]`, expected, list[i]);
}

function isList(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function wrong(field: string, expected: string, got: unknown): BatchError {
  return new BatchError(`batch.${field}: expected ${expected}, got ${shown(got)}`);
}

function shown(value: unknown): string {
  if (value === undefined) return "none";
  if (isList(value)) return `a list of ${value.length}`;
  if (typeof value === "string") return "a text";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
