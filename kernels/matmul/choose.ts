import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import {
  matmulNTQuad, matmulNTSubgroup, matmulNTTile, matmulNTWide, matvec, matvecSubgroup,
} from "./matmul.ts";
import type { MatmulParam } from "./matmul.reference.ts";

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
  const usable = ({ needs, accepts }: MatmulKernel): boolean =>
    needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true);
  return preferences(params.rows, traits.software).find(usable) ?? matmulNTTile;
}
