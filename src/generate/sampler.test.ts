import { describe, expect, it } from "vitest";
import { LogitsError, OptionError } from "./errors.ts";
import { softmax } from "./logits.ts";
import { draw, processLogits, Sampler, type SamplerOptions } from "./sampler.ts";

const logits = Float32Array.from({ length: 40 }, (_, i) => 2 * Math.sin(i * 1.7) + Math.cos(i * i));

function sequence(options: SamplerOptions, count = 200): number[] {
  const sampler = new Sampler(options);
  return Array.from({ length: count }, () => sampler.next(logits, []));
}

describe("Sampler", () => {
  it("is greedy by default and takes the first of equals", () => {
    expect(new Sampler().next(Float32Array.of(1, 3, 3, 2), [])).toBe(1);
    expect(new Sampler({ temperature: 0, topK: 2, seed: 1 }).next(Float32Array.of(1, 3, 3, 2), [])).toBe(1);
  });

  it("applies the repetition penalty when greedy", () => {
    expect(new Sampler({ repetitionPenalty: 2 }).next(Float32Array.of(1, 3, 2.9), [1])).toBe(2);
    expect(new Sampler({ repetitionPenalty: 0.5 }).next(Float32Array.of(1, -3, -2), [0])).toBe(0);
  });

  it("repeats itself for the same seed only", () => {
    const options = { temperature: 1.5 };
    for (const seed of [0, 7, -1, 2 ** 40 + 7]) {
      expect(sequence({ ...options, seed })).toEqual(sequence({ ...options, seed }));
    }
    const seeds = [0, 7, -1, 2 ** 40 + 7, undefined, undefined];
    expect(new Set(seeds.map((seed) => String(sequence({ ...options, seed })))).size).toBe(seeds.length);
  });

  it.each<SamplerOptions>([
    { temperature: 1 },
    { temperature: 0.7, topK: 12 },
    { temperature: 1.3, topP: 0.8 },
    { temperature: 1, minP: 0.2, repetitionPenalty: 1.4 },
  ])("draws with the frequencies of the distribution: %o", (options) => {
    const history = [3, 5, 11];
    const expected = softmax(processLogits(logits, history, options));
    const sampler = new Sampler({ ...options, seed: 1234 });
    const draws = 40_000;
    const counts = new Float64Array(logits.length);
    for (let i = 0; i < draws; i++) counts[sampler.next(logits, history)]++;
    for (const [token, p] of expected.entries()) {
      // Five standard deviations of a binomial distribution; exactly none where the probability is 0.
      expect(Math.abs(counts[token] - draws * p)).toBeLessThanOrEqual(5 * Math.sqrt(draws * p * (1 - p)));
    }
  });

  it("draws the likeliest token only with top-k 1", () => {
    expect(new Set(sequence({ temperature: 3, topK: 1, seed: 3 })).size).toBe(1);
  });

  it("neither changes the logits nor follows later changes of its options", () => {
    const options = { temperature: 1, topK: 1 };
    const sampler = new Sampler(options);
    options.temperature = -1;
    const before = logits.slice();
    sampler.next(logits, [1, 2]);
    expect(logits).toEqual(before);
  });

  it("names logits that no token can be drawn from", () => {
    for (const temperature of [0, 1]) {
      expect(() => new Sampler({ temperature }).next(Float32Array.of(0, NaN), [])).toThrow(LogitsError);
    }
  });

  it.each<[keyof SamplerOptions, unknown]>([
    ["temperature", -0.1],
    ["temperature", Infinity],
    ["temperature", "1"],
    ["topK", 1.5],
    ["topK", -1],
    ["topP", 0],
    ["topP", 1.01],
    ["minP", -0.1],
    ["minP", NaN],
    ["repetitionPenalty", 0],
    ["repetitionPenalty", null],
    ["seed", 0.5],
  ])("rejects %s %s", (option, value) => {
    const make = () => new Sampler({ [option]: value });
    expect(make).toThrow(OptionError);
    expect(make).toThrow(expect.objectContaining({ option, got: value }));
    expect(make).toThrow(new RegExp(`^${option}: expected .*, got `));
  });
});

describe("draw", () => {
  it("passes over tokens without probability and survives a sum below 1", () => {
    const probabilities = Float64Array.of(0, 0.25, 0, 0.75 - 1e-12, 0);
    expect([0, 0.2499, 0.25, 0.9999999999999999].map((u) => draw(probabilities, u))).toEqual([1, 1, 3, 3]);
  });
});
