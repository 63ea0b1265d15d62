import { LlavaError, shown } from "../../errors/index.ts";

/** A setting of config.json or generation_config.json that is missing, of the wrong kind or not supported. */
export class ConfigError extends LlavaError {
  override name = "ConfigError";

  constructor(
    /** The file at fault: "config.json" or "generation_config.json". */
    readonly file: string,
    /** Dotted path of the setting, such as "text_config.hidden_size"; empty for the whole file. */
    readonly path: string,
    /** What would have been right. */
    readonly expected: string,
    /** The value that came; undefined if there was none. */
    readonly got: unknown,
    /** What to do about it. */
    advice = "",
  ) {
    const place = path === "" ? file : `${file}: ${path}`;
    super(`${place}: expected ${expected}, got ${shown(got)}${advice === "" ? "" : `; ${advice}`}`);
  }
}

/** Sizes and counts beyond this do not fit a 32-bit index on the GPU. */
const largest = 2 ** 31 - 1;

/** More layers than any model has: a damaged number must not make a model that fills the memory. */
export const mostLayers = 1000;

/**
 * One JSON object of a configuration file, read setting by setting. As in transformers, a setting that is absent takes
 * the default of its class, and null counts as absent. Every method throws `ConfigError` with the path of the setting.
 */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws ConfigError if `value` is not a JSON object */
  constructor(
    value: unknown,
    readonly file: string,
    readonly path = "",
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new ConfigError(file, path, "a JSON object", value);
    }
    this.#values = value as Record<string, unknown>;
  }

  /** The value as it stands in the file. */
  raw(key: string): unknown {
    return this.#values[key];
  }

  /** Whether the setting is there and not null. */
  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null;
  }

  /** The object under `key`; an empty one if it is absent. */
  child(key: string): Fields {
    return new Fields(this.#values[key] ?? {}, this.file, this.#pathOf(key));
  }

  error(key: string, expected: string, advice = "", got: unknown = this.#values[key]): ConfigError {
    return new ConfigError(this.file, this.#pathOf(key), expected, got, advice);
  }

  /** An integer from `least` (1 unless told otherwise) to `most` (2^31 - 1). */
  integer<D>(key: string, otherwise: D, least = 1, most = largest): number | D {
    if (!this.has(key)) return otherwise;
    const value = this.#values[key];
    if (isInteger(value, least, most)) return value;
    throw this.error(key, `an integer from ${least} to ${most}`);
  }

  /** A finite number greater than 0. */
  positive<D>(key: string, otherwise: D): number | D {
    const value = this.number(key, otherwise);
    if (typeof value === "number" && value <= 0) throw this.error(key, "a number greater than 0");
    return value;
  }

  /** A finite number. */
  number<D>(key: string, otherwise: D): number | D {
    if (!this.has(key)) return otherwise;
    const value = this.#values[key];
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.error(key, "a finite number");
  }

  flag<D>(key: string, otherwise: D): boolean | D {
    if (!this.has(key)) return otherwise;
    const value = this.#values[key];
    if (typeof value === "boolean") return value;
    throw this.error(key, "true or false");
  }

  /** One of the names of `table`; gives what stands beside the name. */
  choice<T>(key: string, table: Readonly<Record<string, T>>, otherwise: string): T {
    const value = this.#values[key] ?? otherwise;
    if (typeof value === "string" && Object.hasOwn(table, value)) return table[value];
    throw this.error(key, oneOf(Object.keys(table)), "", value);
  }

  /** One integer, or a list of at least one, from `least` to `most`. */
  integers(key: string, least: number, most: number): number[] {
    const value = this.#values[key];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (list.length > 0 && list.every((item) => isInteger(item, least, most))) return list;
    throw this.error(key, `an integer from ${least} to ${most}, or a list of them`);
  }

  #pathOf(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }
}

/** Whether `value` is an integer from `least` to `most`. */
export function isInteger(value: unknown, least: number, most: number = largest): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

/** The names of a list for a message: `one of "a", "b"`. */
export function oneOf(names: readonly string[]): string {
  return `one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;
}
