import { adamW, norm as normKernel, sumSquares } from "../../kernels/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { elements, type Parameter, type Resident, Scalar } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import type { Part, Slot } from "./slots.ts";

export interface AdamWOptions {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/** What the optimizer keeps for one parameter, each of the parameter's size, f32. */
interface State {
  readonly gradient: Resident;
  readonly m: Resident;
  readonly v: Resident;
}

/**
 * AdamW with decoupled decay (Loshchilov & Hutter 2019) on the GPU, behind a clip of the global gradient norm.
 *
 * The order of an update: clip by min(1, max / (norm + 1e-6)), decay, moments, step. A slot without a gradient in a step is
 * left alone whole: value, moments, decay and step count.
 */
export class AdamW {
  /** Updates that each slot has had. */
  readonly counts: Map<Slot, number>;
  readonly #programs = new Map<string, Promise<Program>>();

  private constructor(
    private readonly gpu: Gpu,
    private readonly workspace: Workspace,
    readonly slots: readonly Slot[],
    private readonly states: ReadonlyMap<Parameter, State>,
    private readonly scratch: { readonly squares: Resident; readonly norm: Resident },
    private readonly options: Required<AdamWOptions> & { readonly maxNorm: number },
  ) {
    this.counts = new Map(slots.map((slot) => [slot, 0]));
  }

  /** Allocates gradients and moments for all slots. Throws `GpuMemoryError`. */
  static async create(
    gpu: Gpu,
    workspace: Workspace,
    slots: readonly Slot[],
    { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamWOptions,
    maxNorm: number,
  ): Promise<AdamW> {
    const states = new Map<Parameter, State>();
    for (const { parameter } of slots) {
      if (states.has(parameter)) continue;
      const size = elements(parameter.shape);
      const make = (label: string) => resident(gpu, `${label} of ${parameter.path}`, parameter.shape, size);
      states.set(parameter, { gradient: await make("gradient"), m: await make("first moment"), v: await make("second moment") });
    }
    const scratch = {
      squares: await resident(gpu, "squared norms", [slots.length], slots.length),
      norm: await resident(gpu, "gradient norm", [1], 1),
    };
    return new AdamW(gpu, workspace, slots, states, scratch, { betas, eps, weightDecay, maxNorm });
  }

  /** Where the gradient of a parameter is summed. */
  gradient(parameter: Parameter): Resident {
    return this.states.get(parameter)!.gradient;
  }

  /** The moments of a parameter. */
  moments(parameter: Parameter): { readonly m: Resident; readonly v: Resident } {
    return this.states.get(parameter)!;
  }

  /** Sets all gradients to zero. */
  clear(): void {
    const encoder = this.gpu.device.createCommandEncoder();
    for (const { gradient } of this.states.values()) encoder.clearBuffer(gradient.buffer);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /**
   * One update of the slots whose gradients are there. Returns the norm over all of them, before clipping.
   *
   * @param rates learning rate by part
   */
  async step(present: readonly Slot[], rates: Readonly<Record<Part, number>>): Promise<number> {
    const program = await this.#program(present);
    const [beta1, beta2] = this.options.betas;
    const scalars: Record<string, number> = { ...rates };
    present.forEach((slot, i) => {
      const count = this.counts.get(slot)! + 1;
      this.counts.set(slot, count);
      scalars[`first ${i}`] = 1 - beta1 ** count;
      scalars[`second ${i}`] = 1 - beta2 ** count;
    });
    program.run({}, scalars);
    return new Float32Array(await this.gpu.read(this.scratch.norm.buffer, 0, 4))[0]!;
  }

  /** Bytes on the GPU; the few of the norms count as moments. */
  get bytes(): { readonly gradients: number; readonly moments: number } {
    const gradients = [...this.states.values()].reduce((sum, { gradient }) => sum + gradient.buffer.size, 0);
    return { gradients, moments: 2 * gradients + this.scratch.squares.buffer.size + this.scratch.norm.buffer.size };
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) (await program.catch(() => undefined))?.dispose();
    for (const { gradient, m, v } of this.states.values()) for (const { buffer } of [gradient, m, v]) this.gpu.free(buffer);
    this.gpu.free(this.scratch.squares.buffer);
    this.gpu.free(this.scratch.norm.buffer);
  }

  #program(present: readonly Slot[]): Promise<Program> {
    const key = present.map(({ name }) => name).join();
    let program = this.#programs.get(key);
    if (!program) {
      program = Program.compile(this.#trace(present), this.workspace, { outputs: {} });
      this.#programs.set(key, program);
    }
    return program;
  }

  #trace(present: readonly Slot[]): Graph {
    const graph = new Graph();
    const { squares, norm } = this.scratch;
    const [beta1, beta2] = this.options.betas;
    present.forEach(({ parameter, offset, count }, slot) => {
      const x = this.gradient(parameter);
      graph.record({ op: "sumSquares", inputs: [], outputs: [], calls: [{ family: sumSquares, read: { x }, write: { y: squares }, params: { offset, count, slot } }] });
    });
    graph.record({ op: "norm", inputs: [], outputs: [], calls: [{ family: normKernel, read: { x: squares }, write: { y: norm }, params: { count: present.length } }] });
    present.forEach(({ parameter, offset, count, part, decays }, i) => {
      const { gradient, m, v } = this.states.get(parameter)!;
      graph.record({
        op: "adamW",
        inputs: [],
        outputs: [],
        calls: [
          {
            family: adamW,
            read: { gradient, norm },
            write: { parameter: parameter.block, m, v },
            params: {
              offset,
              count,
              learningRate: new Scalar(part, 1),
              beta1,
              beta2,
              epsilon: this.options.eps,
              weightDecay: decays ? this.options.weightDecay : 0,
              correction1: new Scalar(`first ${i}`, 1),
              correction2: new Scalar(`second ${i}`, 1),
              maxNorm: this.options.maxNorm,
            },
          },
        ],
      });
    });
    return graph;
  }
}

async function resident(gpu: Gpu, label: string, shape: readonly number[], size: number): Promise<Resident> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  return { label, shape, type: "f32", buffer: await gpu.allocate(label, size * 4, usage) };
}
