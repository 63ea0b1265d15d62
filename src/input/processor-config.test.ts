import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readJson } from "../../test/golden/pixels/read.ts";
import { ProcessorError, readPinpoints, readProcessorConfig } from "./processor-config.ts";
import type { ProcessorFiles } from "./processor-config.ts";

const { models } = readJson<{ models: Record<string, ProcessorFiles> }>("prompts.json");
const clip = {
  padToSquare: false,
  resize: { shortestEdge: 24 },
  filter: "bicubic",
  crop: [24, 24],
  rescale: 0.00392156862745098,
  normalise: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  background: [122, 116, 104],
};

describe("readProcessorConfig", () => {
  it("reads CLIP's file, the merged file of transformers 5, and the lack of both, the same way", () => {
    const { config, preprocessor } = models["llava-clip-llama"];
    expect(readProcessorConfig({ config, preprocessor }).image).toEqual(clip);
    expect(readProcessorConfig(models["llava-clip-llama-transformers-5"]).image).toEqual(clip);
    expect(readProcessorConfig({ config }).image).toEqual({ ...clip, rescale: 1 / 255 });
  });

  it("reads SigLIP's file, or does without", () => {
    const { config, preprocessor } = models["llava-siglip"];
    const want = { resize: { exact: [27, 27] }, crop: undefined, background: [127, 127, 127], padToSquare: false };
    expect(readProcessorConfig({ config, preprocessor }).image).toMatchObject(want);
    expect(readProcessorConfig({ config }).image).toMatchObject(want);
  });

  it("reads AnyRes in both layouts and both orders", () => {
    const next = readProcessorConfig(models["llava-next-llama"]).image.tiling;
    expect(next).toMatchObject({ several: "tile", maxTiles: undefined });
    expect(next?.pinpoints.slice(0, 2)).toEqual([[24, 48], [48, 24]]);
    const original = readProcessorConfig(models["llava-original-next"]).image.tiling;
    expect(original?.pinpoints.slice(0, 2)).toEqual([[48, 24], [24, 48]]);
    expect(readProcessorConfig(models["llava-onevision"]).image.tiling).toMatchObject({ several: "pad", maxTiles: 9 });
    expect(readProcessorConfig(models["llava-onevision-max4"]).image.tiling).toMatchObject({ maxTiles: 4 });
  });

  it("never tiles or pads the frames of a video", () => {
    for (const name of ["llava-onevision", "llava-next-video"]) {
      const { video } = readProcessorConfig(models[name]);
      expect([video.tiling, video.padToSquare]).toEqual([undefined, false]);
    }
  });

  it("follows image_aspect_ratio of the original layout", () => {
    expect(readProcessorConfig(models["llava-original-mlp"]).image).toEqual({ ...clip, padToSquare: true });
    expect(readProcessorConfig(models["llava-original-linear"]).image).toEqual(clip);
    const tower = { mm_vision_tower: "openai/clip-vit-large-patch14-336", image_aspect_ratio: "pad" };
    expect(readProcessorConfig({ config: tower }).image).toMatchObject({ crop: [336, 336], padToSquare: true });
    const siglip = { mm_vision_tower: "google/siglip-so400m-patch14-384", image_aspect_ratio: "anyres_max_9" };
    const grid = readProcessorConfig({ config: { ...siglip, image_grid_pinpoints: "(1x1),...,(6x6)" } }).image.tiling;
    expect([grid?.pinpoints.length, grid?.maxTiles]).toEqual([36, 9]);
    expect([grid?.pinpoints[0], grid?.pinpoints[6]]).toEqual([[384, 384], [384, 768]]);
  });

  it("accepts a size as a number, { shortest_edge } and { height, width }", () => {
    const read = (size: unknown, type: string) =>
      readProcessorConfig({ config: {}, preprocessor: { size, crop_size: 8, image_processor_type: type } }).image;
    expect(read(8, "CLIPFeatureExtractor")).toMatchObject({ resize: { shortestEdge: 8 }, crop: [8, 8] });
    expect(read(8, "SiglipImageProcessor")).toMatchObject({ resize: { exact: [8, 8] }, crop: undefined });
    expect(read({ height: 8, width: 9 }, "BlipImageProcessor").resize).toEqual({ exact: [8, 9] });
  });

  it.each([
    [{ config: {} }, /preprocessor_config\.json is missing and config\.json does not give/],
    [{ config: {}, preprocessor: { size: "big" } }, /size must be a number of pixels from 1 to 16384, got "big"/],
    [{ config: {}, preprocessor: { size: 24, resample: 9 } }, /resample must be 0 to 5, got 9/],
    [{ config: {}, preprocessor: { size: 24, image_mean: [1, 2] } }, /image_mean must be a number or three/],
    [{ config: {}, preprocessor: { size: 24, image_std: 0 } }, /image_std must not be 0/],
    [{ config: {}, preprocessor: { size: { shortest_edge: 24 }, do_center_crop: false } }, /tower takes one size only/],
    [{ config: { model_type: "llava_next" }, preprocessor: { size: 24 } }, /image_grid_pinpoints must be a list/],
    [{ config: { mm_vision_tower: "clip-vit-large-patch14", image_aspect_ratio: "highres" } }, /got "highres"/],
  ])("says what is wrong: %j", (files, message) => {
    expect(() => readProcessorConfig(files)).toThrow(ProcessorError);
    expect(() => readProcessorConfig(files)).toThrow(message);
  });

  it("throws only its own error, whatever the files hold", () => {
    const sizes = ["size", "crop_size", "do_resize", "do_pad", "image_grid_pinpoints"];
    const keys = fc.constantFrom(...sizes, "resample", "image_mean", "image_processor_type");
    const json = fc.dictionary(keys, fc.jsonValue({ maxDepth: 2 }));
    const original = { mm_vision_tower: "x", image_aspect_ratio: "anyres" };
    const config = fc.constantFrom({}, { model_type: "llava_next" }, original);
    const property = fc.property(json, config, (preprocessor, ours) => {
      try {
        readProcessorConfig({ config: ours, preprocessor });
      } catch (error) {
        expect(error).toBeInstanceOf(ProcessorError);
      }
    });
    fc.assert(property, { numRuns: 500, seed: 8 });
  });
});

describe("readPinpoints", () => {
  it("reads lists, text and ranges", () => {
    expect(readPinpoints([[48, 24]], "height-width", 24)).toEqual([[48, 24]]);
    expect(readPinpoints("[(48, 24), [24, 48]]", "width-height", 24)).toEqual([[24, 48], [48, 24]]);
    expect(readPinpoints("(1x1),...,(2x1)", "width-height", 10)).toEqual([[10, 10], [10, 20]]);
  });

  it("refuses resolutions that tiles do not fill", () => {
    const read = () => readPinpoints([[48, 30]], "height-width", 24);
    expect(read).toThrow("multiples of the tile of 24 pixels, got [48,30]");
  });
});
