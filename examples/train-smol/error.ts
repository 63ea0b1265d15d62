import { LlavaError } from "llava-webgpu";

/** Two checkpoints that do not make a LLaVA, settings that make no sense, or an output folder of another run. */
export class SmolError extends LlavaError {
  override name = "SmolError";
}
