import { describe, expect, it } from "vitest";
import { OptionError } from "../generate/errors.ts";
import { checkOptions, checkRates, stepOptions, type TrainerOptions } from "./options.ts";
import { openSink } from "./target.ts";

const good: TrainerOptions = { trainable: ["projector"], learningRate: 1e-3 };
const schedule = { kind: "cosine", steps: 10 } as const;

describe("checkOptions", () => {
  it.each<[string, object]>([
    ["rates of parts that do not learn", { learningRate: { projector: 1e-3, language: 2e-5, vision: 2e-6 } }],
    ["a rate of 0 that is asked for", { learningRate: { projector: 0 } }],
    ["globs, whose parts only the model knows", { trainable: ["**.q_proj.weight"], learningRate: { language: 1e-3 } }],
    ["adapters alone", { trainable: undefined, lora: { rank: 2 } }],
    ["adapters by a glob, whose part only the model knows", { trainable: [], lora: { rank: 2, targets: ["vision_tower.**"] }, learningRate: { vision: 1 } }],
    ["a warm-up of all steps", { schedule: { ...schedule, warmupSteps: 10 } }],
    ["no clipping", { maxGradientNorm: 0 }],
    ["every option", {
      optimizer: { betas: [0.9, 0.999] }, schedule, maxGradientNorm: 1, accumulate: 1, normalise: "tokens", parametersWithoutGradient: "skip",
      recompute: "none", lora: "loaded",
    }],
  ])("takes %s", (_, changed) => {
    expect(() => checkOptions({ ...good, ...changed })).not.toThrow();
  });

  it.each<[string, unknown, string]>([
    ["no options", undefined, "options: expected an object, got nothing"],
    ["an unknown option", { ...good, learning_rate: 1 }, 'options: expected only trainable, lora, learningRate, optimizer, schedule, maxGradientNorm, accumulate, normalise, parametersWithoutGradient, recompute, got "learning_rate"'],
    ["an unknown part", { ...good, learningRate: { projektor: 1 } }, 'learningRate: expected only vision, projector, language, got "projektor"'],
    ["a part that learns without a rate", { ...good, learningRate: { language: 1 } }, "learningRate.projector: expected a rate, since something of this part learns, got nothing"],
    ["adapters without a rate", { ...good, lora: { rank: 2 }, learningRate: { projector: 1 } }, "learningRate.language: expected a rate"],
    ["adapters by name without a rate", { lora: { rank: 2, targets: ["q_proj"] }, learningRate: { vision: 1 } }, "learningRate.language: expected a rate"],
    ["no rate", { trainable: ["projector"] }, "learningRate: expected a number of at least 0, or one per part, got nothing"],
    ["a rate without bounds", { ...good, learningRate: Infinity }, "learningRate: expected a number of at least 0, or one per part, got Infinity"],
    ["a part's rate as text", { ...good, learningRate: { projector: "1" } }, "learningRate: expected a number of at least 0, or one per part"],
    ["a norm without bounds", { ...good, maxGradientNorm: Infinity }, "maxGradientNorm: expected a number of at least 0, got Infinity"],
    ["a norm below 0", { ...good, maxGradientNorm: -1 }, "maxGradientNorm: expected a number of at least 0, got -1"],
    ["a norm as text", { ...good, maxGradientNorm: "1" }, 'maxGradientNorm: expected a number of at least 0, got "1"'],
    ["an unknown setting of the schedule", { ...good, schedule: { ...schedule, warmup: 3 } }, 'schedule: expected only kind, steps, warmupRatio, warmupSteps, got "warmup"'],
    ["no schedule", { ...good, schedule: null }, "schedule: expected an object, got null"],
    ["a longer warm-up than the run", { ...good, schedule: { ...schedule, warmupSteps: 11 } }, "schedule.warmupSteps: expected at most 10, the steps of the whole run, got 11"],
    ["two warm-ups", { ...good, schedule: { ...schedule, warmupSteps: 3, warmupRatio: 0.1 } }, 'schedule: expected either warmupRatio or warmupSteps, got "both"'],
    ["a share as text", { ...good, schedule: { ...schedule, warmupRatio: "0.1" } }, 'schedule.warmupRatio: expected a number from 0 to 1, got "0.1"'],
    ["no list of what learns", { ...good, trainable: "projector" }, 'trainable: expected a list of parts or globs (none only with lora), got "projector"'],
    ["a number among what learns", { ...good, trainable: [3] }, "trainable: expected a list of parts or globs (none only with lora), got [3]"],
    ["nothing that learns", { learningRate: 1 }, "trainable: expected a list of parts or globs (none only with lora), got "],
    ["an unknown setting of adapters", { ...good, lora: { rank: 2, ranks: 3 } }, 'lora: expected only rank, alpha, dropout, targets, seed, got "ranks"'],
    ["a number for adapters", { learningRate: 1, lora: 5 }, "lora: expected an object, got 5"],
    ["null for adapters", { learningRate: 1, lora: null }, "lora: expected an object, got null"],
    ["an unknown word for adapters", { ...good, lora: "load" }, 'lora: expected an object or "loaded", got "load"'],
    ["dropout as text", { ...good, lora: { rank: 2, dropout: "0.1" } }, 'lora.dropout: expected a number from 0 to below 1, got "0.1"'],
    ["an unknown setting of the optimizer", { ...good, optimizer: { beta: 1 } }, "optimizer: expected only kind, betas"],
  ])("refuses %s", (_, options, says) => {
    const check = () => checkOptions(options as TrainerOptions);
    expect(check).toThrow(OptionError);
    expect(check).toThrow(says);
  });
});

it("a part that learns needs a rate, which may be one for all", () => {
  expect(() => checkRates(1, ["vision"])).not.toThrow();
  expect(() => checkRates({ vision: 0 }, ["vision"])).not.toThrow();
  expect(() => checkRates({ vision: 1 }, ["vision", "language"])).toThrow("learningRate.language: expected a rate");
});

it("no list of what learns is an empty one, also to a run that is resumed", () => {
  const lora = { rank: 2 };
  expect(stepOptions({ learningRate: 1, lora })).toEqual(stepOptions({ learningRate: 1, lora, trainable: [], recompute: "layer" }));
});

it("a target is a path or a function", async () => {
  await expect(openSink(undefined as never, "file")).rejects.toThrow("target: expected a folder's path, or a function that gives a sink for a file's name, got nothing");
});
