import type { RopeConfig } from "./config-text.ts";

const f32 = Math.fround;

/**
 * The angles per position of rotary embeddings (Su et al. 2021), in radians: f_j = theta^(-2j/h) for j = 0 .. h/2 - 1,
 * where h is the head size. By kind of `rope`, with s = factor:
 *
 * - linear: f_j / s, which stretches all positions;
 * - dynamic: theta grows with `length`, the number of positions so far (prompt and answer):
 *   theta' = theta (s max(length, m) / m - (s - 1))^(h / (h - 2)), where m = originalMaxPositions;
 * - llama3: by wavelength w = 2 pi / f_j: f_j if w is short, f_j / s if it is long, a blend of both between.
 *
 * Every step is rounded to 32 bits, as torch does, because high positions multiply the error of a frequency. Source:
 * transformers 5.23 modeling_rope_utils.py.
 *
 * @param headSize h, even
 * @param length only matters to "dynamic"; without it the frequencies of up to m positions
 * @returns [h / 2]
 */
export function inverseFrequencies(rope: RopeConfig, headSize: number, length = 0): Float32Array {
  const theta = rope.kind === "dynamic" ? dynamicTheta(rope, headSize, length) : f32(rope.theta);
  return Float32Array.from({ length: headSize / 2 }, (_, j) => {
    const frequency = f32(1 / f32(theta ** f32((2 * j) / headSize)));
    if (rope.kind === "linear") return frequency / rope.factor;
    return rope.kind === "llama3" ? llama3Frequency(rope, frequency) : frequency;
  });
}

/** The base that dynamic NTK scaling takes for a sequence of `length` positions. */
function dynamicTheta(rope: RopeConfig, headSize: number, length: number): number {
  const { theta, factor, originalMaxPositions } = rope;
  const stretch = f32(f32(factor * Math.max(length, originalMaxPositions)) / originalMaxPositions);
  return f32(theta * f32(f32(stretch - (factor - 1)) ** f32(headSize / (headSize - 2))));
}

/** LLaMA 3.1's scaling: only what turns slowly is stretched. */
function llama3Frequency(rope: RopeConfig, frequency: number): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = rope;
  const wavelength = f32(f32(2 * Math.PI) / frequency);
  if (wavelength < originalMaxPositions / high) return frequency;
  if (wavelength > originalMaxPositions / low) return f32(frequency / factor);
  const smooth = f32(f32(f32(originalMaxPositions / wavelength) - low) / (high - low));
  return f32(f32(f32(f32(1 - smooth) * frequency) / factor) + f32(smooth * frequency));
}

/**
 * Cosines and sines for rotating heads at `positions`: row p holds cos(p f_j) for the h/2 frequencies, then sin(p f_j).
 * Source: LlamaRotaryEmbedding of transformers 5.23, which doubles both halves; here each stands once.
 *
 * @param headSize h, even
 * @param positions the positions, or a count n for 0 .. n - 1
 * @param length of the sequence, for "dynamic"; without it the largest position and one more
 * @returns [positions, h]
 */
export function rotaryTable(
  rope: RopeConfig,
  headSize: number,
  positions: number | ArrayLike<number>,
  length?: number,
): Float32Array {
  const list = typeof positions === "number" ? Uint32Array.from({ length: positions }, (_, i) => i) : positions;
  let reach = 0;
  for (let row = 0; row < list.length; row++) reach = Math.max(reach, list[row] + 1);
  const frequencies = inverseFrequencies(rope, headSize, length ?? reach);
  const half = headSize / 2;
  const table = new Float32Array(list.length * headSize);
  for (let row = 0; row < list.length; row++) {
    for (let j = 0; j < half; j++) {
      const angle = f32(list[row] * frequencies[j]);
      table[row * headSize + j] = Math.cos(angle);
      table[row * headSize + half + j] = Math.sin(angle);
    }
  }
  return table;
}

/** Tokens that a model with dynamic scaling takes: the scaling itself has no end, so memory sets one. */
const DYNAMIC_CONTEXT = 131072;

/** The longest sequence that a model takes: its own positions, stretched if the rotary embedding is ("linear", "dynamic"). */
export function contextLength({ maxPositions, rope }: { readonly maxPositions: number; readonly rope: RopeConfig }): number {
  if (rope.kind === "dynamic") return DYNAMIC_CONTEXT;
  return rope.kind === "linear" ? Math.floor(maxPositions * rope.factor) : maxPositions;
}
