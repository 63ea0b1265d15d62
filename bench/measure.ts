/** Timing by interleaved rounds, so that whatever else the machine does meets all contenders alike. */

/** How long something took, in milliseconds. */
export interface Sample {
  readonly time: number;
  /**
   * CPU time of the process, all cores together. On a software adapter this is the work itself, and what else runs on the
   * machine hardly changes it; on a GPU it is what the host does.
   */
  readonly cpu: number;
}

/** Something to time against others. */
export interface Contender {
  /** Does the work `repeats` times and waits for its end. */
  sample(repeats: number): Promise<Sample>;
}

/** Times of one operation, in milliseconds. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  /** Median CPU time. */
  readonly cpu: number;
  /** Operations in one sample: their time together was divided by this. */
  readonly repeats: number;
  /** One mean time per round. */
  readonly samples: readonly number[];
}

export interface RaceOptions {
  readonly rounds: number;
  /** Shortest sample to aim at, in milliseconds: quick operations are repeated until they take as long. */
  readonly atLeast: number;
  /** Milliseconds of rest before every sample: threads that another contender left spinning come to a halt. Default 0. */
  readonly rest?: number;
}

/** Most repetitions in a sample: they share one submit. */
const MOST_REPEATS = 256;

/** Milliseconds beyond which warming up more than once is not worth the wait. */
const SLOW = 1000;

/** Warms every contender up, then times all of them once per round, in turn. */
export async function race(contenders: readonly Contender[], { rounds, atLeast, rest = 0 }: RaceOptions): Promise<Timing[]> {
  const lanes: { contender: Contender; repeats: number; samples: number[]; cpu: number[] }[] = [];
  for (const contender of contenders) {
    let warm = (await contender.sample(1)).time;
    // The first run allocates and warms caches; where that hardly shows, one is enough.
    for (let i = 0; i < 2 && warm < SLOW; i++) warm = (await contender.sample(1)).time;
    const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(atLeast / Math.max(warm, 1e-3))));
    lanes.push({ contender, repeats, samples: [], cpu: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, repeats, samples, cpu } of lanes) {
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
      const sample = await contender.sample(repeats);
      samples.push(sample.time / repeats);
      cpu.push(sample.cpu / repeats);
    }
  }
  return lanes.map(({ repeats, samples, cpu }) => ({ repeats, samples, median: median(samples), min: Math.min(...samples), cpu: median(cpu) }));
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

/** Measures what `body` takes of the clock and of this process. */
export async function timed(body: () => Promise<unknown>): Promise<Sample> {
  const before = process.cpuUsage();
  const began = performance.now();
  await body();
  const time = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  return { time, cpu: (user + system) / 1e3 };
}
