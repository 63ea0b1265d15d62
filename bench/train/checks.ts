/** What must hold of a training before its times count. */
import type { FoundAdapter } from "../../src/gpu/adapter.ts";
import { Llava } from "../../src/index.ts";
import { Trainer, type TrainerOptions, type TrainingBatch } from "../../src/train/index.ts";
import type { TrainRecord } from "../records.ts";

/** Another account of the first step of the same training. */
export interface OtherStep {
  readonly name: string;
  readonly loss: number;
  readonly gradientNorm: number;
}

/** How far the first loss of random weights may be from the entropy of a guess. */
const GUESS = 0.3;
/** How far another account of the first step may be off, as a share. */
const LOSS_OFF = 1e-4;
const NORM_OFF = 1e-3;

/**
 * The first step by other kernels: on a device without optional features, with the variants that are not preferred on this
 * adapter.
 */
export async function otherKernelsStep(found: FoundAdapter, model: string, batch: TrainingBatch, options: TrainerOptions): Promise<OtherStep> {
  const adapter = await found.request();
  const device = await adapter.requestDevice();
  const llava = await Llava.load(model, { device });
  try {
    Object.assign(llava.parts.loaded.gpu.traits, { software: !found.software });
    const trainer = await Trainer.create(llava, options);
    const { loss, gradientNorm } = await trainer.step(batch);
    await trainer.dispose();
    return { name: "other kernels", loss, gradientNorm };
  } finally {
    await llava.dispose();
    device.destroy();
  }
}

/** How far the first step is from another account of it, as shares. */
export function stepOff({ loss, gradientNorm }: Pick<TrainRecord, "loss" | "gradientNorm">, other: OtherStep) {
  return { name: other.name, loss: Math.abs(other.loss / loss - 1), gradientNorm: Math.abs(other.gradientNorm / gradientNorm - 1) };
}

/** What is wrong with a training; nothing, if all is well. */
export function problemsOf({ loss, guess, lastLoss, steps, off, planned, allocated, objects }: TrainRecord): string[] {
  const problems: string[] = [];
  if (!(Math.abs(loss - guess) < GUESS)) problems.push(`the first loss is ${loss}, expected about ${guess}, the logarithm of the vocabulary`);
  for (const other of off) {
    if (other.loss <= LOSS_OFF && other.gradientNorm <= NORM_OFF) continue;
    problems.push(`${other.name}: the first loss is off by ${other.loss.toExponential(2)}, the gradient norm by ${other.gradientNorm.toExponential(2)}`);
  }
  if (!(lastLoss < loss)) problems.push(`the loss went from ${loss} to ${lastLoss} in ${steps} steps on one batch`);
  if (planned !== allocated) problems.push(`the memory plan says ${planned} bytes, ${allocated} are allocated`);
  const made = Object.entries(objects).map(([method, count]) => `${method} ${count} times`);
  if (made.length > 0) problems.push(`a warm step calls ${made.join(", ")}`);
  return problems;
}
