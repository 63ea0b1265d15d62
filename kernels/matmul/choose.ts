import type { AdapterTraits, Kernel, Params } from "../kernel.ts";
import type { MatmulParam } from "./matmul.reference.ts";
import { matmulNT, matmulNTSubgroup, matmulNTTile, matmulNTWide, matvec, matvecSubgroup } from "./matmul.ts";

/**
 * The variants of `matmul-nt`, the preferred ones first: matrix-vector kernels for a few rows, then subgroup broadcasts on
 * software adapters, where a value from a neighbour costs less than memory, and workgroup memory on real GPUs, where it
 * is the other way round.
 */
function preferences({ software }: AdapterTraits): Kernel<"x" | "weight" | "bias", "y", MatmulParam>[] {
  return [matvecSubgroup, matvec, software ? matmulNTSubgroup : matmulNTWide, matmulNTTile];
}

/** The variant of `matmul-nt` to use: the first preferred one that the adapter can run and that accepts the parameters. */
export function chooseMatmul(params: Params<MatmulParam>, traits: AdapterTraits): (typeof matmulNT.variants)[number] {
  const usable = ({ needs, accepts }: Kernel<"x" | "weight" | "bias", "y", MatmulParam>): boolean =>
    needs.every((feature) => traits.features.has(feature)) && (accepts?.(params, traits) ?? true);
  return preferences(traits).find(usable) ?? matmulNTTile;
}
