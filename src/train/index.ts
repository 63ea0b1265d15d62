/**
 * Training on the graph that runs the model: both stages of LLaVA, from its JSON to a folder that transformers opens.
 *
 * @module
 */
export { Random } from "../../kernels/random.ts";
export * from "./data/index.ts";
export { BatchError, type TrainingBatch } from "./training-batch.ts";
export { type Curve, type CurvePoint, drawCurve } from "./curve.ts";
export { DivergedError } from "./diverged.ts";
export type { AdamWOptions, OptimizerOptions } from "./optimizer-options.ts";
export {
  dpoGradients, dpoLoss, type DpoOptions, type DpoResult, dpoStep, type PreferenceBatch, referenceLogProbabilities,
} from "./dpo.ts";
export { addLora, type LoraOptions, mergeLora, removeLora } from "./lora.ts";
export { loadLora, saveLora } from "./lora-files.ts";
export type { Evaluation } from "./evaluate.ts";
export type { MemoryPlan } from "./memory.ts";
export type { TrainerOptions } from "./options.ts";
export { padRows } from "./pad-rows.ts";
export { checkRecipe, type Recipe, type RecipeData, RecipeError, type RecipeEvaluation, type RecipeStage } from "./recipe.ts";
export { type RecipeProgress, type RecipeResult, runRecipe, type RunOptions } from "./run-recipe.ts";
export { saveModel, type SaveOptions, type SaveType } from "./save.ts";
export { learningRateFactor, type Schedule, warmupSteps } from "./schedule.ts";
export type { SequenceLoss, SequenceScores } from "./sequences.ts";
export type { Part, Slot } from "./slots.ts";
export { ResumeError } from "./state.ts";
export type { SaveTarget } from "./target.ts";
export { type TowerStepResult, TowerTrainer } from "./tower.ts";
export type { TowerBatch, TowerTarget } from "./tower-batch.ts";
export type { TowerOptions } from "./tower-options.ts";
export type { Trainable } from "./trainable.ts";
export { type StepResult, Trainer } from "./trainer.ts";
