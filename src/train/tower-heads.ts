/** What classifies pooled features while a tower is pre-trained: one layer norm and a linear layer per head. */
import { Random } from "../../kernels/random.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { elements, Parameter, type Tensor } from "../graph/tensor.ts";
import { layerNorm } from "../ops/index.ts";
import type { Slot } from "./slots.ts";

/** Standard deviation of a head's initial weights, that of transformers' classification heads. */
const DEVIATION = 0.02;

/** The heads of a `TowerTrainer`, owned by it. */
export class TowerHeads {
  private constructor(
    private readonly gpu: Gpu,
    private readonly epsilon: number,
    private readonly normWeight: Parameter,
    private readonly normBias: Parameter,
    /** The matrix of each head, [classes, W]. */
    readonly weights: ReadonlyMap<string, Parameter>,
  ) {}

  /**
   * Makes heads for features of size W: the norm begins as the identity, weights are drawn from a normal distribution.
   *
   * @param classes number of classes by head
   * @param epsilon of the norm
   * @throws GpuMemoryError
   */
  static async create(gpu: Gpu, classes: Readonly<Record<string, number>>, width: number, epsilon: number, seed: number): Promise<TowerHeads> {
    const random = new Random(seed);
    const made: Parameter[] = [];
    const declare = async (name: string, shape: readonly number[], values: Float32Array): Promise<Parameter> => {
      const parameter = new Parameter(name, shape, shape.length === 1 ? "vector" : "matrix", [{ name, shape }]);
      const buffer = await gpu.allocateStorage(name, values.byteLength);
      parameter.blocks = [{ label: name, shape, type: "f32", buffer, firstRow: 0 }];
      made.push(parameter);
      gpu.write(buffer, 0, values);
      return parameter;
    };
    try {
      const normWeight = await declare("pretraining.norm.weight", [width], new Float32Array(width).fill(1));
      const normBias = await declare("pretraining.norm.bias", [width], new Float32Array(width));
      const weights = new Map<string, Parameter>();
      for (const [head, count] of Object.entries(classes)) {
        weights.set(head, await declare(`pretraining.heads.${head}`, [count, width], random.normal(count * width, 0, DEVIATION)));
      }
      return new TowerHeads(gpu, epsilon, normWeight, normBias, weights);
    } catch (error) {
      for (const { block } of made) gpu.free(block.buffer);
      throw error;
    }
  }

  /** Pooled features [R, W], normalised. */
  norm(pooled: Tensor): Tensor {
    return layerNorm(pooled, this.normWeight, this.normBias, this.epsilon);
  }

  /** All of them as what learns. They learn at the tower's rate. */
  slots(): Slot[] {
    return this.#parameters().map((parameter) => {
      const { path, shape } = parameter;
      return { name: path, foreignName: path, part: "vision", parameter, offset: 0, count: elements(shape), shape, decays: shape.length > 1 };
    });
  }

  dispose(): void {
    for (const { block } of this.#parameters()) this.gpu.free(block.buffer);
  }

  #parameters(): Parameter[] {
    return [this.normWeight, this.normBias, ...this.weights.values()];
  }
}
