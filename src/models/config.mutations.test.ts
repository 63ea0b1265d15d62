import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ConfigFiles, configs, supported } from "../../test/golden/configs/read.ts";
import { ConfigError, parseConfig } from "./config.ts";

describe("mutated configurations", () => {
  /** Every path to a value inside of `value`. */
  function paths(value: unknown, at: (string | number)[] = []): (string | number)[][] {
    if (typeof value !== "object" || value === null) return [at];
    return [at, ...Object.entries(value).flatMap(([key, child]) => paths(child, [...at, key]))];
  }

  function replaced(value: unknown, [key, ...rest]: (string | number)[], by: unknown): unknown {
    if (key === undefined) return by;
    const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
    copy[key] = replaced(copy[key], rest, by);
    return copy;
  }

  const numbers = [-1, 0, 1, 2, 3, 7, 0.5, 1e9, 2 ** 31, 1e308, NaN];
  const others = [undefined, null, true, "", "llama", "default", "__proto__", [], {}, [[]]];
  const odd = fc.oneof(fc.constantFrom<unknown>(...numbers, ...others), fc.jsonValue());

  it("give a ConfigError or a usable configuration, and nothing else", () => {
    const mutations = fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 2 });
    let errors = 0;
    const property = fc.property(fc.constantFrom(...supported), mutations, (name, list) => {
      let files: unknown = { generation: {}, ...configs[name] };
      for (const [index, by] of list) {
        const all = paths(files).slice(1);
        files = replaced(files, all[index % all.length], by);
      }
      const { config, generation } = files as ConfigFiles;
      try {
        const parsed = parseConfig(config, generation);
        const { heads, keyValueHeads, headSize, layers } = parsed.text;
        expect([heads % keyValueHeads, headSize % 2, layers % 1]).toEqual([0, 0, 0]);
        const last = parsed.vision?.layers ?? -1;
        expect(parsed.featureLayers.every((layer) => layer >= 0 && layer <= last)).toBe(true);
        expect(JSON.parse(JSON.stringify(parsed))).toEqual(parsed);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.message).not.toContain("\n");
        errors++;
      }
    });
    fc.assert(property, { numRuns: 3000, seed: 11 });
    expect(errors).toBeGreaterThan(500);
  });

  it("survive values that are not JSON", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    for (const value of [undefined, 3n, circular, Symbol("x"), () => 1, new Map()]) {
      expect(() => parseConfig({ model_type: value })).toThrow(ConfigError);
      const vision_config = { hidden_act: value, image_size: "" };
      expect(() => parseConfig({ model_type: "llava", vision_config })).toThrow(ConfigError);
    }
    expect(() => parseConfig(undefined)).toThrow("config.json: expected a JSON object, got nothing");
  });
});
