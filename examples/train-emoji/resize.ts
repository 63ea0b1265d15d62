/** Square pictures made smaller, as Pillow's Resample.c does it: filters as wide as the step, rounding after each pass. */
import type { Picture } from "./picture.ts";

/** Half width in pixels of the result, and value at a distance. */
const filters = {
  box: { support: 0.5, at: (x: number) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  /** Keys' kernel with a = -0.5. */
  bicubic: {
    support: 2,
    at: (signed: number) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    },
  },
} as const;

/** What one pixel of the result is made of. */
interface Taps {
  readonly first: number;
  /** Sum 1. */
  readonly weights: readonly number[];
}

/** A square picture at another side. */
export function resizeSquare({ width, data }: Picture, size: number, filter: keyof typeof filters): Picture {
  const taps = makeTaps(width, size, filter);
  const rows = resample(data, taps, { lines: width, line: width * 3, step: 3 }, { line: size * 3, step: 3 });
  const result = resample(rows, taps, { lines: size, line: 3, step: size * 3 }, { line: 3, step: size * 3 });
  return { width: size, height: size, data: result };
}

function makeTaps(from: number, to: number, name: keyof typeof filters): Taps[] {
  const { support, at } = filters[name];
  const scale = Math.max(1, from / to);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * from / to;
    const first = Math.max(0, Math.floor(centre - support * scale + 0.5));
    const end = Math.min(from, Math.floor(centre + support * scale + 0.5));
    const weights = Array.from({ length: end - first }, (_, t) => at((first + t + 0.5 - centre) / scale));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((weight) => weight / sum) };
  });
}

/** One pass: along every line, whose values lie `step` apart. */
function resample(
  source: Uint8Array,
  taps: readonly Taps[],
  { lines, line, step }: { lines: number; line: number; step: number },
  target: { line: number; step: number },
): Uint8Array {
  const result = new Uint8Array(lines * taps.length * 3);
  for (let l = 0; l < lines; l++) {
    for (const [i, { first, weights }] of taps.entries()) {
      for (let c = 0; c < 3; c++) {
        const at = l * line + first * step + c;
        const sum = weights.reduce((total, weight, t) => total + weight * source[at + t * step], 0);
        result[l * target.line + i * target.step + c] = Math.min(255, Math.max(0, Math.round(sum)));
      }
    }
  }
  return result;
}
