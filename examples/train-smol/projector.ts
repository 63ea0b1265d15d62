/** A projector that was never trained, of the right size for what stands before and behind it. */
import { Llava, type PictureSource, type Tensor } from "llava-webgpu";
import type { Random } from "llava-webgpu/train";
import type { TensorToWrite } from "llava-webgpu/weights";

/** What the projector of a LLaVA reads of some pictures, each seen whole, from its first feature layer: [rows, V]. */
export async function towerFeatures(folder: string, pictures: readonly PictureSource[], adapter = "auto"): Promise<Tensor> {
  const llava = await Llava.load(folder, { adapter });
  try {
    const { featureLayers: [layer], keepClass } = llava.config;
    const path = layer === 0 ? "vision.embeddings" : `vision.layers.${layer - 1}`;
    const rows: Float32Array[] = [];
    let width = 0;
    for (const picture of pictures) {
      const { captured } = await llava.forward({ images: [picture], prompt: "" }, { capture: [path] });
      const { shape, data } = captured[path]; // [tiles, tokens, V], the whole picture first
      width = shape[2];
      rows.push(data.slice((keepClass ? 0 : 1) * width, shape[1] * width));
    }
    const data = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
    rows.reduce((at, row) => (data.set(row, at), at + row.length), 0);
    return { shape: [data.length / width, width], data };
  } finally {
    await llava.dispose();
  }
}

/**
 * W₂ GELU(W₁ x) with normal weights and no biases, scaled for these features [rows, V] so that what enters the GELU has the
 * root mean square 1, and what comes out `size`.
 */
export function freshProjector({ shape, data }: Tensor, width: number, size: number, random: Random): TensorToWrite[] {
  const [rows, inputs] = shape;
  const first = random.normal(width * inputs, 0, 1 / (Math.sqrt(inputs) * rootMeanSquare(data)));
  const second = random.normal(width * width, 0, 1 / Math.sqrt(width));
  const output = product(product(data, first, rows, inputs).map(gelu), second, rows, width);
  const scale = size / rootMeanSquare(output);
  const tensor = (name: string, shape: number[], values: Float32Array): TensorToWrite => ({
    name: `model.multi_modal_projector.${name}`,
    dtype: "F32",
    shape,
    data: new Uint8Array(values.buffer),
  });
  return [
    tensor("linear_1.weight", [width, inputs], first),
    tensor("linear_1.bias", [width], new Float32Array(width)),
    tensor("linear_2.weight", [width, width], second.map((value) => value * scale)),
    tensor("linear_2.bias", [width], new Float32Array(width)),
  ];
}

/** The square root of the mean of the squares. */
export function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** x [rows, inputs] times the transpose of w [outputs, inputs]. */
function product(x: Float32Array, w: Float32Array, rows: number, inputs: number): Float32Array {
  const outputs = w.length / inputs;
  const y = new Float32Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < outputs; column++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) sum += x[row * inputs + i] * w[column * inputs + i];
      y[row * outputs + column] = sum;
    }
  }
  return y;
}

/** Its approximation by tanh (Hendrycks & Gimpel 2016), close enough to measure a size. */
function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}
