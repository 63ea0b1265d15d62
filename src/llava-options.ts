import { OptionError } from "./generate/errors.ts";
import { checkOptionNames, checkSignal } from "./generate/options.ts";

export interface LoadProgress {
  /** "adapter": looking for a GPU; "weights": reading the checkpoint. */
  readonly phase: "adapter" | "weights";
  /** Bytes read so far, and in all. */
  readonly done: number;
  readonly total: number;
}

export interface LoadOptions {
  /** How weight matrices are kept on the GPU. "auto" keeps the file's precision. */
  readonly weights?: "auto" | "f32" | "f16";
  /** "auto", "gpu", "software", or a part of an adapter's name. Ignored if `device` is given. */
  readonly adapter?: string;
  /** A device of the caller's; it is not destroyed by `dispose`. */
  readonly device?: GPUDevice;
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ForwardOptions {
  /** Globs over value paths, e.g. `language.layers.*` or `vision.layers.0.attention.probabilities`. */
  readonly capture?: readonly string[];
  /** Positions whose logits are returned. Default "last". */
  readonly positions?: "last" | "all";
  readonly signal?: AbortSignal;
}

/** @throws OptionError */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptionNames(options, ["weights", "adapter", "device", "onProgress", "signal"]);
  const { weights = "auto", adapter = "auto", device, onProgress, signal } = options;
  if (!["auto", "f32", "f16"].includes(weights)) throw new OptionError("weights", '"auto", "f32" or "f16"', weights);
  if (typeof adapter !== "string") throw new OptionError("adapter", 'a text: "auto", "gpu", "software" or a part of an adapter\'s name', adapter);
  if (device !== undefined && typeof device?.createBuffer !== "function") throw new OptionError("device", "a GPUDevice", device);
  if (onProgress !== undefined && typeof onProgress !== "function") throw new OptionError("onProgress", "a function", onProgress);
  checkSignal(signal);
}

/** @throws OptionError */
export function checkForwardOptions(options: ForwardOptions): void {
  checkOptionNames(options, ["capture", "positions", "signal"]);
  const { capture = [], positions = "last", signal } = options;
  if (positions !== "last" && positions !== "all") throw new OptionError("positions", '"last" or "all"', positions);
  if (!Array.isArray(capture) || !capture.every((path) => typeof path === "string")) {
    throw new OptionError("capture", "an array of globs over value paths", capture);
  }
  checkSignal(signal);
}
