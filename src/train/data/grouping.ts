/**
 * Batches of samples of like length and of one modality, as LLaVA's trainer groups them (`llava_trainer.py`,
 * `get_length_grouped_indices` and `get_modality_length_grouped_indices`).
 */

/** What a megabatch is: `world` chunks of `batch` samples, where `world` is processes x accumulation steps. */
export interface GroupShape {
  readonly batch: number;
  readonly world: number;
}

/** Gives a random permutation of 0 to count - 1. */
export type Permute = (count: number) => ArrayLike<number>;

/**
 * Length grouping: a permutation is cut into megabatches; each is sorted by falling length and dealt to its chunks.
 *
 * @param lengths of all samples; the sign plays no part
 * @returns the megabatches; within each, chunk follows chunk
 */
export function lengthGrouped(lengths: ArrayLike<number>, shape: GroupShape, permute: Permute): number[][] {
  return megabatches(Uint32Array.from({ length: lengths.length }, (_, i) => i), lengths, shape, permute);
}

/**
 * Modality grouping: samples with pictures (lengths above 0) and without (below) are grouped by length each, and their
 * full megabatches shuffled. The last one of either is not: both together come last, in rising order of index.
 * With one modality this is plain length grouping.
 *
 * @param permute is asked for the samples with pictures, those without, and then the megabatches
 */
export function modalityGrouped(lengths: ArrayLike<number>, shape: GroupShape, permute: Permute): number[][] {
  const all = Uint32Array.from({ length: lengths.length }, (_, i) => i);
  const members = [all.filter((i) => lengths[i] > 0), all.filter((i) => lengths[i] <= 0)];
  if (members.some((group) => group.length === 0)) return megabatches(all, lengths, shape, permute);
  const [pictures, texts] = members.map((group) => megabatches(group, lengths, shape, permute));
  const full = [...pictures.slice(0, -1), ...texts.slice(0, -1)];
  const last = [...pictures.at(-1)!, ...texts.at(-1)!].sort((a, b) => a - b);
  return [...Array.from(permute(full.length), (i) => full[i]), last];
}

function megabatches(
  members: Uint32Array,
  lengths: ArrayLike<number>,
  { batch, world }: GroupShape,
  permute: Permute,
): number[][] {
  const order = Array.from(permute(members.length), (i) => members[i]);
  const size = batch * world;
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => {
    const longestFirst = order
      .slice(i * size, (i + 1) * size)
      .sort((a, b) => Math.abs(lengths[b]) - Math.abs(lengths[a]));
    return deal(longestFirst, lengths, world).flat();
  });
}

/**
 * Samples dealt to `count` chunks of equal number: each goes to the open chunk with the smallest total length, the
 * first of equals. If they do not divide, sample i goes to chunk i mod `count`.
 */
function deal(samples: readonly number[], lengths: ArrayLike<number>, count: number): number[][] {
  const chunks = Array.from({ length: count }, (): number[] => []);
  if (samples.length % count !== 0) {
    for (const [i, sample] of samples.entries()) chunks[i % count].push(sample);
    return chunks;
  }
  const share = samples.length / count;
  const totals = new Float64Array(count);
  for (const sample of samples) {
    let target = -1;
    for (let c = 0; c < count; c++) {
      if (chunks[c].length < share && (target < 0 || totals[c] < totals[target])) target = c;
    }
    chunks[target].push(sample);
    totals[target] += Math.abs(lengths[sample]);
  }
  return chunks;
}
