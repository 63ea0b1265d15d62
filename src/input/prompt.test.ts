import { describe, expect, it } from "vitest";
import { readJson, readPicture } from "../../test/golden/pixels/read.ts";
import { decodeImage } from "./decode.ts";
import { averagedVideoTable, countImageTokens, pooledVideoTable } from "./pack.ts";
import { readProcessorConfig } from "./processor-config.ts";
import type { ImageProcessing, ProcessorFiles } from "./processor-config.ts";
import { processImage, processVideo } from "./processors.ts";
import type { ProcessedImage } from "./processors.ts";
import { encodeAroundImages, encodePrompt, expandImageIds, expandPlaceholders, PromptError } from "./prompt.ts";
import type { Encoder } from "./prompt.ts";

interface Case {
  model: string;
  case: string;
  prompt: string;
  images: string[];
  videos: string[][];
  /** [id, how often] */
  ids: [number, number][];
  add_special_tokens?: boolean;
  image_sizes?: [number, number][];
  pixel_values_shape?: number[];
  pixel_values_videos_shape?: number[];
  anyres?: { best_resolution: [number, number]; tiles_with_base: number }[];
  image_options?: { do_pad: boolean };
  input_ids_with_image_minus_200?: number[];
  image_token_stand_in?: number;
}
interface Config {
  model_type: string;
  vision_config?: { model_type: string; image_size: number; patch_size: number };
  image_token_index?: number;
  video_token_index?: number;
  vision_feature_select_strategy?: string;
}
interface Model extends ProcessorFiles {
  config: Config;
  tower?: { image_size: number; patch_size: number };
}
const golden = readJson<{ models: Record<string, Model>; cases: Case[] }>("prompts.json");

const side = ({ config, tower }: Model) => {
  const vision = config.vision_config ?? tower;
  return Math.floor(vision!.image_size / vision!.patch_size);
};

function imageTokens(model: Model, steps: ImageProcessing, { grid, originalSize }: ProcessedImage): number {
  const { vision_config: vision, vision_feature_select_strategy: strategy } = model.config;
  const keepsClass = strategy === "full" && vision?.model_type === "clip_vision_model";
  const options = { side: side(model), grid, originalSize, newline: steps.tiling !== undefined };
  return countImageTokens({ ...options, maxTiles: steps.tiling?.maxTiles }) + (keepsClass ? 1 : 0);
}

function videoTokens(model: Model, frames: number): number {
  if (model.config.model_type === "llava_next_video") return averagedVideoTable(frames, side(model)).rows;
  return pooledVideoTable(frames, side(model), "one_token").rows;
}

/** Pieces of the prompt between placeholders, paired with the golden ids between runs of image and video tokens. */
function tokenizerOf(text: string, ids: number[], special: Map<string, number>, addsSpecial: boolean): Encoder {
  const marks = [...special.keys()];
  const pieces = text.split(new RegExp(marks.join("|")));
  const runs: number[][] = [[]];
  for (const [i, id] of ids.entries()) {
    const mark = [...special.values()].includes(id);
    if (!mark) runs[runs.length - 1].push(id);
    else if (ids[i + 1] !== id) runs.push([]);
  }
  expect(runs.length).toBe(pieces.length);
  return {
    encode(expanded, { addSpecialTokens }) {
      expect(addSpecialTokens).toBe(addsSpecial);
      let piece = 0;
      let rest = expanded;
      const out: number[] = [];
      const readPiece = () => {
        expect(rest.startsWith(pieces[piece])).toBe(true);
        rest = rest.slice(pieces[piece].length);
        out.push(...runs[piece++]);
      };
      readPiece();
      while (rest !== "") {
        const mark = marks.find((token) => rest.startsWith(token)) as string;
        for (; rest.startsWith(mark); rest = rest.slice(mark.length)) out.push(special.get(mark) as number);
        readPiece();
      }
      return out;
    },
  };
}

