import { afterAll, describe, expect, it } from "vitest";
import { startWorker } from "#workers";
import { ImageError } from "../../src/input/image.ts";
import { processPicture } from "../../src/input/picture-job.ts";
import { PicturePool } from "../../src/input/picture-pool.ts";
import type { ImageProcessing } from "../../src/input/processor-config.ts";

const steps: ImageProcessing = {
  padToSquare: true, resize: { shortestEdge: 32 }, filter: "bicubic", crop: [32, 32], rescale: 1 / 255,
  background: [122, 116, 104],
};
const names = ["YCCK-420-progressive.jpg", "type6-depth16-interlaced.png", "RGBA-lossy-animated.webp", "P9-interlaced-key.gif"];
const picture = (name: string) => new URL(`../golden/pillow/${name}`, import.meta.url);

describe("workers in the browser", () => {
  let done = 0;
  const pool = new PicturePool(2, (events) => startWorker({
    ...events,
    message(said) {
      if (said.kind === "done") done++;
      events.message(said);
    },
  }));
  afterAll(() => pool.close());

  it("give the pixels of the page's own thread", async () => {
    const seen = await Promise.all(names.map((name) => pool.process(picture(name), steps, false)));
    expect(done).toBe(names.length);
    for (const [i, name] of names.entries()) {
      expect(seen[i], name).toEqual(await processPicture(picture(name), steps, false));
    }
  });

  it("throw its errors", async () => {
    const bytes = new Uint8Array(await (await fetch(picture(names[0]))).arrayBuffer());
    const error = await pool.process(bytes.slice(0, 200), steps, false).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ImageError);
    expect((error as ImageError).message).toMatch(/^image from bytes: the JPEG is cut short/);
  });

  it("are done without where their script cannot be loaded", async () => {
    const alone = new PicturePool(1, (events) => {
      const worker = new Worker(URL.createObjectURL(new Blob(["import '/no/such/script.js'"], { type: "text/javascript" })), { type: "module" });
      worker.addEventListener("error", (event) => events.failed(event.message));
      return { post: () => {}, hold: () => {}, stop: async () => worker.terminate() };
    });
    expect(await alone.process(picture(names[1]), steps, false)).toEqual(await processPicture(picture(names[1]), steps, false));
    await alone.close();
  });
});
