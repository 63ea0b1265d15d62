/** Timing by interleaved rounds, so that whatever else the machine does meets all contenders alike. */

/** Something to time against others. */
export interface Contender {
  /** Does the work `repeats` times, waits for its end and returns how long that took, in milliseconds. */
  sample(repeats: number): Promise<number>;
}

/** Times of one operation, in milliseconds. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  /** Operations in one sample: their time together was divided by this. */
  readonly repeats: number;
  /** One mean time per round. */
  readonly samples: readonly number[];
}

export interface RaceOptions {
  readonly rounds: number;
  /** Shortest sample to aim at, in milliseconds: quick operations are repeated until they take as long. */
  readonly atLeast: number;
}

/** Most repetitions in a sample: they share one submit. */
const MOST_REPEATS = 256;

/** Warms every contender up, then times all of them once per round, in turn. */
export async function race(contenders: readonly Contender[], { rounds, atLeast }: RaceOptions): Promise<Timing[]> {
  const lanes: { contender: Contender; repeats: number; samples: number[] }[] = [];
  for (const contender of contenders) {
    await contender.sample(1);
    const warm = Math.min(await contender.sample(1), await contender.sample(1));
    const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(atLeast / Math.max(warm, 1e-3))));
    lanes.push({ contender, repeats, samples: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, repeats, samples } of lanes) samples.push((await contender.sample(repeats)) / repeats);
  }
  return lanes.map(({ repeats, samples }) => ({ repeats, samples, median: median(samples), min: Math.min(...samples) }));
}

/** The middle value; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}

/** How many times longer `theirs` took than `ours`: the median over the rounds of the ratio within a round. */
export function speedup(theirs: Timing, ours: Timing): number {
  return median(theirs.samples.map((time, round) => time / ours.samples[round]));
}

/** Milliseconds of CPU time that this process has taken since a reading of `process.cpuUsage()`, all cores together. */
export function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e3;
}
