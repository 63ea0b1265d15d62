/** The 11 colour names, and which of them a drawing shows. */

export const colourNames = [
  "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "grey", "white",
] as const;

export type ColourName = (typeof colourNames)[number];

/** A colour belongs to a drawing from this share of its ink. */
export const SHOWN = 0.15;

/** Below this share a colour may be called absent. */
export const ABSENT = 0.03;

/** The name of one colour, as an index into `colourNames`; red, green and blue in 0..1. */
export function colourIndex(red: number, green: number, blue: number): number {
  const value = Math.max(red, green, blue);
  const range = value - Math.min(red, green, blue);
  const saturation = value > 0 ? range / value : 0;
  const hue = range > 0 ? hueDegrees(red, green, blue, value, range) : 0;
  return colourNames.indexOf(nameOf(hue, saturation, value));
}

function hueDegrees(red: number, green: number, blue: number, value: number, range: number): number {
  if (value === red) return (60 * (green - blue) / range + 360) % 360;
  return value === green ? 60 * (2 + (blue - red) / range) : 60 * (4 + (red - green) / range);
}

/** Dark and pale colours first, then browns and pinks among the warm hues, then the hue itself. */
function nameOf(hue: number, saturation: number, value: number): ColourName {
  if (value < 0.22 || (saturation < 0.3 && value < 0.33)) return "black";
  if (saturation < 0.14) return value > 0.86 ? "white" : "grey";
  if (saturation < 0.22 && value < 0.75) return "grey";
  const reddish = hue < 12 || hue >= 345;
  if (hue >= 14 && hue < 37 && saturation < 0.45 && value >= 0.72) return "brown";
  const vividRed = reddish && saturation > 0.75 && value > 0.5;
  if ((hue < 48 || hue >= 345) && saturation > 0.22 && value < 0.72 && !vividRed) return "brown";
  if ((hue < 14 || hue >= 330) && saturation < 0.55 && value > 0.75) return "pink";
  if (hue < 14 || hue >= 345) return "red";
  if (hue < 40) return "orange";
  if (hue < 68) return "yellow";
  if (hue < 165) return "green";
  if (hue < 255) return "blue";
  return hue < 305 ? "purple" : "pink";
}

/** The share of each of the 11 colours among a drawing's ink (pixels more than half opaque); straight RGBA bytes. */
export function colourShares(rgba: Uint8Array): number[] {
  const counts = new Uint32Array(colourNames.length);
  let ink = 0;
  for (let i = 0; i < rgba.length; i += 4) {
    if (rgba[i + 3] <= 128) continue;
    counts[colourIndex(rgba[i] / 255, rgba[i + 1] / 255, rgba[i + 2] / 255)]++;
    ink++;
  }
  return Array.from(counts, (count) => (ink > 0 ? count / ink : 0));
}

/** Up to three colours of at least 15 %, the largest first; the largest alone when none has as much. */
export function mainColours(shares: readonly number[]): ColourName[] {
  const order = colourNames.map((_, i) => i).sort((a, b) => shares[b] - shares[a]);
  const shown = order.filter((i) => shares[i] >= SHOWN).slice(0, 3);
  return (shown.length > 0 ? shown : order.slice(0, 1)).map((i) => colourNames[i]);
}
