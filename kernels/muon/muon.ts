import { family, kernel, type Params } from "../kernel.ts";
import momentumVec4Code from "./muon-momentum-vec4.wgsl?raw";
import momentumCode from "./muon-momentum.wgsl?raw";
import updateVec4Code from "./muon-update-vec4.wgsl?raw";
import updateCode from "./muon-update.wgsl?raw";
import { muonMomentumReference, muonUpdateReference } from "./muon.reference.ts";

const momentumBindings = {
  read: ["gradient", "norm"],
  write: ["m", "u"],
  params: ["offset", "count", "momentum", "share", "maxNorm"],
} as const;

const updateBindings = {
  read: ["direction"],
  write: ["parameter"],
  params: ["offset", "count", "learningRate", "factor", "weightDecay"],
} as const;

/** Whether a block begins at a multiple of 4 elements, and ends there. */
const aligned = ({ offset, count }: Params<"offset" | "count">): boolean => offset % 4 === 0 && count % 4 === 0;

/**
 * The momentum of Muon (Jordan et al. 2024) in the form of PyTorch's, on the elements [offset, offset + count) of gradient
 * and momentum m alike; the others keep their values:
 * g = gradient · min(1, maxNorm / (norm[0] + 1e-6)) if maxNorm > 0; m = momentum · m + share · g;
 * u = momentum · m + share · g with the new m (Nesterov), u [count] without gaps.
 *
 * `share` is 1 - momentum, computed in double precision; `norm` [1] is read only if maxNorm > 0.
 */
export const muonMomentum = family({
  name: "muon-momentum",
  variants: [
    kernel({
      name: "muon-momentum",
      code: momentumCode,
      ...momentumBindings,
      needs: [],
      groups: ({ count }) => Math.ceil(count / 256),
    }),
    kernel({
      name: "muon-momentum-vec4",
      code: momentumVec4Code,
      ...momentumBindings,
      needs: [],
      accepts: aligned,
      groups: ({ count }) => Math.ceil(count / 1024),
    }),
  ],
  reference: muonMomentumReference,
  cost: ({ count }) => ({ flops: 7 * count, bytes: 16 * count }),
});

/**
 * The step of Muon with decoupled decay, on the elements [offset, offset + count) of the parameter; the others keep their
 * values: parameter = parameter · (1 - learningRate · weightDecay) - learningRate · factor · direction, direction [count]
 * without gaps.
 */
export const muonUpdate = family({
  name: "muon-update",
  variants: [
    kernel({
      name: "muon-update",
      code: updateCode,
      ...updateBindings,
      needs: [],
      groups: ({ count }) => Math.ceil(count / 256),
    }),
    kernel({
      name: "muon-update-vec4",
      code: updateVec4Code,
      ...updateBindings,
      needs: [],
      accepts: aligned,
      groups: ({ count }) => Math.ceil(count / 1024),
    }),
  ],
  reference: muonUpdateReference,
  cost: ({ count }) => ({ flops: 3 * count, bytes: 12 * count }),
});