describe("prompts against transformers", () => {
  const cases = golden.cases.filter(({ input_ids_with_image_minus_200: original }) => !original);
  it.each(cases)("$model $case", async ({ model: name, prompt, images, videos, ids, ...want }) => {
    const model = golden.models[name];
    const config = readProcessorConfig(model);
    const steps = { ...config.image, padToSquare: want.image_options?.do_pad ?? config.image.padToSquare };
    const pictures = await Promise.all(images.map((picture) => decodeImage(readPicture(picture))));
    const processed = pictures.map((picture) => processImage(picture, steps, pictures.length > 1));
    const clips = await Promise.all(
      videos.map(async (frames) =>
        processVideo(await Promise.all(frames.map((frame) => decodeImage(readPicture(frame)))), config.video),
      ),
    );
    if (want.image_sizes) expect(processed.map(({ originalSize }) => originalSize)).toEqual(want.image_sizes);
    if (want.pixel_values_shape) {
      const tiles = Math.max(...processed.map((image) => image.tiles)); // the batch is padded to the most tiles
      const { height, width } = processed[0];
      const shape = want.pixel_values_shape.length === 5 ? [processed.length, tiles, 3] : [processed.length, 3];
      expect([...shape, height, width]).toEqual(want.pixel_values_shape);
    }
    if (want.pixel_values_videos_shape) {
      const { tiles, height, width } = clips[0];
      expect([clips.length, tiles, 3, height, width]).toEqual(want.pixel_values_videos_shape);
    }
    for (const [i, anyres] of (want.anyres ?? []).entries()) {
      expect([processed[i].resolution, processed[i].tiles]).toEqual([anyres.best_resolution, anyres.tiles_with_base]);
    }

    const all = ids.flatMap(([id, count]) => Array.from({ length: count }, () => id));
    const imageId = model.config.image_token_index ?? want.image_token_stand_in ?? runOf(ids, processed, model, steps);
    const special = new Map([[config.imageToken, imageId]]);
    if (model.config.video_token_index !== undefined) special.set(config.videoToken, model.config.video_token_index);
    const counts = processed.map((image) => imageTokens(model, steps, image));
    const tokenizer = tokenizerOf(prompt, all, special, want.add_special_tokens ?? true);
    const placeholders = [
      { token: config.imageToken, counts },
      { token: config.videoToken, counts: clips.map(({ tiles }) => videoTokens(model, tiles)) },
    ];
    const bos = name === "llava-next-llama3" ? "<|begin_of_text|>" : "<s>";
    expect(encodePrompt(tokenizer, prompt, placeholders, bos)).toEqual(all);
  });

  /** The id repeated as often as the only picture has tokens, where the configuration does not name it. */
  function runOf(ids: [number, number][], [image]: ProcessedImage[], model: Model, steps: ImageProcessing): number {
    const count = imageTokens(model, steps, image);
    return (ids.find(([, repeated]) => repeated === count) as [number, number])[0];
  }
});

/** Letters are tokens; BOS is 1. */
const letters: Encoder = {
  encode: (text, { addSpecialTokens }) => [...(addSpecialTokens ? [1] : []), ...[...text].map((c) => c.charCodeAt(0))],
};

describe("the original tokenisation", () => {
  const cases = golden.cases.filter(({ input_ids_with_image_minus_200: original }) => original);
  it.each(cases)("$model $case", ({ prompt, ids, image_token_stand_in, model, ...rest }) => {
    const want = rest.input_ids_with_image_minus_200;
    const at = want!.indexOf(-200);
    const [before, after] = prompt.split("<image>");
    const tokenizer: Encoder = {
      encode: (text) => (text === before ? want!.slice(0, at) : text === after ? [1, ...want!.slice(at + 1)] : []),
    };
    const got = encodeAroundImages(tokenizer, prompt, 1);
    expect(got).toEqual(want);
    const all = ids.flatMap(([id, count]) => Array.from({ length: count }, () => id));
    const count = side(golden.models[model]) ** 2;
    expect(expandImageIds(got, [count], image_token_stand_in as number)).toEqual(all);
  });

  it("keeps one BOS, or all of a text that has none to keep", () => {
    expect(encodeAroundImages(letters, "a<image>b<image>", 1)).toEqual([1, 97, -200, 98, -200]);
    expect(encodeAroundImages(letters, "a<image>b", undefined)).toEqual([1, 97, -200, 1, 98]);
    expect(encodeAroundImages(letters, "ab", 1)).toEqual([1, 97, 98]);
  });
});

describe("placeholders", () => {
  it("repeats each in place", () => {
    const expand = (text: string, ...counts: number[]) => expandPlaceholders(text, { token: "<image>", counts });
    expect(expand("<image> and <image>", 2, 1)).toBe("<image><image> and <image>");
    expect(expand("no picture")).toBe("no picture");
  });

  it("does not add BOS twice", () => {
    expect(encodePrompt(letters, "ab", [], "a")).toEqual([97, 98]);
    expect(encodePrompt(letters, "ab", [], "b")).toEqual([1, 97, 98]);
    expect(encodePrompt(letters, "ab", [], "")).toEqual([1, 97, 98]);
  });

  it("names both numbers if they differ", () => {
    const few = () => expandPlaceholders("one <image>", { token: "<image>", counts: [4, 4] });
    expect(few).toThrow("every image needs one <image>, got 1 placeholder and 2 images; add a <image> for each image");
    const many = () => encodePrompt(letters, "<video><video>", [{ token: "<video>", counts: [] }]);
    expect(many).toThrow("got 2 placeholders and 0 videos; give more videos or remove placeholders");
    expect(() => expandImageIds([1, -200], [], 5)).toThrow(PromptError);
    try {
      few();
    } catch (error) {
      expect(error).toMatchObject({ name: "PromptError", placeholders: 1, pictures: 2 });
    }
  });
});
