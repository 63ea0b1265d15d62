import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, vi } from "vitest";
import { startWorker } from "#workers";
import { readPicture } from "../../test/golden/pixels/read.ts";
import { ImageError } from "./image.ts";
import { packError, processPicture, unpackError } from "./picture-job.ts";
import type { JobRequest, PictureProcessor, WorkerMessage } from "./picture-job.ts";
import { defaultWorkers, PicturePool } from "./picture-pool.ts";
import { PictureWorkerError } from "./picture-thread.ts";
import { crc32 } from "./png.ts";
import type { ImageProcessing } from "./processor-config.ts";
import type { StartWorker, WorkerEvents } from "./worker-link.ts";

const normalise = { mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] };
const cropped: ImageProcessing = {
  padToSquare: false, resize: { shortestEdge: 32 }, filter: "bicubic", crop: [32, 32], rescale: 1 / 255, normalise,
  background: [0, 0, 0],
};
const tiled: ImageProcessing = {
  ...cropped, tiling: { pinpoints: [[32, 64], [64, 32], [64, 64]], several: "pad" },
};

const folderOf = (area: string) => fileURLToPath(new URL(`../../test/golden/${area}/`, import.meta.url));
const pictures = (["images", "pillow"] as const).flatMap((area) => readdirSync(folderOf(area))
  .filter((file) => /\.(jpg|png|webp|gif)$/.test(file)).map((file) => [area, file] as const));

/** What a processor makes of a picture, with checksums for its values, or all of the error that counts. */
async function outcome(process: PictureProcessor, ...args: Parameters<PictureProcessor>): Promise<unknown> {
  try {
    const { pixels, bytes, ...facts } = await process(...args);
    const sums = [crc32(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength)), crc32(bytes)];
    return { ...facts, lengths: [pixels.length, bytes.length], sums };
  } catch (error) {
    const { constructor, name, message, source, problem, cause } = error as ImageError;
    return { constructor, name, message, source, problem, cause: cause instanceof Error ? cause.message : cause };
  }
}

/** A pool that counts its workers and the pictures that they have done, and notes whether they hold the process. */
function observed(size: number) {
  const seen = { done: 0, held: [] as boolean[] };
  const start: StartWorker = (events) => {
    const message = (said: WorkerMessage) => {
      if (said.kind === "done") seen.done++;
      events.message(said);
    };
    const link = startWorker({ ...events, message });
    const mine = seen.held.push(true) - 1;
    return { ...link, hold: (held) => (link.hold(held), void (seen.held[mine] = held)) };
  };
  return { seen, pool: new PicturePool(size, start) };
}

const { pool, seen } = observed(2);
afterAll(() => pool.close());

