/** Draws what the vision tower was given. */
import type { Sight } from "./state.ts";

/** Fills `place` with a canvas per tile: the base tile by itself, the others in their grid. */
export function drawTiles(place: HTMLElement, sight: Sight | undefined): void {
  place.replaceChildren();
  if (!sight) return;
  if (!sight.grid) {
    place.append(drawTile(sight, 0, "The processed picture"));
    return;
  }
  const [rows, columns] = sight.grid;
  const grid = document.createElement("div");
  grid.className = "grid";
  grid.style.setProperty("--columns", String(columns));
  for (let tile = 0; tile < rows * columns; tile++) {
    const label = `Tile in row ${Math.floor(tile / columns) + 1}, column ${(tile % columns) + 1}`;
    grid.append(drawTile(sight, tile + 1, label));
  }
  place.append(drawTile(sight, 0, "Base tile: the whole picture"), grid);
}

/** One tile, pixel for pixel; the style sheet scales it. */
function drawTile({ bytes, width, height }: Sight, tile: number, label: string): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  canvas.title = label;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  const pixels = opaque(bytes, tile * width * height, width * height);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, width), 0, 0);
  return canvas;
}

/** RGB to RGBA, `count` pixels from pixel `start` on. */
function opaque(rgb: Uint8Array, start: number, count: number): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(count * 4).fill(255);
  for (let i = 0; i < count; i++) rgba.set(rgb.subarray((start + i) * 3, (start + i) * 3 + 3), i * 4);
  return rgba;
}
