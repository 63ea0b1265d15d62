/** Writes ONNX models of one operator. Field numbers are those of onnx.proto3 (ONNX 1.16, IR version 8). */
import { block, integer, message } from "./protobuf.ts";

const FLOAT = 1;
const INT_ATTRIBUTE = 2;

/** A tensor by name: its sizes, and its values if they belong to the model. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values?: Float32Array;
}

export interface OnnxOperator {
  readonly type: string;
  /** "" for ONNX's own operators, else the domain of an extension. */
  readonly domain: string;
  readonly attributes?: Readonly<Record<string, number>>;
  readonly inputs: readonly OnnxTensor[];
  readonly output: OnnxTensor;
}

/** The bytes of a model file with one f32 operator. Inputs with values become initialisers. */
export function onnxModel({ type, domain, attributes = {}, inputs, output }: OnnxOperator): Uint8Array {
  const node = [
    ...inputs.map(({ name }) => block(1, name)),
    block(2, output.name),
    block(3, type),
    block(4, type),
    ...Object.entries(attributes).map(([name, value]) => block(5, [block(1, name), integer(3, value), integer(20, INT_ATTRIBUTE)])),
    block(7, domain),
  ];
  const graph = [
    block(1, node),
    block(2, "benchmark"),
    ...inputs.filter(({ values }) => values).map((tensor) => block(5, initialiser(tensor))),
    ...inputs.filter(({ values }) => !values).map((tensor) => block(11, declaration(tensor))),
    block(12, declaration(output)),
  ];
  const domains = [[block(1, ""), integer(2, 17)], [block(1, "com.microsoft"), integer(2, 1)]];
  return message([integer(1, 8), block(2, "llava-webgpu bench"), block(7, graph), ...domains.map((set) => block(8, set))]);
}

function initialiser({ name, dims, values }: OnnxTensor): Uint8Array[] {
  const bytes = new Uint8Array(values!.buffer, values!.byteOffset, values!.byteLength);
  return [...dims.map((size) => integer(1, size)), integer(2, FLOAT), block(8, name), block(9, bytes)];
}

function declaration({ name, dims }: OnnxTensor): Uint8Array[] {
  const shape = dims.map((size) => block(1, [integer(1, size)]));
  return [block(1, name), block(2, [block(1, [integer(1, FLOAT), block(2, shape)])])];
}
