/**
 * The LLaVA family of vision-language models on WebGPU.
 *
 * @module
 */
export { LlavaError } from "../errors/index.ts";
export { TokenizerError } from "../tokenizer/index.ts";
export { type FolderSource, WeightError } from "../weights/index.ts";
export { type AdapterDescription, chooseAdapter, describeAdapter, findAdapters } from "./gpu/adapter.ts";
export { DeviceError, DeviceLostError, DriverError, GpuMemoryError } from "./gpu/error.ts";
export { ImageError } from "./input/image.ts";
export type { PictureSource } from "./input/decode.ts";
export type { Message, MessagePart, Request } from "./input/messages.ts";
export { PromptError } from "./input/prompt.ts";
export { ProcessorError } from "./input/processor-config.ts";
export type { GenerateOptions, GenerateResult, StepRecord } from "./generate/generate.ts";
export type { Prepared } from "./generate/prepare.ts";
export type { HostTensor as Tensor } from "./generate/runtime.ts";
export { ContextError, LogitsError, OptionError } from "./generate/errors.ts";
export { type ForwardResult, Llava } from "./llava.ts";
export { DisposedError } from "./turns.ts";
export type { ForwardOptions, LoadOptions, LoadProgress } from "./llava-options.ts";
export { ConfigError, type ModelConfig } from "./models/config.ts";
