import type { HostArrays, Params } from "../kernel.ts";

/** What `unfold` is told: sizes of the images and of a patch in pixels, of the grid in patches. */
export type UnfoldParam = "batch" | "channels" | "height" | "width" | "patchSize" | "gridHeight" | "gridWidth";

/** y[(b, gy, gx), (c, py, px)] = pixels[b, c, gy · patchSize + py, gx · patchSize + px]. */
export function unfoldReference(
  { pixels }: HostArrays<"pixels">,
  { batch, channels, height, width, patchSize, gridHeight, gridWidth }: Params<UnfoldParam>,
): HostArrays<"y"> {
  const y = new Float32Array(batch * gridHeight * gridWidth * channels * patchSize * patchSize);
  let i = 0;
  for (let b = 0; b < batch; b++) {
    for (let gy = 0; gy < gridHeight; gy++) {
      for (let gx = 0; gx < gridWidth; gx++) {
        for (let c = 0; c < channels; c++) {
          for (let py = 0; py < patchSize; py++) {
            for (let px = 0; px < patchSize; px++) {
              y[i++] = pixels[((b * channels + c) * height + gy * patchSize + py) * width + gx * patchSize + px]!;
            }
          }
        }
      }
    }
  }
  return { y };
}
