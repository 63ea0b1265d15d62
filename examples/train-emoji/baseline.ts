/**
 * What a model has to beat: the nearest drawing by oriented gradients and colours, stored for every training drawing.
 * README.md has the command.
 *
 *     [--cache FOLDER]
 */
import { parseArgs } from "node:util";
import type { Concept } from "./concepts.ts";
import { type Drawing, loadDrawings } from "./drawings.ts";
import { COLOUR_LENGTH, coarseColours, HOG_LENGTH, orientedGradients, overWhite, shrink, squares } from "./hog.ts";
import { defaultCache } from "./prepare.ts";

/** Shares of held-out drawings whose nearest training drawing is right. */
export interface BaselineScores {
  /** How much the colours count beside the gradients. */
  readonly colourWeight: number;
  /** The concept itself. */
  readonly name: number;
  readonly subgroup: number;
  readonly group: number;
}

/** Features of drawings, one row each. */
export interface Features {
  readonly concepts: readonly Concept[];
  readonly gradients: Float32Array;
  readonly colours: Float32Array;
}

/** Describes drawings by what is visible in them. */
export function features(drawings: readonly Drawing[]): Features {
  const gradients = new Float32Array(drawings.length * HOG_LENGTH);
  const colours = new Float32Array(drawings.length * COLOUR_LENGTH);
  for (const [i, drawing] of drawings.entries()) {
    const picture = shrink(overWhite(drawing));
    gradients.set(orientedGradients(picture), i * HOG_LENGTH);
    colours.set(coarseColours(picture), i * COLOUR_LENGTH);
  }
  return { concepts: drawings.map(({ concept }) => concept), gradients, colours };
}

/**
 * Names drawings by the nearest training drawing, for several weights of the colours. A weight of 1 gives the colours of the
 * training drawings a mean square length of 1, as the gradients have.
 */
export function nearestNeighbour(training: Features, heldOut: Features, colourWeights: readonly number[]): BaselineScores[] {
  const scale = training.concepts.length / squares(training.colours);
  const nearest = colourWeights.map(() => new Uint32Array(heldOut.concepts.length));
  const least = colourWeights.map(() => new Float64Array(heldOut.concepts.length).fill(Infinity));
  const block = 16; // held-out drawings whose rows stay in the processor's cache
  for (let from = 0; from < heldOut.concepts.length; from += block) {
    const to = Math.min(heldOut.concepts.length, from + block);
    for (let r = 0; r < training.concepts.length; r++) {
      for (let q = from; q < to; q++) {
        const gradients = squaredDistance(heldOut.gradients, q, training.gradients, r, HOG_LENGTH);
        const colours = squaredDistance(heldOut.colours, q, training.colours, r, COLOUR_LENGTH) * scale;
        for (let w = 0; w < colourWeights.length; w++) {
          const distance = gradients + colourWeights[w] ** 2 * colours;
          if (distance >= least[w][q]) continue;
          least[w][q] = distance;
          nearest[w][q] = r;
        }
      }
    }
  }
  return colourWeights.map((colourWeight, w): BaselineScores => {
    const share = (same: (a: Concept, b: Concept) => boolean): number =>
      heldOut.concepts.filter((concept, q) => same(concept, training.concepts[nearest[w][q]])).length / heldOut.concepts.length;
    return {
      colourWeight,
      name: share((a, b) => a.id === b.id),
      subgroup: share((a, b) => a.subgroup === b.subgroup),
      group: share((a, b) => a.group === b.group),
    };
  });
}

/** Between two rows of `length` values, a multiple of four: four sums side by side need not wait for each other. */
function squaredDistance(a: Float32Array, rowA: number, b: Float32Array, rowB: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const shift = rowB * length - rowA * length;
  for (let i = rowA * length; i < (rowA + 1) * length; i += 4) {
    const d0 = a[i] - b[i + shift];
    const d1 = a[i + 1] - b[i + shift + 1];
    const d2 = a[i + 2] - b[i + shift + 2];
    const d3 = a[i + 3] - b[i + shift + 3];
    s0 += d0 * d0;
    s1 += d1 * d1;
    s2 += d2 * d2;
    s3 += d3 * d3;
  }
  return s0 + s1 + (s2 + s3);
}

/** Command line: a table of both held-out vendors with two weights of the colours. */
export function main(args: string[]): void {
  const { values } = parseArgs({ args, options: { cache: { type: "string", default: defaultCache } } });
  const { training, heldOut } = loadDrawings(values.cache);
  const learnt = features(training);
  console.log("vendor    colour weight  name   subgroup  group");
  for (const [vendor, drawings] of Object.entries(heldOut)) {
    for (const { colourWeight, name, subgroup, group } of nearestNeighbour(learnt, features(drawings), [0.5, 1])) {
      console.log(`${vendor}  ${colourWeight.toFixed(1).padEnd(13)}  ${name.toFixed(3)}  ${subgroup.toFixed(3)}     ${group.toFixed(3)}`);
    }
  }
}
