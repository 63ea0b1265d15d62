/** Pictures in the terminal: every character cell shows two pixels, one above the other, as a half block. */
import type { Image } from "../input/image.ts";
import { resize } from "../input/resize.ts";
import type { Notes } from "./notes.ts";

/** Bits of colour that a terminal shows: 24, or 8 for the 6 x 6 x 6 cube of 256-colour terminals. */
export type ColourDepth = 8 | 24;

/** What of it can be drawn: undefined where there is no terminal, or it shows no colours, or NO_COLOR is set. */
export function colourDepth(notes: Notes): ColourDepth | undefined {
  const depth = notes.getColorDepth?.();
  return depth === 24 || depth === 8 ? depth : undefined;
}

/**
 * The picture as lines of text, each with its line break, scaled down to fit into `columns` x `rows` character cells (two
 * pixels high each).
 */
export function drawPicture(image: Image, columns: number, rows: number, depth: ColourDepth): string {
  const scale = Math.min(columns / image.width, (rows * 2) / image.height, 1);
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const { data } = resize(image, width, height, "bicubic");
  const colour = (x: number, y: number): string => {
    const [red, green, blue] = data.subarray((y * width + x) * 3);
    if (depth === 24) return `2;${red};${green};${blue}`;
    const [r, g, b] = [red, green, blue].map((value) => Math.round((value / 255) * 5));
    return `5;${16 + 36 * r + 6 * g + b}`;
  };
  let text = "";
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x++) {
      // Below the last row of an odd height the terminal's own background shows.
      const below = y + 1 < height ? `48;${colour(x, y + 1)}` : "49";
      text += `\x1b[38;${colour(x, y)};${below}m▀`;
    }
    text += "\x1b[0m\n";
  }
  return text;
}
