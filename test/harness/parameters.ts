/** Weights and tables on the GPU without a checkpoint, for tests of single operations. */
import type { Gpu } from "../../src/gpu/gpu.ts";
import { Parameter, type ParameterBlock, type Resident } from "../../src/graph/tensor.ts";

/** f32 values that stay on the GPU. The caller frees the buffer. */
export async function makeResident(gpu: Gpu, label: string, shape: readonly number[], values: Float32Array): Promise<Resident> {
  const buffer = await gpu.allocateStorage(label, values.byteLength);
  gpu.write(buffer, 0, values);
  return { label, shape, type: "f32", buffer };
}

/** An f32 parameter of the given values, its rows in `blocks` buffers (fewer if it has fewer rows). The caller frees these. */
export async function makeParameter(
  gpu: Gpu,
  path: string,
  shape: readonly number[],
  values: Float32Array,
  blocks = 1,
): Promise<Parameter> {
  const parameter = new Parameter(path, shape, shape.length === 1 ? "vector" : "matrix", [{ name: path, shape }]);
  const [rows, width] = [parameter.rows, values.length / parameter.rows];
  const perBlock = Math.ceil(rows / blocks);
  const made: ParameterBlock[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += perBlock) {
    const count = Math.min(perBlock, rows - firstRow);
    const blockShape = parameter.kind === "vector" ? shape : [count, ...shape.slice(1)];
    const part = values.subarray(firstRow * width, (firstRow + count) * width);
    made.push({ ...(await makeResident(gpu, path, blockShape, part)), firstRow });
  }
  parameter.blocks = made;
  return parameter;
}

/** Gives a parameter other values. */
export function writeParameter(gpu: Gpu, parameter: Parameter, values: Float32Array): void {
  const width = values.length / parameter.rows;
  for (const { buffer, firstRow, shape } of parameter.blocks) {
    const count = shape.reduce((product, length) => product * length, 1);
    gpu.write(buffer, 0, values.subarray(firstRow * width, firstRow * width + count));
  }
}
