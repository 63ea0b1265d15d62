import { OptionError } from "./errors.ts";

/**
 * Refuses what is no object of options, or holds an option of a name that is not known: a slip of the pen would otherwise
 * be ignored in silence.
 *
 * @param group what errors call the object
 * @throws OptionError
 */
export function checkOptionNames(options: unknown, known: readonly string[], group = "options"): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) throw new OptionError(group, "an object", options);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && !known.includes(name)) throw new OptionError(group, `only ${known.join(", ")}`, name);
  }
}

/** @throws OptionError for a signal that is none */
export function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new OptionError("signal", "an AbortSignal", signal);
}
