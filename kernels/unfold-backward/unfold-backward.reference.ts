import type { HostArrays, Params } from "../kernel.ts";
import type { UnfoldParam } from "../unfold/unfold.reference.ts";

/** dpixels[b, c, gy · patchSize + py, gx · patchSize + px] = dy[(b, gy, gx), (c, py, px)]; 0 beyond the grid. */
export function unfoldBackwardReference(
  { dy }: HostArrays<"dy">,
  { batch, channels, height, width, patchSize, gridHeight, gridWidth }: Params<UnfoldParam>,
): HostArrays<"dpixels"> {
  const dpixels = new Float32Array(batch * channels * height * width);
  let i = 0;
  for (let b = 0; b < batch; b++) {
    for (let gy = 0; gy < gridHeight; gy++) {
      for (let gx = 0; gx < gridWidth; gx++) {
        for (let c = 0; c < channels; c++) {
          for (let py = 0; py < patchSize; py++) {
            for (let px = 0; px < patchSize; px++) {
              dpixels[((b * channels + c) * height + gy * patchSize + py) * width + gx * patchSize + px] = dy[i++]!;
            }
          }
        }
      }
    }
  }
  return { dpixels };
}
