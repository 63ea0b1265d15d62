import { it } from "vitest";
import { blankImage } from "./image.ts";
import { readProcessorConfig } from "./processor-config.ts";
import { processImage } from "./processors.ts";
import { packTable } from "./pack.ts";
it("t", () => {
  const big = blankImage(4000, 3000, [9, 8, 7]);
  const square = { height: 336, width: 336 };
  const p = { size: { shortest_edge: 336 }, crop_size: square };
  const grid = [1,2,3,4,5,6].flatMap((h) => [1,2,3,4,5,6].map((w) => [h * 384, w * 384]));
  const steps = {
    clip: { image_processor_type: "CLIPImageProcessor", ...p },
    pad: { image_processor_type: "LlavaImageProcessor", do_pad: true, ...p },
    next: { image_processor_type: "LlavaNextImageProcessor", ...p, image_grid_pinpoints: [[336,672],[672,336],[672,672]] },
    ov: { image_processor_type: "LlavaOnevisionImageProcessor", size: { height: 384, width: 384 }, image_grid_pinpoints: grid },
  };
  for (const [k, preprocessor] of Object.entries(steps)) {
    const c = readProcessorConfig({ config: {}, preprocessor }).image;
    for (const im of [big, blankImage(20000, 100), blankImage(100, 20000), blankImage(20000, 5000)]) { const t = performance.now(); const r = processImage(im, c); console.log(k, im.width, im.height, r.tiles, Math.round(performance.now() - t)); }
  }
  const t = performance.now(); packTable({ side: 27, grid: [6, 6], originalSize: [2304, 2304], newline: true, maxTiles: 9 }); console.log("pack", performance.now() - t);
});
