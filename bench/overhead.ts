/** What the host pays per dispatch, measured with the library's own programs. */
import type { Gpu } from "../src/gpu/gpu.ts";
import { Graph } from "../src/graph/graph.ts";
import { Program } from "../src/graph/program.ts";
import { Workspace } from "../src/graph/workspace.ts";
import { add } from "../src/ops/index.ts";
import { median } from "./measure.ts";
import type { OverheadRecord } from "./records.ts";

/** As many dispatches as a decode step of a large decoder has. */
const DISPATCHES = 320;
const WIDTH = 64;

/** Runs a program of many tiny steps, and one of a single step whose result is read back. Checks both results. */
export async function measureOverhead(gpu: Gpu, adapter: string, quick: boolean): Promise<OverheadRecord> {
  const workspace = new Workspace(gpu);
  const chain = await additions(workspace, DISPATCHES);
  const single = await additions(workspace, 1);
  try {
    const x = new Float32Array(WIDTH).fill(1);
    const encodes: number[] = [];
    const totals: number[] = [];
    const trips: number[] = [];
    for (let round = 0; round < (quick ? 5 : 41); round++) {
      const began = performance.now();
      chain.run({ x });
      encodes.push(performance.now() - began);
      await gpu.idle();
      totals.push(performance.now() - began);
      await expectValue(chain, DISPATCHES + 1);

      const sent = performance.now();
      single.run({ x });
      await expectValue(single, 2);
      trips.push(performance.now() - sent);
    }
    const perDispatch = (times: readonly number[]): number => (1e3 * median(times)) / DISPATCHES;
    return { adapter, dispatches: DISPATCHES, encode: perDispatch(encodes), total: perDispatch(totals), roundTrip: median(trips) };
  } finally {
    chain.dispose();
    single.dispose();
    workspace.dispose();
  }
}

/** x + x + ... + x, `count` times one dispatch. */
async function additions(workspace: Workspace, count: number): Promise<Program> {
  const graph = new Graph();
  const x = graph.input("x", [1, WIDTH]);
  let y = x;
  for (let i = 0; i < count; i++) y = add(y, x);
  return Program.compile(graph, workspace, { outputs: { y } });
}

async function expectValue(program: Program, value: number): Promise<void> {
  const { data } = await program.read("y");
  if (data.some((element) => element !== value)) throw new Error(`a chain of additions gave ${data[0]}, expected ${value}`);
}
