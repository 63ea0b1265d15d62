/** What a run of the benchmarks is asked for. */
export interface BenchOptions {
  /** "auto", "gpu", "software" or a part of an adapter's name. */
  readonly adapter: string;
  /** Smaller sizes and fewer rounds: shows that everything works, not how fast. */
  readonly quick: boolean;
  /** Parts of the names of sections and workloads to run; empty: all. */
  readonly only: readonly string[];
  /** A folder whose node_modules has the peers; false: none. */
  readonly peers: string | false | undefined;
  /** A Python with torch and transformers, to train the same model beside ours. */
  readonly python?: string;
  /** A checkpoint folder of SmolLM2-135M-Instruct. */
  readonly smollm2?: string;
  /** Called with a line about what begins. */
  readonly progress: (line: string) => void;
}

/** Whether a section or workload of this name was asked for. */
export function isWanted({ only }: BenchOptions, ...names: readonly string[]): boolean {
  return only.length === 0 || only.some((part) => names.some((name) => name.includes(part)));
}

/** Rounds and shortest samples. */
export function raceOptions({ quick }: Pick<BenchOptions, "quick">): { rounds: number; atLeast: number } {
  return quick ? { rounds: 3, atLeast: 2 } : { rounds: 9, atLeast: 20 };
}
