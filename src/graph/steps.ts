/** From the calls of a graph to dispatches: which variant of a kernel, how many workgroups, and its parameters as bytes. */
import { foldGroups, type Kernel, paramFields, type WeightType } from "../../kernels/kernel.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { chooseKernel } from "./choose.ts";
import { ProgramError } from "./error.ts";
import type { Call, Node } from "./graph.ts";
import { Scalar } from "./tensor.ts";

/** Bytes between the parameter blocks of two calls: WebGPU's default `minUniformBufferOffsetAlignment`. */
export const PARAMS_STRIDE = 256;

/** One dispatch of a compiled program. */
export interface Step {
  readonly node: Node;
  readonly call: Call;
  readonly kernel: Kernel;
  readonly weight: WeightType;
  readonly groups: readonly [number, number, number];
}

/** A word of the changing parameters that holds a scalar. */
export interface ChangingWord {
  readonly word: number;
  readonly scalar: Scalar;
  readonly type: "u32" | "f32";
}

/** The parameter blocks of a program's steps. */
export interface PackedParams {
  /** Those that never change, and those that hold scalars. */
  readonly constant: Uint32Array<ArrayBuffer>;
  readonly dynamic: Uint32Array<ArrayBuffer>;
  /** Where the block of every step lies: in which of the two, and at which byte. */
  readonly at: readonly { readonly dynamic: boolean; readonly offset: number }[];
  /** The words of `dynamic` that hold scalars. */
  readonly scalars: readonly ChangingWord[];
}

/** Bytes of the parameter block of one kernel. */
export function paramsBytes(kernel: Kernel): number {
  return Math.ceil(kernel.params.length / 4) * 16;
}

/** The variant of a call that fits an adapter, and its workgroups: as many as the largest scalars ask for. */
export function makeStep(call: Call, node: Node, gpu: Gpu): Step {
  const largest = Object.fromEntries(
    Object.entries(call.params).map(([name, value]) => [name, value instanceof Scalar ? value.maximum + value.offset : value]),
  );
  const weightOperand = call.family.weight ? call.read[call.family.weight] : undefined;
  const weight = weightOperand && weightOperand.type !== "u32" ? weightOperand.type : "f32";
  const kernel = chooseKernel(call.family, largest, gpu.traits);
  return { node, call, kernel, weight, groups: foldGroups(kernel.groups(largest, gpu.traits)) };
}

/**
 * Lays out the parameter blocks of all steps: those that never change, and those with scalars in a small buffer of their own.
 * Throws `ProgramError` for a parameter that is missing.
 */
export function packParams(steps: readonly Step[]): PackedParams {
  const at: { dynamic: boolean; offset: number }[] = [];
  const scalars: ChangingWord[] = [];
  const isDynamic = steps.map(({ call }) => Object.values(call.params).some((value) => value instanceof Scalar));
  const changing = isDynamic.filter(Boolean).length;
  const constant = new Uint32Array(((steps.length - changing) * PARAMS_STRIDE) / 4);
  const dynamic = new Uint32Array((changing * PARAMS_STRIDE) / 4);
  let constants = 0;
  let dynamics = 0;
  steps.forEach(({ call, kernel }, i) => {
    const words = isDynamic[i] ? dynamic : constant;
    const offset = (isDynamic[i] ? dynamics++ : constants++) * PARAMS_STRIDE;
    const view = new DataView(words.buffer);
    paramFields(kernel.code).forEach(({ name, type }, field) => {
      const value = call.params[name];
      if (value === undefined) throw new ProgramError(`${kernel.name}: parameter ${name} is missing`);
      if (value instanceof Scalar) scalars.push({ word: offset / 4 + field, scalar: value, type });
      else if (type === "f32") view.setFloat32(offset + 4 * field, value, true);
      else view.setUint32(offset + 4 * field, value, true);
    });
    at.push({ dynamic: isDynamic[i]!, offset });
  });
  return { constant, dynamic, at, scalars };
}
