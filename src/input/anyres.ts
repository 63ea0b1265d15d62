/** [height, width], in pixels or in feature rows and columns. */
export type Size = readonly [height: number, width: number];

/**
 * The pinpoint that fits a picture best: the largest picture area that survives scaling (never more than the picture
 * has), then the least waste, then the first in the list.
 *
 * `pinpoints` are [height, width]. The original LLaVA reads its list as (width, height): `readPinpoints` turns such a
 * list around and keeps its order, so that ties fall as they do there. Source: transformers' and LLaVA's
 * `select_best_resolution`.
 */
export function selectBestResolution([height, width]: Size, pinpoints: readonly Size[]): Size {
  let best = pinpoints[0];
  let bestArea = -1;
  let leastWaste = Infinity;
  for (const pinpoint of pinpoints) {
    const [h, w] = pinpoint;
    const scale = Math.min(w / width, h / height);
    const scaled = Math.trunc(width * scale) * Math.trunc(height * scale);
    const area = Math.min(scaled, width * height);
    const waste = w * h - area;
    if (area > bestArea || (area === bestArea && waste < leastWaste)) {
      best = pinpoint;
      bestArea = area;
      leastWaste = waste;
    }
  }
  return best;
}

/** Rows and columns of tiles in a resolution of [height, width] pixels. */
export function gridShape([height, width]: Size, tile: Size): Size {
  return [Math.floor(height / tile[0]), Math.floor(width / tile[1])];
}

/** The picture's own size when it is scaled, keeping its proportions, to fit inside of `target`; rounded up. */
export function fitInside([height, width]: Size, [targetHeight, targetWidth]: Size): Size {
  const across = targetWidth / width;
  const down = targetHeight / height;
  if (across < down) return [Math.min(Math.ceil(height * across), targetHeight), targetWidth];
  return [targetHeight, Math.min(Math.ceil(width * down), targetWidth)];
}

/** Python's `int(round(x, 7))`: the integer part, except that 2.99999999 counts as 3. */
function integerPart(x: number): number {
  const nearest = Math.round(x);
  return Math.abs(x - nearest) < 5e-8 ? nearest : Math.trunc(x);
}

/** The part of a feature map that shows the picture and not the padding around it. */
export interface Unpadded {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * Where a picture of `original` size lies in a map of `current` rows and columns in which it was centred. The padding
 * removed is the same on both sides, so an odd remainder stays. Source: transformers' `unpad_image`.
 */
export function unpad([height, width]: Size, [originalHeight, originalWidth]: Size): Unpadded {
  if (originalWidth / originalHeight > width / height) {
    const kept = integerPart(originalHeight * (width / originalWidth));
    const top = Math.floor((height - kept) / 2);
    return { top, left: 0, height: height - 2 * top, width };
  }
  const kept = integerPart(originalWidth * (height / originalHeight));
  const left = Math.floor((width - kept) / 2);
  return { top: 0, left, height, width: width - 2 * left };
}

/**
 * OneVision's `anyres_max_k`: the size to which a map of `size` is scaled down, where a tile has side x side features.
 * r = sqrt(height width / (k side²)); if r > 1.1 both sides are divided by r and rounded down, otherwise they stay.
 */
export function downscaledSize([height, width]: Size, side: number, maxTiles: number): Size {
  const ratio = Math.sqrt((height * width) / (maxTiles * side * side));
  return ratio > 1.1 ? [Math.floor(height / ratio), Math.floor(width / ratio)] : [height, width];
}
