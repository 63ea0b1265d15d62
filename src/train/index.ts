/**
 * Training on the graph that runs the model: both stages of LLaVA, from its JSON to a folder that transformers opens.
 *
 * @module
 */
export * from "./data/index.ts";
export { BatchError } from "./batch.ts";
export type { AdamWOptions } from "./optimizer.ts";
export type { SaveOptions, SaveType } from "./save.ts";
export { learningRateFactor, type Schedule, warmupSteps } from "./schedule.ts";
export type { Part, Slot } from "./slots.ts";
export { ResumeError } from "./state.ts";
export type { SaveTarget } from "./target.ts";
export { DivergedError, type StepResult, type Trainable, Trainer, type TrainerOptions } from "./trainer.ts";
