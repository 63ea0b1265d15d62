/**
 * What a kernel is: a WGSL file plus a typed record that says what it binds, how many workgroups it takes and what it costs.
 * A family groups the variants that compute the same operation, with the CPU reference that all of them are checked against.
 */
import activationCode from "./common/activation.wgsl?raw";
import slopeCode from "./common/activation-slope.wgsl?raw";
import foldCode from "./common/fold.wgsl?raw";
import tanhCode from "./common/tanh.wgsl?raw";
import weightBF16 from "./common/weight-bf16.wgsl?raw";
import weightF16 from "./common/weight-f16.wgsl?raw";
import weightF32 from "./common/weight-f32.wgsl?raw";

/** How the elements of a weight matrix lie in its buffer. f16 and bf16 are packed in pairs into `u32`, so no feature is needed. */
export type WeightType = "f32" | "f16" | "bf16";

/** An optional WebGPU feature that a variant relies on. */
export type Feature = "subgroups" | "shader-f16";

/** What an adapter offers, as far as the choice of a variant depends on it. */
export interface AdapterTraits {
  /** Optional features that the device was created with. */
  readonly features: ReadonlySet<string>;
  /** Smallest and largest subgroup size in invocations; 0 without the feature `subgroups`. */
  readonly subgroupSize: { readonly min: number; readonly max: number };
  /** True for a CPU rasteriser (lavapipe, SwiftShader). */
  readonly software: boolean;
  /** Largest number of invocations in a workgroup. */
  readonly maxInvocations: number;
  /** Bytes of `var<workgroup>` memory a workgroup may use. */
  readonly maxWorkgroupMemory: number;
}

/** Floating-point operations and bytes read or written, counted once each, as the roofline model wants them. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

export type Params<P extends string = string> = Readonly<Record<P, number>>;
export type HostArray = Float32Array | Uint32Array;
export type HostArrays<N extends string = string> = Readonly<Record<N, HostArray>>;

/** One WGSL entry point and what the host must know to run it. */
export interface Kernel<R extends string = string, W extends string = string, P extends string = string> {
  readonly name: string;
  /** The `.wgsl` file as it lies. `kernelSource` completes it. */
  readonly code: string;
  /** Bindings in order: the inputs, then the outputs, then `params` if there are any. */
  readonly read: readonly R[];
  readonly write: readonly W[];
  /** Members of the file's `Params` struct, in order; each is a `u32` or an `f32`. */
  readonly params: readonly P[];
  /** Values for the file's `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
  readonly needs: readonly Feature[];
  /** Number of workgroups: a plain number is folded to two dimensions when it exceeds the limit of one (see `fold.wgsl`). */
  groups(params: Params<P>, traits: AdapterTraits): number | readonly [number, number, number];
  /** Whether this variant computes these parameters rightly. Absent: all of them. */
  accepts?(params: Params<P>, traits: AdapterTraits): boolean;
}

/** All variants of one operation. */
export interface Family<R extends string = string, W extends string = string, P extends string = string> {
  readonly name: string;
  /** The input whose elements may be packed (`Weight2`, `Weight4` in WGSL), if any. */
  readonly weight?: R;
  /** The first variant needs no optional feature and accepts every parameter. */
  readonly variants: readonly Kernel<R, W, P>[];
  /** Plain loops in double precision. Packed weights arrive as the f32 values they stand for. */
  reference(inputs: HostArrays<R>, params: Params<P>): HostArrays<W>;
  cost(params: Params<P>): Cost;
}

/** Checks a record's types and returns it unchanged. */
export function kernel<const R extends string, const W extends string, const P extends string>(
  record: Kernel<R, W, P>,
): Kernel<R, W, P> {
  return record;
}

/** Checks a family's types and returns it unchanged. */
export function family<const R extends string, const W extends string, const P extends string>(
  record: Family<R, W, P>,
): Family<R, W, P> {
  return record;
}

const weightCode: Record<WeightType, string> = { f32: weightF32, f16: weightF16, bf16: weightBF16 };

/**
 * The complete WGSL of a kernel. Helpers go behind the file's own text, so that the driver's line numbers are the file's;
 * features are enabled in front, on its first line.
 */
export function kernelSource(kernel: Pick<Kernel, "code" | "needs">, weight: WeightType = "f32"): string {
  const enables = kernel.needs.map((feature) => `enable ${feature === "shader-f16" ? "f16" : feature}; `).join("");
  const helpers = [foldCode];
  if (/\b(activate|activation_slope)4?\(/.test(kernel.code)) helpers.push(activationCode);
  if (/\bactivation_slope4?\(/.test(kernel.code)) helpers.push(slopeCode);
  if (/\bhyperbolic_(tangent|slope)\(/.test(kernel.code)) helpers.push(tanhCode);
  if (/\bWeight[24]\b/.test(kernel.code)) helpers.push(weightCode[weight]);
  return [enables + kernel.code, ...helpers].join("\n");
}

/** A member of a kernel's `Params` struct. */
export interface ParamField {
  readonly name: string;
  readonly type: "u32" | "f32";
}

/** The members of the `Params` struct of a WGSL file, in order; the n-th lies at byte 4n. */
export function paramFields(code: string): ParamField[] {
  const body = /struct Params \{([^}]*)\}/.exec(code)?.[1] ?? "";
  return [...body.matchAll(/(\w+)\s*:\s*(u32|f32)/g)].map(([, name, type]) => ({ name: name!, type: type as "u32" | "f32" }));
}

/** The storage bindings of a WGSL file in binding order, with their access. */
export function storageBindings(code: string): { name: string; binding: number; access: "read" | "read_write" }[] {
  const pattern = /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)/g;
  return [...code.matchAll(pattern)]
    .map(([, binding, access, name]) => ({ name: name!, binding: Number(binding), access: access as "read" | "read_write" }))
    .sort((a, b) => a.binding - b.binding);
}

/** Folds a one-dimensional workgroup count to (x, y), since WebGPU allows 65,535 in each dimension. */
export function foldGroups(groups: number | readonly [number, number, number]): readonly [number, number, number] {
  if (typeof groups !== "number") return groups;
  if (groups <= 65535) return [groups, 1, 1];
  const y = Math.ceil(groups / 65535);
  return [Math.ceil(groups / y), y, 1];
}
