/**
 * The base of every error that this library throws on purpose.
 *
 * A message is one line: what was expected, what came, what to do. Subclasses live beside the code that throws them
 * (`WeightError` in `weights/`, `DeviceError` in `src/gpu/`, ...) and carry the values of the message as fields.
 */
export class LlavaError extends Error {
  override name = "LlavaError";
}

export { shown } from "./shown.ts";
