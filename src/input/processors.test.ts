import { describe, expect, it } from "vitest";
import { readJson, readPicture, readTensors } from "../../test/golden/pixels/read.ts";
import { decodeImage } from "./decode.ts";
import { blankImage } from "./image.ts";
import type { Image } from "./image.ts";
import { crc32 } from "./png.ts";
import { readProcessorConfig } from "./processor-config.ts";
import type { ImageProcessing } from "./processor-config.ts";
import { processImage, processVideo } from "./processors.ts";
import type { ProcessedImage } from "./processors.ts";

type Kind = "clip" | "clip-pad" | "siglip" | "next" | "onevision" | "onevision-multi";
interface Row {
  scale: string;
  size: number;
  processor: Kind;
  picture: string;
  shape: number[];
  crc32: number[];
  float32: { mean: number; first: number[]; middle: number[]; last: number[] };
  stored_tiles?: number[];
}
const { rows } = readJson<{ rows: Row[] }>("processors.json");
const stored = readTensors("processors.safetensors");

const grid = (size: number) =>
  [1, 2, 3, 4, 5, 6].flatMap((h) => [1, 2, 3, 4, 5, 6].map((w) => [h * size, w * size]));
const next = (s: number) => [[s, 2 * s], [2 * s, s], [2 * s, 2 * s], [3 * s, s], [s, 3 * s]];

function processing(kind: Kind, size: number): ImageProcessing {
  const square = { height: size, width: size };
  const clip = { size: { shortest_edge: size }, crop_size: square };
  const half = { size: square, image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  const oneVision = { image_processor_type: "LlavaOnevisionImageProcessor", ...half, image_grid_pinpoints: grid(size) };
  const preprocessor = {
    clip: { image_processor_type: "CLIPImageProcessor", ...clip },
    "clip-pad": { image_processor_type: "LlavaImageProcessor", do_pad: true, ...clip },
    siglip: { image_processor_type: "SiglipImageProcessor", ...half },
    next: { image_processor_type: "LlavaNextImageProcessor", ...clip, image_grid_pinpoints: next(size) },
    onevision: oneVision,
    "onevision-multi": oneVision,
  }[kind];
  return readProcessorConfig({ config: {}, preprocessor }).image;
}

/** Tiles as [tile, channel, height, width] bytes. */
function planes({ bytes, tiles, height, width }: ProcessedImage): Uint8Array[] {
  const area = height * width;
  return Array.from({ length: tiles }, (_, tile) =>
    Uint8Array.from({ length: 3 * area }, (__, i) => bytes[(tile * area + (i % area)) * 3 + Math.floor(i / area)]),
  );
}

const pixel = ({ pixels, height, width }: ProcessedImage, tile: number, y: number, x: number) =>
  [0, 1, 2].map((channel) => pixels[((tile * 3 + channel) * height + y) * width + x]);

describe("processImage against transformers", () => {
  it.each(rows)("$scale $processor $picture", async ({ size, processor, picture, shape, ...golden }) => {
    const image = await decodeImage(readPicture(picture));
    const result = processImage(image, processing(processor, size), processor === "onevision-multi");
    const { tiles, channels, height, width } = result;
    expect([tiles, channels, height, width]).toEqual(shape.length === 3 ? [1, ...shape] : shape);
    const bytes = planes(result);
    for (const [i, tile] of (golden.stored_tiles ?? []).entries()) {
      const { data } = stored.get(`${processor}/${picture}`) as { data: Uint8Array };
      expect(bytes[tile]).toEqual(data.subarray(i * bytes[tile].length, (i + 1) * bytes[tile].length));
    }
    expect(bytes.map(crc32)).toEqual(golden.crc32);
    expect(pixel(result, 0, 0, 0)).toEqual(golden.float32.first);
    expect(pixel(result, 0, height >> 1, width >> 1)).toEqual(golden.float32.middle);
    expect(pixel(result, tiles - 1, height - 1, width - 1)).toEqual(golden.float32.last);
    let sum = 0;
    for (const value of result.pixels) sum += value;
    expect(Math.abs(sum / result.pixels.length - golden.float32.mean)).toBeLessThan(1e-9); // order of float64 additions
    expect(result.originalSize).toEqual([image.height, image.width]);
    expect(result.tiles).toBe(result.grid ? result.grid[0] * result.grid[1] + 1 : 1);
  });
});

describe("processImage", () => {
  it("pads with black where the crop is larger than the picture", () => {
    const steps = processing("clip", 4);
    const white = blankImage(5, 5, [255, 255, 255]);
    const { bytes, height, width } = processImage(white, { ...steps, resize: undefined, crop: [8, 6] });
    expect([height, width]).toEqual([8, 6]);
    const lit = Array.from({ length: 48 }, (_, i) => bytes[i * 3] === 255);
    // transformers: rows from ceil(3 / 2) = 2, columns from ceil(1 / 2) = 1
    expect(lit).toEqual(Array.from({ length: 48 }, (_, i) => i / 6 >= 2 && i / 6 < 7 && i % 6 >= 1));
  });

  it("takes very long pictures in every mode", () => {
    const strip: Image = blankImage(20_000, 30, [10, 20, 30]);
    for (const kind of ["clip", "clip-pad", "siglip", "next", "onevision", "onevision-multi"] as const) {
      const steps = processing(kind, 24);
      expect(processImage(strip, steps, kind === "onevision-multi").width).toBe(24);
      expect(processImage(blankImage(30, 20_000), steps, kind === "onevision-multi").height).toBe(24);
    }
    expect(processImage(blankImage(20_000, 1), processing("clip", 336)).width).toBe(336);
  });

  it("stacks the frames of a video without tiles", async () => {
    const frames = await Promise.all([0, 1, 2].map((i) => decodeImage(readPicture(`frame${i}.png`))));
    const video = processVideo(frames, processing("onevision", 27));
    expect([video.tiles, video.height, video.width, video.grid]).toEqual([3, 27, 27, undefined]);
    const single = processImage(frames[1], processing("siglip", 27));
    expect(video.pixels.subarray(single.pixels.length, 2 * single.pixels.length)).toEqual(single.pixels);
  });
});
