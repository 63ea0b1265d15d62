import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import {
  matmulNTQuad, matmulNTSubgroup, matmulNTTile, matmulNTWide, matvec, matvecSubgroup,
} from "./matmul.ts";
import type { MatmulParam } from "./matmul.reference.ts";
import { matmulNNSubgroup, matmulNNTile, matmulNNWide } from "./matmul-nn.ts";
import type { MatmulNNParam } from "./matmul-nn.reference.ts";
import { matmulTNSubgroup, matmulTNTile, matmulTNWide } from "./matmul-tn.ts";
import type { MatmulTNParam } from "./matmul-tn.reference.ts";

/** A variant of `matmul-nt`. */
export type MatmulKernel = Kernel<"x" | "weight" | "bias", "y", MatmulParam>;

/**
 * Up to this many rows a software adapter is faster with the matrix-vector kernel, which reads the weight once per row;
 * beyond, with the tile of 16 rows, which reads it once but computes all 16.
 */
const softwareMatvecRows = 3;

/**
 * The variants in order of preference. On a software adapter a value from a neighbouring lane costs less than memory,
 * so subgroup broadcasts win; on a real GPU it is the other way round.
 */
function preferences(rows: number, software: boolean): readonly MatmulKernel[] {
  if (!software) return [matvecSubgroup, matvec, matmulNTWide, matmulNTTile];
  if (rows <= softwareMatvecRows) return [matvecSubgroup, matvec, matmulNTTile];
  return [matmulNTSubgroup, matmulNTQuad, matmulNTTile];
}

/** The variant of `matmul-nt` to use: the first in order of preference that runs on the adapter and accepts this. */
export function chooseMatmul(params: Params<MatmulParam>, traits: AdapterTraits): MatmulKernel {
  return firstUsable(preferences(params.rows, traits.software), params, traits) ?? matmulNTTile;
}

/** The variant of `matmul-nn` to use. */
export function chooseMatmulNN(
  params: Params<MatmulNNParam>,
  traits: AdapterTraits,
): Kernel<"x" | "weight", "y", MatmulNNParam> {
  return firstUsable([traits.software ? matmulNNSubgroup : matmulNNWide], params, traits) ?? matmulNNTile;
}

/** The variant of `matmul-tn` to use. */
export function chooseMatmulTN(
  params: Params<MatmulTNParam>,
  traits: AdapterTraits,
): Kernel<"x" | "z", "y", MatmulTNParam> {
  return firstUsable([traits.software ? matmulTNSubgroup : matmulTNWide], params, traits) ?? matmulTNTile;
}

function firstUsable<R extends string, W extends string, P extends string>(
  kernels: readonly Kernel<R, W, P>[],
  params: Params<P>,
  traits: AdapterTraits,
): Kernel<R, W, P> | undefined {
  return kernels.find(
    ({ needs, accepts }) =>
      needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true),
  );
}
