/**
 * Weights, from bytes to named tensors: model folders (disk, HTTP, Blobs), safetensors files read by range and written,
 * sharded checkpoints, element types, and the names that the published layouts give to tensors.
 *
 * @module
 */
export { createFile, openFile } from "#files";
export { Checkpoint } from "./checkpoint.ts";
export type { CheckpointOptions, ReadOptions, TensorInfo } from "./checkpoint.ts";
export {
  bfloat16ToFloat32,
  dtypeBytes,
  float32ToBfloat16,
  float32ToHalf,
  fromFloat32,
  halfToFloat32,
  halfToNumber,
  isDType,
  toFloat32,
} from "./dtype.ts";
export type { DType } from "./dtype.ts";
export { WeightError } from "./error.ts";
export type { WeightErrorDetails } from "./error.ts";
export { openFolder } from "./folder.ts";
export type { Folder, FolderSource } from "./folder.ts";
export { httpSource } from "./http.ts";
export { canonicalName, nameRules } from "./names.ts";
export type { NameRule } from "./names.ts";
export { nearest } from "./nearest.ts";
export { readHeader } from "./safetensors.ts";
export type { SafetensorsHeader, TensorEntry } from "./safetensors.ts";
export { writeSafetensors } from "./save.ts";
export type { TensorToWrite } from "./save.ts";
export { blobSink, blobSource } from "./source.ts";
export type { ByteSink, ByteSource } from "./source.ts";
