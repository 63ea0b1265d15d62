import { unpack } from "../../kernels/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { elements, type Parameter, type ParameterBlock } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import { OptionError } from "../generate/errors.ts";

/** Replaces a parameter's packed f16 or bf16 values by f32 ones, which an optimizer can move by small steps. */
export async function makeMaster(gpu: Gpu, workspace: Workspace, parameter: Parameter): Promise<void> {
  if (parameter.blocks.length > 1) {
    throw new OptionError("trainable", "weights that fit one storage binding of this adapter", parameter.path);
  }
  const old = parameter.block;
  if (old.type === "f32") return;
  const size = elements(parameter.shape);
  const block: ParameterBlock = { ...old, type: "f32", buffer: await gpu.allocateStorage(parameter.path, size * 4) };
  const graph = new Graph();
  graph.record({ op: "unpack", inputs: [], outputs: [], calls: [{ family: unpack, read: { x: old }, write: { y: block }, params: { size } }] });
  const program = await Program.compile(graph, workspace, { outputs: {} });
  program.run({});
  await gpu.idle();
  program.dispose();
  parameter.blocks = [block];
  gpu.free(old.buffer);
  workspace.moved();
}
