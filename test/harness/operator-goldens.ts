/** Gradients of single operations as PyTorch computes them: `test/golden/training/operators`. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { Checkpoint, openFolder, toFloat32 } from "../../weights/index.ts";
import { goldenPath } from "./golden.ts";

/** One case of an operation. */
export interface OperatorCase {
  readonly name: string;
  /** What the operation was told: eps, theta, heads. */
  readonly attributes: Readonly<Record<string, number>>;
  /** The output y and everything that has a gradient. */
  readonly results: readonly string[];
  shape(name: string): number[];
  /** The values of `input.NAME`, `upstream.y`, `output.y` or `gradient.NAME`. */
  floats(name: string): Float32Array;
  /** The values of `constant.NAME`. */
  integers(name: string): Int32Array;
  /** Allowed |got - want| of the gradient by NAME, or of the output y. */
  tolerance(name: string): number;
}

interface Description {
  readonly attributes: Record<string, number>;
  readonly shapes: Record<string, number[]>;
  readonly tolerance: Record<string, number>;
}

/** Every stored case of an operation, such as `layer_norm`. */
export async function operatorCases(operation: string): Promise<OperatorCase[]> {
  const all = JSON.parse(readFileSync(goldenPath("training/operators/operators.json"), "utf8")) as Record<
    string,
    Record<string, Description>
  >;
  const file = `${operation}.safetensors`;
  const bytes = readFileSync(goldenPath(`training/operators/${file}`));
  const checkpoint = await Checkpoint.open(await openFolder({ [file]: new Blob([bytes]) }), { rename: (name) => name });
  const tensors = new Map<string, Uint8Array>();
  for (const name of checkpoint.names()) tensors.set(name, (await checkpoint.read(name)).slice());
  await checkpoint.close();
  return Object.entries(all[operation]!).map(([name, { attributes, shapes, tolerance }]) => ({
    name,
    attributes,
    results: Object.keys(tolerance),
    shape: (tensor) => shapes[tensor]!,
    floats: (tensor) => toFloat32(tensors.get(`${name}/${tensor}`)!, "F32"),
    integers: (tensor) => new Int32Array(tensors.get(`${name}/constant.${tensor}`)!.buffer),
    tolerance: (tensor) => tolerance[tensor]!,
  }));
}

/**
 * Fails unless `got` is within five times the tolerance of a stored gradient, or of the output for the name "y".
 * The factor makes room for WGSL's exp and division and for other orders of summation.
 */
export function expectGolden(golden: OperatorCase, name: string, got: ArrayLike<number>): void {
  const want = golden.floats(name === "y" ? "output.y" : `gradient.${name}`);
  const limit = 5 * golden.tolerance(name);
  expect(got.length, `${golden.name} ${name}: length`).toBe(want.length);
  for (let i = 0; i < want.length; i++) {
    const off = Math.abs(got[i]! - want[i]!);
    if (off <= limit) continue;
    expect.fail(`${golden.name} ${name}: element ${i} is ${got[i]}, expected ${want[i]}, allowed ±${limit}`);
  }
}
