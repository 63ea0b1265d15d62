import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogitsError, OptionError } from "./errors.ts";
import {
  argmax,
  checkLogits,
  keepMinP,
  keepTopK,
  keepTopP,
  penaliseRepetition,
  scaleByTemperature,
  softmax,
  topLogits,
} from "./logits.ts";
import { processLogits, type SamplerOptions } from "./sampler.ts";

interface Goldens {
  history: number[];
  vectors: Record<string, number[]>;
  rows: { vector: string; processors: string; probabilities: number[] }[];
}

const file = new URL("../../test/golden/sampling/processors.json", import.meta.url);
const goldens = JSON.parse(readFileSync(file, "utf8")) as Goldens;

const optionNames: Record<string, keyof SamplerOptions> = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  min_p: "minP",
  repetition_penalty: "repetitionPenalty",
};

/** "temperature 0.2, top_p 0.95" as options; undefined if a processor is none of ours. */
function optionsOf(processors: string): SamplerOptions | undefined {
  if (processors === "none") return {};
  const pairs = processors.split(", ").map((text) => text.split(" "));
  if (!pairs.every(([name, , ...more]) => name in optionNames && more.length === 0)) return undefined;
  return Object.fromEntries(pairs.map(([name, value]) => [optionNames[name], Number(value)]));
}

const supported = goldens.rows.filter(({ processors }) => optionsOf(processors) !== undefined);
const others = goldens.rows.map(({ processors }) => processors).filter((text) => optionsOf(text) === undefined);

describe("processLogits", () => {
  it.each(supported)("gives transformers' distribution: $vector, $processors", (golden) => {
    const { vector, processors, probabilities } = golden;
    const logits = Float32Array.from(goldens.vectors[vector]);
    const before = logits.slice();
    const got = [...softmax(processLogits(logits, goldens.history, optionsOf(processors) ?? {}))];
    expect(logits).toEqual(before);
    // Which of several equal logits top-p keeps is not a contract: there only the set of probabilities counts.
    const free = vector === "ties" && processors.includes("top_p");
    const arrange = (list: number[]) => (free ? list.toSorted((a, b) => a - b) : list);
    const [ours, theirs] = [arrange(got), arrange(probabilities)];
    const error = Math.max(...theirs.map((expected, i) => Math.abs(expected - ours[i])));
    expect(error).toBeLessThan(1e-6);
    expect(ours.map((p) => p > 0)).toEqual(theirs.map((p, i) => p > 0 || (ours[i] > 0 && ours[i] < 1e-7)));
  });

  it("covers all processors of the goldens but these", () => {
    expect([...new Set(others)]).toEqual(["top_p 0.9 min_tokens_to_keep 3", "typical_p 0.8", "no_repeat_ngram_size 2"]);
    expect(supported.length).toBe(80);
  });
});

