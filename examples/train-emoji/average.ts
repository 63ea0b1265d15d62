/**
 * Writes the mean of the weights of models of one shape, such as the ends of the rounds of stage 2: it answers better than
 * any of them (Wortsman et al. 2022, "Model soups").
 *
 *     --output FOLDER [--dtype f32|f16] MODEL MODEL ...
 */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Checkpoint, createFile, fromFloat32, openFolder, type TensorToWrite, toFloat32, writeSafetensors } from "llava-webgpu/weights";
import { EmojiDataError } from "./packages.ts";

const torchTypes = { f32: "float32", f16: "float16" } as const;

/** Everything but the weights is taken from the first folder. Throws `EmojiDataError` for models of different shapes. */
export async function averageModels(folders: readonly string[], output: string, dtype: keyof typeof torchTypes = "f32"): Promise<void> {
  const models = await Promise.all(folders.map(async (folder) => Checkpoint.open(await openFolder(folder), { rename: (name) => name })));
  const [first, ...others] = models as [Checkpoint, ...Checkpoint[]];
  try {
    const shapes = (model: Checkpoint): string => model.names().map((name) => `${name} ${model.info(name).shape}`).sort().join();
    const other = others.findIndex((model) => shapes(model) !== shapes(first));
    if (other >= 0) throw new EmojiDataError(`average: expected models of one shape, got ${folders[0]} and ${folders[other + 1]}`, folders[other + 1]!);
    const type = dtype === "f16" ? "F16" : "F32";
    const tensors = first.names().map((name): TensorToWrite => {
      return { name, dtype: type, shape: first.info(name).shape, data: meanOf(models, name, type) };
    });
    mkdirSync(output, { recursive: true });
    for (const file of readdirSync(folders[0]!).filter((name) => !name.endsWith(".safetensors"))) copyFileSync(join(folders[0]!, file), join(output, file));
    const config = join(output, "config.json");
    writeFileSync(config, readFileSync(config, "utf8").replaceAll(/"dtype": "\w+"/g, `"dtype": "${torchTypes[dtype]}"`));
    await writeSafetensors(await createFile(join(output, "model.safetensors")), tensors, { format: "pt" });
  } finally {
    await Promise.all(models.map((model) => model.close()));
  }
}

async function* meanOf(models: readonly Checkpoint[], name: string, type: "F16" | "F32"): AsyncGenerator<Uint8Array> {
  const sum = new Float64Array(models[0]!.info(name).shape.reduce((a, b) => a * b, 1));
  for (const model of models) {
    for (const [i, value] of toFloat32(await model.read(name), model.info(name).dtype).entries()) sum[i] += value;
  }
  yield fromFloat32(Float32Array.from(sum, (value) => value / models.length), type);
}

/** Command line. */
export async function main(args: string[]): Promise<void> {
  const { values: { output, dtype }, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { output: { type: "string" }, dtype: { type: "string", default: "f32" } },
  });
  if (!output || positionals.length === 0) throw new EmojiDataError("average: expected --output FOLDER and the folders of models", "--output");
  if (dtype !== "f32" && dtype !== "f16") throw new EmojiDataError(`average: expected --dtype f32 or f16, got ${dtype}`, "--dtype");
  await averageModels(positionals, output, dtype);
  console.log(`The mean of ${positionals.length} models is in ${output}.`);
}
