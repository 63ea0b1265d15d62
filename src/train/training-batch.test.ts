import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { goldenPath } from "../../test/harness/golden.ts";
import { batchOf, readTensors } from "../../test/harness/training.ts";
import { type ModelConfig, parseConfig } from "../models/config.ts";
import { BatchError, checkBatch, type TrainingBatch } from "./training-batch.ts";

const pixels = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((product, length) => product * length, 1)) });
const config = (kind: ModelConfig["kind"]) => ({ kind, text: { vocabulary: 10 }, vision: kind === "text" ? undefined : { channels: 3, imageSize: 2 } }) as ModelConfig;

/** Two samples, ragged, one picture each. */
const good = {
  inputIds: [[1, 9, 4, 0], [9, 2]],
  labels: [[-100, -100, 4, 0], [-100, 2]],
  attentionMask: [[1, 1, 1, 0], [1, 1]],
  pixelValues: pixels(2, 3, 2, 2),
  imagesPerSample: [1, 1],
};
const tiled = { ...good, pixelValues: pixels(2, 5, 3, 2, 2), imageSizes: [[4, 5], [2, 2]] as [number, number][] };

describe("checkBatch", () => {
  it.each<[string, TrainingBatch, ModelConfig["kind"]]>([
    ["rows of their own lengths", good, "llava"],
    ["ids and labels alone", { inputIds: [[1, 2]], labels: [[1, 2]] }, "text"],
    ["a mask that is padded further", { ...good, attentionMask: [[1, 1, 1, 0], [1, 1, 0, 0]] }, "llava"],
    ["rows as typed arrays", { ...good, inputIds: good.inputIds.map((row) => Int32Array.from(row)) as never }, "llava"],
    ["tiles", tiled, "llava_next"],
    ["single tiles without sizes", { ...good, pixelValues: pixels(2, 1, 3, 2, 2) }, "llava"],
    ["no picture in any sample", { ...good, pixelValues: undefined, imageSizes: [], imagesPerSample: [0, 0] } as never, "llava_next"],
  ])("takes %s", (_, batch, kind) => {
    expect(() => checkBatch(batch, config(kind))).not.toThrow();
  });

  it.each([
    ["llava", "training/model/llava/batch.safetensors"],
    ["llava_next", "training/model/llava_next/batch.safetensors"],
    ["llava_onevision", "training/model/llava_onevision/batch.safetensors"],
    ["llava", "training/curves/batches.safetensors"],
  ])("takes what the processors of transformers give: %s, %s", async (model, file) => {
    const stored = await readTensors(goldenPath(file));
    const parsed = parseConfig(JSON.parse(readFileSync(goldenPath(`training/model/${model}/config.json`), "utf8")));
    const prefixes = [...stored.keys()].filter((name) => name.endsWith("input_ids")).map((name) => name.slice(0, -"input_ids".length));
    for (const prefix of prefixes) expect(() => checkBatch(batchOf(stored, prefix), parsed), prefix).not.toThrow();
    expect(prefixes.length).toBeGreaterThan(0);
  });

  const ids = (id: unknown) => ({ inputIds: [[1, 9, id, 0], [9, 2]] });
  const labels = (label: unknown) => ({ labels: [[-100, -100, label, 0], [-100, 2]] });
  it.each<[string, object, RegExp]>([
    ["a placeholder among the ids", ids(-200), /^batch\.inputIds\[0\]\[2\]: expected a token id from 0 to 9, a row of the embedding, with one image token .* got -200$/],
    ["an id beyond the embedding", ids(10), /inputIds\[0\]\[2\]: .* got 10$/],
    ["an id that is no number", ids(Number.NaN), /inputIds\[0\]\[2\]: .* got NaN$/],
    ["half an id", ids(1.5), /inputIds\[0\]\[2\]: .* got 1\.5$/],
    ["a hole in a row", ids(undefined), /inputIds\[0\]\[2\]: .* got none$/],
    ["no ids", { inputIds: undefined }, /^batch\.inputIds: expected a list with a row of token ids .* got none$/],
    ["no sample", { inputIds: [] }, /inputIds: .* got a list of 0$/],
    ["one row instead of rows", { inputIds: [1, 2] }, /inputIds\[0\]: expected at least one token id, got 1$/],
    ["an empty row", { inputIds: [[1, 9, 4, 0], []] }, /inputIds\[1\]: expected at least one token id, got a list of 0$/],
    ["no labels", { labels: undefined }, /^batch\.labels: expected 2 entries, one row for each sample, got none$/],
    ["a row of labels too few", { labels: [[-100, -100, 4, 0]] }, /labels: expected 2 entries, .* got a list of 1$/],
    ["a label too few", { labels: [[-100, -100, 4], [-100, 2]] }, /labels\[0\]: expected 4 entries, one label for each token, got a list of 3$/],
    ["a label beyond the head", labels(10), /labels\[0\]\[2\]: expected -100 or a token id from 0 to 9, .* got 10$/],
    ["another negative label", labels(-1), /labels\[0\]\[2\]: .* got -1$/],
    ["a label that is no number", labels(Number.NaN), /labels\[0\]\[2\]: .* got NaN$/],
    ["a row of the mask too few", { attentionMask: [[1, 1, 1, 0]] }, /attentionMask: expected 2 entries, .* got a list of 1$/],
    ["no row in the mask", { attentionMask: [[1, 1, 1, 0], undefined] }, /attentionMask\[1\]: expected an entry for each of 2 tokens, got none$/],
    ["a row of the mask that is too short", { attentionMask: [[1, 1, 1], [1, 1]] }, /attentionMask\[0\]: expected an entry for each of 4 tokens, got a list of 3$/],
    ["padding on the left", { attentionMask: [[0, 1, 1, 1], [1, 1]] }, /attentionMask\[0\]\[1\]: expected ones at tokens, then zeros .* got 1$/],
    ["pictures of another size", { pixelValues: pixels(2, 3, 2, 3) }, /^batch\.pixelValues: expected shape \[images, 3, 2, 2\] or .*\[images, tiles, 3, 2, 2\], got \[2, 3, 2, 3\]; use/],
    ["one picture without its axis", { pixelValues: pixels(3, 2, 2) }, /pixelValues: .* got \[3, 2, 2\]/],
    ["tiles for a model that has none", tiled, /pixelValues: .* got \[2, 5, 3, 2, 2\]/],
    ["pixels without a shape", { pixelValues: new Float32Array(24) }, /pixelValues: .* got none/],
    ["null for pixels", { pixelValues: null }, /pixelValues: .* got none/],
    ["pixels too few", { pixelValues: { shape: [2, 3, 2, 2], data: new Float32Array(23) } }, /pixelValues\.data: expected a Float32Array of 24 values .* got 23 values$/],
    ["pixels as a list", { pixelValues: { shape: [2, 3, 2, 2], data: Array.from({ length: 24 }, () => 0) } }, /pixelValues\.data: .* got a list of 24$/],
    ["a sample without its number of pictures", { imagesPerSample: [2] }, /imagesPerSample: expected 2 entries, one number for each sample, got a list of 1$/],
    ["more pictures of samples than pixels", { imagesPerSample: [1, 2] }, /imagesPerSample: expected a sum of 2, the pictures of pixelValues, got 3$/],
    ["half a picture", { imagesPerSample: [0.5, 1.5] }, /imagesPerSample\[0\]: expected a number of pictures, got 0\.5$/],
    ["a size too few", { imageSizes: [[4, 5]] }, /imageSizes: expected 2 entries, one \[height, width\] for each picture, got a list of 1$/],
    ["a size without a width", { imageSizes: [[4, 5], [4]] }, /imageSizes\[1\]: expected 2 entries, .* got a list of 1$/],
    ["a size of nothing", { imageSizes: [[4, 5], [4, 0]] }, /imageSizes\[1\]\[1\]: expected a number of pixels, got 0$/],
  ])("refuses %s", (_, changed, says) => {
    const check = () => checkBatch({ ...good, ...changed } as TrainingBatch, config("llava"));
    expect(check).toThrow(BatchError);
    expect(check).toThrow(says);
  });

  it("refuses what is no batch, pictures of a model that reads text only, and tiles without sizes", () => {
    for (const none of [undefined, null, 3, "batch", [good]]) expect(() => checkBatch(none as never, config("llava"))).toThrow(BatchError);
    expect(() => checkBatch(good, config("text"))).toThrow("batch.pixelValues: expected none, since the model reads text only");
    const { imageSizes: _sizes, ...unsized } = tiled;
    expect(() => checkBatch(unsized, config("llava_next"))).toThrow("batch.imageSizes: expected 2 entries, one [height, width] for each picture, got none");
  });
});
