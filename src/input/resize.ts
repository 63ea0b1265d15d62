import { blankImage, cropImage } from "./image.ts";
import type { Image } from "./image.ts";

/** PIL's resampling filters. */
export type Filter = "nearest" | "box" | "bilinear" | "hamming" | "bicubic" | "lanczos";

/** A rectangle in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A larger canvas of one colour on which the picture lies before it is resized; never built in memory. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  /** Where the picture's top left corner lies. */
  readonly left: number;
  readonly top: number;
  readonly colour: readonly number[];
}

export interface ResizeOptions {
  /** Compute only this part of the result (it is then the whole of what is returned). */
  readonly window?: Box;
  readonly canvas?: Canvas;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** Half width and value of each kernel at the distance |x|. Bicubic is Keys' kernel with a = -0.5. */
const kernels: Record<Exclude<Filter, "nearest">, { support: number; at: (x: number) => number }> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    // The two constants are single precision in Pillow.
    at: (x) => (Math.abs(x) < 1 ? sinc(x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(x * Math.PI)) : 0),
  },
  bicubic: {
    support: 2,
    at: (signed) => {
      const a = -0.5;
      const x = Math.abs(signed);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights are fixed point with 22 bits behind the point: 8 bits of pixel and 2 of headroom fill an int32. */
const bits = 22;
const half = 1 << (bits - 1);

/** One axis: output o is the sum over t of weights[o * taps + t] * source[start[o] + t], plus what the canvas adds. */
interface Axis {
  readonly taps: number;
  readonly start: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  /** Sum of the weights that fall on the canvas beside the picture. */
  readonly beside: Int32Array;
}

/**
 * Weights of the outputs `from` to `to` of an axis that shrinks or stretches `length` source pixels to `size`; the
 * picture itself takes the source pixels `offset` to `offset + inside`.
 */
function axis(
  filter: Exclude<Filter, "nearest">,
  length: number,
  size: number,
  from: number,
  to: number,
  offset: number,
  inside: number,
): Axis {
  const kernel = kernels[filter];
  const scale = length / size;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const taps = Math.min(Math.ceil(support) * 2 + 1, inside);
  const outputs = to - from;
  const start = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weights = new Int32Array(outputs * taps);
  const beside = new Int32Array(outputs);
  const exact = new Float64Array(Math.ceil(support) * 2 + 1);
  for (let o = 0; o < outputs; o++) {
    const centre = (from + o + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let x = first; x < end; x++) sum += exact[x - first] = kernel.at((x - centre + 0.5) * (1 / stretch));
    start[o] = Math.min(Math.max(first - offset, 0), inside);
    count[o] = Math.max(0, Math.min(end - offset, inside) - start[o]);
    for (let x = first; x < end; x++) {
      const weight = (sum === 0 ? exact[x - first] : exact[x - first] / sum) * (1 << bits);
      const fixed = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
      const t = x - offset - start[o];
      if (t >= 0 && t < count[o]) weights[o * taps + t] = fixed;
      else beside[o] += fixed;
    }
  }
  return { taps, start, count, weights, beside };
}

const clamp8 = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : value);

/**
 * Rows `from` to `to` of bytes [rows, width, 3], resampled along x: [to - from, outputs, 3]. `beside` holds the colour
 * of the canvas beside each of these rows.
 */
function horizontal(
  data: Uint8Array,
  width: number,
  from: number,
  to: number,
  across: Axis,
  beside: Uint8Array,
): Uint8Array {
  const outputs = across.start.length;
  const out = new Uint8Array((to - from) * outputs * 3);
  const { weights } = across;
  let at = 0;
  for (let y = from; y < to; y++) {
    const edge = (y - from) * 3;
    for (let o = 0; o < outputs; o++) {
      const outside = across.beside[o];
      let r = (half + beside[edge] * outside) | 0; // `| 0` keeps the sums int32, which is what they are in C
      let g = (half + beside[edge + 1] * outside) | 0;
      let b = (half + beside[edge + 2] * outside) | 0;
      let i = (y * width + across.start[o]) * 3;
      const end = o * across.taps + across.count[o];
      for (let k = o * across.taps; k < end; k++, i += 3) {
        const weight = weights[k];
        r = (r + data[i] * weight) | 0;
        g = (g + data[i + 1] * weight) | 0;
        b = (b + data[i + 2] * weight) | 0;
      }
      out[at++] = clamp8(r >> bits);
      out[at++] = clamp8(g >> bits);
      out[at++] = clamp8(b >> bits);
    }
  }
  return out;
}

/**
 * Bytes [rows, stride], of which the first is row `from` of the picture, resampled along y: [outputs, stride]. `beside`
 * is the row of the canvas above and below.
 */
function vertical(data: Uint8Array, stride: number, from: number, down: Axis, beside: Uint8Array): Uint8Array {
  const out = new Uint8Array(down.start.length * stride);
  const sums = new Int32Array(stride);
  for (let o = 0; o < down.start.length; o++) {
    const outside = down.beside[o];
    for (let x = 0; x < stride; x++) sums[x] = half + beside[x] * outside;
    for (let t = 0; t < down.count[o]; t++) {
      const weight = down.weights[o * down.taps + t];
      const row = (down.start[o] + t - from) * stride;
      for (let x = 0; x < stride; x++) sums[x] += data[row + x] * weight;
    }
    for (let x = 0; x < stride; x++) out[o * stride + x] = clamp8(sums[x] >> bits);
  }
  return out;
}

/** A line of nothing but canvas, resampled: [outputs, 3]. The fixed-point weights of an output need not sum to one. */
function canvasLine({ start, count, weights, beside, taps }: Axis, colour: readonly number[]): Uint8Array {
  const line = new Uint8Array(start.length * 3);
  for (let o = 0; o < start.length; o++) {
    let total = beside[o];
    for (let t = 0; t < count[o]; t++) total += weights[o * taps + t];
    for (let c = 0; c < 3; c++) line[o * 3 + c] = clamp8((half + colour[c] * total) >> bits);
  }
  return line;
}

/** The first and the last but one source position that an axis reads. */
function extent({ start, count }: Axis): [from: number, to: number] {
  let [from, to] = [Infinity, 0];
  for (let o = 0; o < start.length; o++) {
    if (count[o] === 0) continue;
    from = Math.min(from, start[o]);
    to = Math.max(to, start[o] + count[o]);
  }
  return to === 0 ? [0, 0] : [from, to];
}

/** Source indices of nearest-neighbour sampling; the position is summed up step by step, as Pillow does. */
function nearestIndices(length: number, size: number): Int32Array {
  const step = length / size;
  const indices = new Int32Array(size);
  let position = step * 0.5;
  for (let i = 0; i < size; i++) {
    indices[i] = Math.min(Math.trunc(position), length - 1);
    position += step;
  }
  return indices;
}

function nearest(image: Image, width: number, height: number, { window, canvas }: ResizeOptions): Image {
  const box = window ?? { left: 0, top: 0, width, height };
  const columns = nearestIndices(canvas?.width ?? image.width, width);
  const rows = nearestIndices(canvas?.height ?? image.height, height);
  const out = blankImage(box.width, box.height, canvas?.colour);
  for (let y = 0; y < box.height; y++) {
    const row = rows[box.top + y] - (canvas?.top ?? 0);
    if (row < 0 || row >= image.height) continue;
    for (let x = 0; x < box.width; x++) {
      const column = columns[box.left + x] - (canvas?.left ?? 0);
      if (column < 0 || column >= image.width) continue;
      const from = (row * image.width + column) * 3;
      out.data.set(image.data.subarray(from, from + 3), (y * box.width + x) * 3);
    }
  }
  return out;
}

/**
 * `image` at the size width x height, byte for byte what PIL's `Image.resize` gives (Resample.c of Pillow 13).
 *
 * Per axis, with scale = in / out and s = max(scale, 1): output o has its centre at (o + 0.5) scale, and the source
 * pixel x has the weight f((x - centre + 0.5) / s), normalised to sum 1 and rounded to 22 bits behind the point. The
 * result of the first pass is rounded to bytes, so the order of the passes shows: horizontal first, unless the height
 * loses more than twice as many pixels as the width (Pillow before 13 never turned the order around).
 *
 * `window` computes a part of the result only; `canvas` pads the picture with a colour before it is resized. Neither
 * costs memory for the parts left out.
 */
export function resize(
  image: Image,
  width: number,
  height: number,
  filter: Filter,
  options: ResizeOptions = {},
): Image {
  const { window = { left: 0, top: 0, width, height }, canvas } = options;
  if (!canvas && width === image.width && height === image.height) {
    return cropImage(image, window.left, window.top, window.width, window.height);
  }
  if (filter === "nearest") return nearest(image, width, height, options);
  const place = canvas ?? { width: image.width, height: image.height, left: 0, top: 0, colour: [0, 0, 0] };
  const right = window.left + window.width;
  const bottom = window.top + window.height;
  const across = axis(filter, place.width, width, window.left, right, place.left, image.width);
  const down = axis(filter, place.height, height, window.top, bottom, place.top, image.height);
  const lost = place.height - height;
  let data: Uint8Array;
  if (lost > 0 && lost > 2 * (place.width - width)) {
    const colours = blankImage(image.width, 1, place.colour).data;
    const columns = vertical(image.data, image.width * 3, 0, down, colours);
    data = horizontal(columns, image.width, 0, window.height, across, canvasLine(down, place.colour));
  } else {
    const [from, to] = extent(down);
    const colours = blankImage(1, to - from, place.colour).data;
    const rows = horizontal(image.data, image.width, from, to, across, colours);
    data = vertical(rows, window.width * 3, from, down, canvasLine(across, place.colour));
  }
  return { width: window.width, height: window.height, data };
}
