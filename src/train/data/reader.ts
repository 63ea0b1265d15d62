import { openFile } from "../../../weights/index.ts";
import type { ByteSource } from "../../../weights/source.ts";
import { DataError, SampleError } from "./error.ts";
import { findSamples } from "./offsets.ts";
import { modalityLength, parseSample } from "./sample.ts";
import type { Sample } from "./sample.ts";

/** Bytes that are read at once when all samples are gone through. */
const blockSize = 4 * 2 ** 20;

/** Samples by index, wherever they come from. */
export interface SampleSource {
  readonly count: number;
  /** @throws SampleError if the sample is broken */
  sample(index: number, signal?: AbortSignal): Promise<Sample>;
}

/** Samples that are in memory already; each is checked when it is asked for. */
export function samplesOf(list: readonly unknown[]): SampleSource {
  return {
    count: list.length,
    sample: async (index) => parseSample(list[checkIndex(index, list.length)], `${index}`),
  };
}

/**
 * The samples of data files in LLaVA's JSON (`.json` with one list, or `.jsonl` with a sample on every line), any
 * number of them: the files stay where they are, and only 16 bytes a sample are kept in memory.
 */
export class SampleReader implements SampleSource {
  readonly count: number;

  private constructor(
    private readonly files: readonly ByteSource[],
    /** For each file [start, end) of its samples. */
    private readonly ranges: readonly Float64Array[],
  ) {
    this.count = ranges.reduce((sum, { length }) => sum + length / 2, 0);
  }

  /**
   * Goes through the files once to find the samples.
   *
   * @param files paths (Node) or sources, which the reader closes in the end; their samples follow each other
   * @throws DataError for a file that is no list of samples, or if there is no sample at all; WeightError if a file
   * cannot be read
   */
  static async open(
    files: readonly (string | ByteSource)[],
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<SampleReader> {
    const opened: ByteSource[] = [];
    try {
      for (const file of files) opened.push(typeof file === "string" ? await openFile(file) : file);
      const ranges: Float64Array[] = [];
      for (const file of opened) ranges.push(await findSamples(file, signal));
      const reader = new SampleReader(opened, ranges);
      if (reader.count > 0) return reader;
      const names = opened.map(({ name }) => name).join(", ") || "no files";
      throw new DataError("data", `expected at least one sample, got none in ${names}`);
    } catch (error) {
      await closeAll(opened);
      throw error;
    }
  }

  async sample(index: number, signal?: AbortSignal): Promise<Sample> {
    const { file, local } = this.#locate(index);
    const [start, end] = this.ranges[file].subarray(2 * local);
    const bytes = await this.files[file].read(start, end, signal);
    return parse(bytes, this.#place(file, local, start));
  }

  /** `modalityLength` of every sample, for the sampler. A broken one counts as one word until its turn comes. */
  async lengths(signal?: AbortSignal): Promise<Int32Array> {
    const lengths = new Int32Array(this.count);
    let next = 0;
    for (const [file, ranges] of this.ranges.entries()) {
      for (let from = 0; from < ranges.length; ) {
        const offset = ranges[from];
        let to = from + 2;
        while (to < ranges.length && ranges[to + 1] - offset <= blockSize) to += 2;
        const block = await this.files[file].read(offset, ranges[to - 1], signal);
        for (; from < to; from += 2) {
          lengths[next++] = lengthOf(block.subarray(ranges[from] - offset, ranges[from + 1] - offset));
        }
      }
    }
    return lengths;
  }

  /** Closes the files. Idempotent. */
  async close(): Promise<void> {
    await closeAll(this.files);
  }

  #locate(index: number): { file: number; local: number } {
    let local = checkIndex(index, this.count);
    let file = 0;
    for (; local >= this.ranges[file].length / 2; file++) local -= this.ranges[file].length / 2;
    return { file, local };
  }

  /** How a sample without id, or that cannot be parsed, is called. */
  #place(file: number, local: number, start: number): string {
    return `${local} of ${this.files[file].name} (at byte ${start})`;
  }
}

function lengthOf(bytes: Uint8Array): number {
  try {
    return modalityLength(parse(bytes, ""));
  } catch (error) {
    if (error instanceof SampleError) return -1;
    throw error;
  }
}

function parse(bytes: Uint8Array, place: string): Sample {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const problem = `expected one JSON object in UTF-8, got text that cannot be parsed (${reason})`;
    throw new SampleError(place, "JSON", problem, { cause });
  }
  return parseSample(value, place);
}

function checkIndex(index: number, count: number): number {
  if (Number.isInteger(index) && index >= 0 && index < count) return index;
  throw new DataError("sample", `expected an index from 0 to ${count - 1}, got ${String(index)}`);
}

async function closeAll(files: readonly ByteSource[]): Promise<void> {
  await Promise.all(files.map((file) => file.close()));
}
