/** What a worker does for its caller: pictures decoded and processed. The same code runs on the caller's own thread. */
import { decodePicture, readPicture } from "./decode.ts";
import type { EncodedPicture, PictureSource } from "./decode.ts";
import { ImageError } from "./image.ts";
import type { Image } from "./image.ts";
import type { ImageProcessing } from "./processor-config.ts";
import { processImage } from "./processors.ts";
import type { ProcessedImage } from "./processors.ts";

/**
 * Reads a picture and processes it as `steps` say; `several`: its prompt has more than one.
 *
 * Throws `ImageError` if it cannot be read, and the signal's reason when aborted.
 */
export type PictureProcessor = (
  source: PictureSource,
  steps: ImageProcessing,
  several: boolean,
  signal?: AbortSignal,
) => Promise<ProcessedImage>;

/** A picture that has been read, and what is to become of it: plain data. */
export interface PictureJob {
  readonly picture: EncodedPicture | Image;
  readonly steps: ImageProcessing;
  readonly several: boolean;
}

/** Does a job on this thread. Throws as `PictureProcessor`. */
export async function runJob({ picture, steps, several }: PictureJob, signal?: AbortSignal): Promise<ProcessedImage> {
  return processImage(await decodePicture(picture, { signal }), steps, several);
}

/** Processes a picture on the caller's thread. */
export const processPicture: PictureProcessor = async (source, steps, several, signal) =>
  runJob({ picture: await readPicture(source, signal), steps, several }, signal);

/** What a worker is asked. */
export interface JobRequest {
  readonly id: number;
  readonly job: PictureJob;
}

/** What a worker says: first that it listens, then how each job went. */
export type WorkerMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "done"; readonly id: number; readonly picture: ProcessedImage }
  | { readonly kind: "failed"; readonly id: number; readonly failure: Failure };

/** An error as plain data: structured cloning would keep neither its class nor its fields. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Of an `ImageError`. */
  readonly image?: { readonly source: string; readonly problem: string };
  readonly cause?: Failure;
}

/**
 * A worker's side: says that it is ready, and gives the function that takes requests, which are done one after the
 * other. Pixels are handed over, not copied.
 */
export function serveJobs(
  send: (message: WorkerMessage, transfer: Transferable[]) => void,
): (request: JobRequest) => void {
  let last: Promise<void> = Promise.resolve();
  send({ kind: "ready" }, []);
  return ({ id, job }) => {
    last = last.then(() => runJob(job)).then(
      (picture) => send({ kind: "done", id, picture }, [picture.pixels.buffer, picture.bytes.buffer] as ArrayBuffer[]),
      (error: unknown) => send({ kind: "failed", id, failure: packError(error) }, []),
    );
  };
}

/** An error as it crosses from thread to thread. */
export function packError(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, cause } = error;
  return {
    name,
    message,
    stack,
    ...(error instanceof ImageError ? { image: { source: error.source, problem: error.problem } } : {}),
    ...(cause === undefined ? {} : { cause: packError(cause) }),
  };
}

/** The error on the other side: an `ImageError` is one again, any other keeps its name, message and stack. */
export function unpackError({ name, message, stack, image, cause }: Failure): Error {
  const options = cause ? { cause: unpackError(cause) } : {};
  if (image) return new ImageError(image.source, image.problem, options);
  return Object.assign(new Error(message, options), { name, stack });
}
