/** What a run writes as JSON. Times are milliseconds, rates are per second. */
import type { Timing } from "./measure.ts";

export interface BenchReport {
  readonly environment: Environment;
  peaks: Peaks | undefined;
  readonly kernels: KernelRecord[];
  readonly peers: PeerRecord[];
  overhead: OverheadRecord | undefined;
  readonly models: ModelRecord[];
  /** Absent in reports from before there was this section. */
  readonly trainings?: TrainRecord[];
  /** What was left out, and why. */
  readonly notes: string[];
  /** What gave a wrong result or did not run. */
  readonly failures: string[];
}

export interface Environment {
  readonly adapter: string;
  readonly driver: string;
  /** How the adapter was found. */
  readonly how: string;
  readonly software: boolean;
  readonly subgroupSize: { readonly min: number; readonly max: number };
  readonly features: readonly string[];
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** Load averages of the last 1, 5 and 15 minutes before the run. */
  readonly load: readonly number[];
  readonly commit: string;
  readonly date: string;
  readonly quick: boolean;
}

/** The rates that nothing on this adapter should exceed by much. */
export interface Peaks {
  /** Bytes per second of a kernel that copies. */
  readonly copy: number;
  /** Floating-point operations per second of a kernel that only multiplies and adds. */
  readonly multiplyAdd: number;
  readonly copyTiming: Timing;
  readonly multiplyAddTiming: Timing;
}

export interface KernelRecord {
  readonly workload: string;
  readonly kernel: string;
  readonly weight: string;
  readonly adapter: string;
  /** Whether the library picks this variant here. */
  readonly chosen: boolean;
  /** Largest difference from the CPU reference, as a share of its largest value, and what is allowed. */
  readonly error: number;
  readonly allowed: number;
  readonly timing: Timing;
  /** By the median time. */
  readonly flops: number;
  readonly bytes: number;
  /** Shares of the peaks of the same run. */
  readonly ofMultiplyAdd: number;
  readonly ofCopy: number;
}

export interface PeerRecord {
  readonly workload: string;
  readonly peer: string;
  readonly adapter: string;
  readonly kernel: string;
  /** Ours from host to host: upload, run, read back, as the peer's call does. */
  readonly ours: Timing;
  readonly theirs: Timing;
  /** Median over the rounds of theirs / ours; above 1 we are faster. */
  readonly speedup: number;
  /** Ratio of the shortest times: what a busy machine disturbs least. */
  readonly speedupOfMinima: number;
  /** Ratio of the CPU times. */
  readonly speedupOfCpu: number;
  /** Largest difference of the two results, as a share of the largest value. */
  readonly difference: number;
}

export interface OverheadRecord {
  readonly adapter: string;
  readonly dispatches: number;
  /** Microseconds of the host per dispatch: writing scalars, encoding and submitting. */
  readonly encode: number;
  /** Microseconds per dispatch until the GPU is done. */
  readonly total: number;
  /** Milliseconds to submit one dispatch and read 256 bytes back. */
  readonly roundTrip: number;
}

export interface ModelRecord {
  readonly model: string;
  readonly weights: string;
  readonly adapter: string;
  readonly promptTokens: number;
  /** Milliseconds from the prepared prompt to its first token, warm; with pictures: encoding them too. */
  readonly firstToken: number;
  /** The same the first time, with compiling. */
  readonly coldFirstToken: number;
  /** Prompt tokens per second, without pictures. */
  readonly prefill: number;
  /** Milliseconds per decoded token: median over the steps of all rounds. */
  readonly step: number;
  /** CPU time per decoded token. */
  readonly stepCpu: number;
  readonly tokensPerSecond: number;
  readonly dispatches: number;
  /** Milliseconds: the sum over the step's kernels, each timed alone by repetition. */
  readonly kernels: number;
  /** step / kernels. */
  readonly ratio: number;
  /** The kernels' share by name, the slowest first. */
  readonly byKernel: readonly KernelShare[];
}

/** What the dispatches of one kernel take of a step: milliseconds, timed alone. */
export interface KernelShare {
  readonly kernel: string;
  readonly dispatches: number;
  readonly time: number;
}

export interface TrainRecord {
  /** Name of the size. */
  readonly model: string;
  /** The parts that learn. */
  readonly trainable: string;
  readonly adapter: string;
  /** Numbers in the whole model, and in what learns. */
  readonly parameters: number;
  readonly learning: number;
  readonly samples: number;
  /** Of a step, image rows included. */
  readonly tokens: number;
  /** Of the matrix products and attentions of a step, as its programs dispatch them. */
  readonly multiplyAdds: number;
  readonly dispatches: number;
  /** Of a step from the batch on the host to the gradient norm on the host. */
  readonly timing: Timing;
  readonly tokensPerSecond: number;
  readonly multiplyAddsPerSecond: number;
  /** Share of the measured multiply-add peak. */
  readonly ofPeak: number;
  readonly byKernel: readonly KernelShare[];
  /** The same step in PyTorch on the CPU; speed-up as for peers. */
  readonly torch?: { readonly name: string; readonly timing: Timing; readonly speedup: number };
  readonly loading?: LoadingRecord;
  /** Of the first step. */
  readonly loss: number;
  readonly gradientNorm: number;
  /** The loss of a guess: the logarithm of the vocabulary. */
  readonly guess: number;
  /** How far other accounts of the first step are off, as shares. */
  readonly off: readonly { readonly name: string; readonly loss: number; readonly gradientNorm: number }[];
  /** The loss after so many steps, nearly all on one batch. */
  readonly lastLoss: number;
  readonly steps: number;
  /** Bytes on the GPU: as the memory plan says before the first step, and as they are after it. */
  readonly planned: number;
  readonly allocated: number;
  /** GPU objects that a warm step makes, by the method that makes them. */
  readonly objects: Readonly<Record<string, number>>;
}

/** Milliseconds per step. */
export interface LoadingRecord {
  /** On a batch that is there. */
  readonly step: number;
  /** On batches that are read and decoded meanwhile. */
  readonly withLoading: number;
  /** Reading and decoding a batch with nothing beside it. */
  readonly batch: number;
  /** Median over the rounds of withLoading / step. */
  readonly ratio: number;
  /** The share of a batch's time that does not lengthen the step; negative if the step suffers more than that. */
  readonly hidden: number;
}