describe("the steps", () => {
  const logits = Float32Array.of(1, -2, 3, 3, -Infinity, 0);

  it("penalise every token of the history once and pass over other ids", () => {
    expect(penaliseRepetition(logits, [0, 1, 1, 4, 99, -200], 2)).toEqual(Float32Array.of(0.5, -4, 3, 3, -Infinity, 0));
  });

  it("survive the smallest and largest temperatures", () => {
    expect([...softmax(scaleByTemperature(logits, 1e-300))]).toEqual([0, 0, 0.5, 0.5, 0, 0]);
    const flat = [...softmax(scaleByTemperature(logits, 1e300))];
    expect(flat.map((p) => Number(p.toFixed(6)))).toEqual([0.2, 0.2, 0.2, 0.2, 0, 0.2]);
  });

  it("keep all tokens that equal the k-th", () => {
    expect(keepTopK(logits, 1)).toEqual(Float32Array.of(-Infinity, -Infinity, 3, 3, -Infinity, -Infinity));
    expect(keepTopK(logits, 6)).toEqual(logits);
    expect(keepTopK(logits, 5)).toEqual(logits);
  });

  it("keep the lower ids of equal tokens in the nucleus, and always one", () => {
    expect(keepTopP(Float32Array.of(2, 2, 2, 2), 0.6)).toEqual(Float32Array.of(2, 2, 2, -Infinity));
    expect(keepTopP(logits, 1e-9)).toEqual(Float32Array.of(-Infinity, -Infinity, 3, -Infinity, -Infinity, -Infinity));
    expect(keepTopP(logits, 1)).toEqual(logits);
  });

  it("keep tokens as likely as the bound of min-p", () => {
    expect(keepMinP(logits, 1)).toEqual(Float32Array.of(-Infinity, -Infinity, 3, 3, -Infinity, -Infinity));
    expect(keepMinP(logits, 0)).toEqual(logits);
  });

  it("find the first of the largest", () => {
    expect(argmax(logits)).toBe(2);
    expect(argmax(Float32Array.of(-Infinity, -Infinity))).toBe(0);
  });

  it("take the nucleus as a full sort would", () => {
    const vectors = fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 60 });
    const property = fc.property(vectors, fc.double({ min: 0.001, max: 0.999, noNaN: true }), (values, p) => {
      const scores = Float32Array.from(values, (value, i) => value / 4 + i * 1e-3);
      const probabilities = softmax(scores);
      const order = [...scores.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
      const kept = order.filter((token) => keepTopP(scores, p)[token] !== -Infinity);
      const mass = (tokens: number[]) => tokens.reduce((sum, token) => sum + probabilities[token], 0);
      expect(kept).toEqual(order.slice(0, kept.length));
      expect(mass(kept)).toBeGreaterThan(p - 1e-9);
      expect(kept.length === 1 || mass(kept.slice(0, -1)) <= p + 1e-9).toBe(true);
    });
    fc.assert(property, { numRuns: 300, seed: 5 });
  });
});

describe("topLogits", () => {
  it("gives the best in descending order, lower ids first among equals", () => {
    const logits = Float32Array.of(1, 5, 3, 5, -Infinity, 3);
    const best = [1, 3, 2, 5, 0, 4].map((token) => ({ token, logit: logits[token] }));
    for (const n of [0, 1, 2, 3, 6, 10]) expect(topLogits(logits, n)).toEqual(best.slice(0, n));
  });

  it("agrees with a full sort", () => {
    const vectors = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 80 });
    const property = fc.property(vectors, fc.nat(90), (values, n) => {
      const sorted = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
      expect(topLogits(Float32Array.from(values), n).map(({ token }) => token)).toEqual(sorted.slice(0, n));
    });
    fc.assert(property, { numRuns: 300, seed: 6 });
  });

  it("passes over a large vocabulary once", () => {
    const logits = Float32Array.from({ length: 152_064 }, (_, i) => Math.sin(i * 12.9898) * 43.7);
    const expected = Float32Array.from(logits).sort().toReversed().slice(0, 1000);
    expect(topLogits(logits, 1000).map(({ logit }) => logit)).toEqual([...expected]);
  });

  it.each([-1, 1.5, Number.NaN])("rejects a count of %s", (n) => {
    expect(() => topLogits(Float32Array.of(1), n)).toThrow(OptionError);
  });
});

describe("checkLogits", () => {
  it("counts what is not a number and names a likely cause", () => {
    const broken = Float32Array.of(1, NaN, Infinity, NaN, -Infinity);
    expect(() => checkLogits(broken)).toThrow(LogitsError);
    expect(() => checkLogits(broken)).toThrow(/^logits: expected finite numbers, got 2 NaN and 1 infinite of 5; /);
  });

  it("wants one token that can be chosen", () => {
    expect(() => checkLogits(Float32Array.of(-Infinity, -Infinity))).toThrow(/at least one.*got 2 without any/);
    expect(() => checkLogits(new Float32Array(0))).toThrow(LogitsError);
    expect(() => checkLogits(Float32Array.of(-Infinity, 0))).not.toThrow();
  });
});