describe("a pool of workers", () => {
  it("gives the pixels of the caller's thread, bit for bit, of every test picture", async () => {
    await Promise.all(pictures.map(async ([area, file], i) => {
      const bytes = readPicture(file, area);
      const before = bytes.slice();
      const source = [bytes, new Blob([bytes]), folderOf(area) + file][i % 3]!;
      const args = [source, i % 2 ? tiled : cropped, i % 5 === 0] as const;
      expect(await outcome(pool.process, ...args), file).toEqual(await outcome(processPicture, ...args));
      expect(bytes).toEqual(before);
    }));
    expect(pictures.length).toBeGreaterThan(100);
    expect(seen).toEqual({ done: pictures.length, held: [false, false] });
  });

  it("takes raw pixels, a buffer, and a view into a larger one", async () => {
    const png = readPicture("rgba.png");
    const within = new Uint8Array([1, 2, 3, ...png]).subarray(3);
    const data = Uint8ClampedArray.from({ length: 7 * 5 * 4 }, (_, i) => i);
    for (const source of [png.buffer, within, { width: 7, height: 5, data }]) {
      const want = await outcome(processPicture, source, cropped, false);
      for (let i = 0; i < 2; i++) expect(await outcome(pool.process, source, cropped, false)).toEqual(want);
    }
  });

  it("throws the errors of the caller's thread for pictures that are none, are cut short or damaged", async () => {
    const none = [new Uint8Array(0), new TextEncoder().encode("not a picture at all"), folderOf("images") + "none.png", 5 as never];
    const bad = [...none, { width: 2, height: 2, data: new Uint8Array(3) }, ...pictures.flatMap(([area, file]) => {
      const bytes = readPicture(file, area);
      const damaged = bytes.slice().fill(0xd7, Math.floor(bytes.length * 0.6), Math.floor(bytes.length * 0.8));
      return [bytes.slice(0, Math.floor(bytes.length * 0.7)), damaged];
    })];
    let refused = 0;
    await Promise.all(bad.map(async (source) => {
      const want = await outcome(processPicture, source, cropped, false);
      expect(await outcome(pool.process, source, cropped, false)).toEqual(want);
      if ("problem" in (want as object)) refused++;
    }));
    expect(refused).toBeGreaterThan(100);
    expect(seen.held).toEqual([false, false]);
  });

  it("stops waiting when aborted, with the signal's reason, and goes on with other pictures", async () => {
    const stop = new AbortController();
    const large = readPicture("large.png");
    const waiting = pool.process(large, tiled, false, stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await expect(pool.process(large, tiled, false, stop.signal)).rejects.toThrow("enough");
    expect(await outcome(pool.process, large, tiled, false)).toEqual(await outcome(processPicture, large, tiled, false));
  });

  it("fails what is under way when closed, and what is asked later", async () => {
    const { pool: closing, seen: mine } = observed(1);
    const png = readPicture("large.png");
    await closing.process(png, cropped, false);
    const waiting = [closing.process(png, cropped, false), closing.process(readPicture("dot.png"), cropped, false)];
    await Promise.resolve();
    const failed = Promise.allSettled(waiting);
    await closing.close();
    for (const result of await failed) {
      expect(result).toMatchObject({ status: "rejected", reason: expect.any(PictureWorkerError) });
    }
    await expect(closing.process(png, cropped, false)).rejects.toThrow(
      "worker for pictures: expected the pixels of image from bytes, but the pool of workers was closed",
    );
    await closing.close();
    expect(mine).toEqual({ done: 1, held: [false] });
  });

  it("fails what waits for a worker that is still starting when closed", async () => {
    const { pool: closing } = observed(1);
    const waiting = closing.process(readPicture("dot.png"), cropped, false);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const failed = expect(waiting).rejects.toThrow(PictureWorkerError);
    await closing.close();
    await failed;
  });

  it("starts no worker before a picture comes", async () => {
    const { pool: idle, seen: none } = observed(2);
    await expect(idle.process("/no/such.png", cropped, false)).rejects.toThrow(ImageError);
    await idle.close();
    expect(none.held).toEqual([]);
  });

  it("of size 0 works on the caller's thread", async () => {
    const own = new PicturePool(0, () => expect.fail("a worker was started"));
    const png = readPicture("rgba.png");
    expect(await outcome(own.process, png, cropped, false)).toEqual(await outcome(processPicture, png, cropped, false));
  });
});

/** A worker that does as the test says, at its start and at each request. */
function puppet(act: (events: WorkerEvents, request?: JobRequest) => void): StartWorker {
  return (events) => {
    setTimeout(() => act(events));
    return { post: (request) => act(events, request as JobRequest), hold: () => {}, stop: async () => {} };
  };
}

describe("a worker that dies", () => {
  const path = `${folderOf("images")}large.png`;

  it("fails its pictures with an error that names them, and all later ones", async () => {
    const dying = new PicturePool(1, (events) => {
      const link = startWorker(events);
      return { ...link, post: () => void link.stop() };
    });
    const reason = "the worker stopped (it ended with code 1); workers: 0 does without";
    const message = `worker for pictures: expected the pixels of image ${path}, but ${reason}`;
    const under = Promise.allSettled([tiled, cropped].map((steps) => dying.process(path, steps, false)));
    for (const result of await under) expect(result).toMatchObject({ status: "rejected", reason: { message } });
    await expect(dying.process(path, tiled, false)).rejects.toThrow(message);
    await dying.close();
  });

  it("is not asked again", async () => {
    const crash = puppet(({ message, failed }, request) => (request ? failed("out of\nmemory") : message({ kind: "ready" })));
    const dying = new PicturePool(1, crash);
    const says = `worker for pictures: expected the pixels of image ${path}, but the worker stopped (out of memory)`;
    for (let i = 0; i < 2; i++) {
      const error = await dying.process(path, cropped, false).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(PictureWorkerError);
      expect(error).toMatchObject({ name: "PictureWorkerError", picture: path, message: `${says}; workers: 0 does without` });
    }
  });
});

describe("a worker that cannot be started", () => {
  const forbidden: StartWorker = () => {
    throw new Error("Worker is not defined");
  };
  // As in Node: first the error, then the end of the thread.
  const missing = puppet(({ failed }) => ["cannot find its script", "it ended with code 1"].forEach(failed));

  it.each([["is not allowed", forbidden], ["has no script", missing]])("%s: the caller's thread does its work", async (_, start) => {
    const alone = new PicturePool(2, start);
    await Promise.all(pictures.slice(0, 12).map(async ([area, file]) => {
      const bytes = readPicture(file, area);
      expect(await outcome(alone.process, bytes, tiled, false)).toEqual(await outcome(processPicture, bytes, tiled, false));
    }));
    await expect(alone.process(new Uint8Array(3), tiled, false)).rejects.toThrow(ImageError);
    await alone.close();
  });

  it("does not hold up anything if it never answers", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const stop = vi.fn(async () => {});
    const mute = new PicturePool(1, () => ({ post: () => {}, hold: () => {}, stop }));
    const png = readPicture("rgba.png");
    const waiting = mute.process(png, cropped, false);
    await vi.advanceTimersByTimeAsync(20_000);
    vi.useRealTimers();
    expect((await waiting).bytes).toEqual((await processPicture(png, cropped, false)).bytes);
    expect(stop).toHaveBeenCalledOnce();
    await mute.close();
  });
});

describe("errors from thread to thread", () => {
  it("keep class, fields and causes", () => {
    const odd = new ImageError("cat.png", "is odd", { cause: new RangeError("why", { cause: "deep" }) });
    const back = unpackError(structuredClone(packError(odd))) as ImageError;
    expect(back).toBeInstanceOf(ImageError);
    expect([back.message, back.source, back.problem]).toEqual([odd.message, "cat.png", "is odd"]);
    expect(back.cause).toMatchObject({ name: "RangeError", message: "why", cause: { message: "deep" } });
    const bug = new TypeError("x is undefined");
    expect(unpackError(packError(bug))).toMatchObject({ name: "TypeError", message: bug.message, stack: bug.stack });
  });
});

describe("defaultWorkers", () => {
  it("leaves a core to the caller", () => {
    expect([0, 1, 2]).toContain(defaultWorkers());
  });
});
