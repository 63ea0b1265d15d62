import { norm as normKernel, sumSquares } from "../../kernels/index.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { Graph } from "../graph/graph.ts";
import { Program } from "../graph/program.ts";
import { ProgramCache } from "../graph/program-cache.ts";
import { elements, type Parameter, type Resident, Scalar, type Tensor } from "../graph/tensor.ts";
import type { Workspace } from "../graph/workspace.ts";
import { traceAdamW } from "./adamw.ts";
import { type ProgramBytes, programBytes } from "./memory.ts";
import { isMuonSlot, traceMuon } from "./muon.ts";
import type { OptimizerOptions } from "./optimizer-options.ts";
import type { Part, Slot } from "./slots.ts";

/** What the optimizer keeps for one parameter, each of the parameter's size, f32. Muon has no second moment. */
interface State {
  readonly gradient: Resident;
  readonly m: Resident;
  readonly v?: Resident;
}

/**
 * Turns gradients into steps on the GPU, behind a clip of their global norm: AdamW with decoupled decay for all slots, or
 * Muon for the matrices between hidden states and AdamW for the rest.
 *
 * The order of an update: clip by min(1, max / (norm + 1e-6)), decay, moments, step. A slot without a gradient in a step is
 * left alone whole: value, moments, decay and step count.
 */
export class Optimizer {
  /** Updates that each slot has had. */
  readonly counts: Map<Slot, number>;
  readonly #programs = new ProgramCache<{ readonly program: Program }>();

  private constructor(
    private readonly gpu: Gpu,
    private readonly workspace: Workspace,
    readonly slots: readonly Slot[],
    private readonly states: ReadonlyMap<Parameter, State>,
    /** The squared norms of all slots. */
    private readonly squares: Resident,
    private readonly options: Required<OptimizerOptions> & { readonly maxNorm: number },
  ) {
    this.counts = new Map(slots.map((slot) => [slot, 0]));
  }

  /** Allocates gradients and moments for all slots. Throws `GpuMemoryError`. */
  static async create(
    gpu: Gpu,
    workspace: Workspace,
    slots: readonly Slot[],
    { kind = "adamw", betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0, momentum = 0.95, adamWRateFactor = 1 }: OptimizerOptions,
    maxNorm: number,
  ): Promise<Optimizer> {
    const byParameter = new Map<Parameter, Slot[]>();
    for (const slot of slots) byParameter.set(slot.parameter, [...(byParameter.get(slot.parameter) ?? []), slot]);
    const states = new Map<Parameter, State>();
    for (const [parameter, own] of byParameter) {
      const size = elements(parameter.shape);
      const make = (label: string) => resident(gpu, `${label} of ${parameter.path}`, parameter.shape, size);
      const first = { gradient: await make("gradient"), m: await make("first moment") };
      const isMuon = kind === "muon" && own.every(isMuonSlot);
      states.set(parameter, isMuon ? first : { ...first, v: await make("second moment") });
    }
    const squares = await resident(gpu, "squared norms", [slots.length], slots.length);
    return new Optimizer(gpu, workspace, slots, states, squares, { kind, betas, eps, weightDecay, momentum, adamWRateFactor, maxNorm });
  }

  /** Where the gradient of a parameter is summed. */
  gradient(parameter: Parameter): Resident {
    return this.states.get(parameter)!.gradient;
  }

  /** The moments of a parameter; no second one for Muon. */
  moments(parameter: Parameter): { readonly m: Resident; readonly v?: Resident } {
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
    const { program } = await this.#program(present);
    const { betas: [beta1, beta2], adamWRateFactor } = this.options;
    const scalars: Record<string, number> = {};
    for (const [part, rate] of Object.entries(rates)) {
      scalars[`muon ${part}`] = rate;
      scalars[`adamw ${part}`] = rate * adamWRateFactor;
    }
    present.forEach((slot, i) => {
      const count = this.counts.get(slot)! + 1;
      this.counts.set(slot, count);
      scalars[`first ${i}`] = 1 - beta1 ** count;
      scalars[`second ${i}`] = 1 - beta2 ** count;
    });
    program.run({}, scalars);
    return (await program.read("norm")).data[0]!;
  }

  /** Bytes on the GPU, without programs; the few of the squared norms count as moments. */
  get bytes(): { readonly gradients: number; readonly moments: number } {
    const states = [...this.states.values()];
    const gradients = states.reduce((sum, { gradient }) => sum + gradient.buffer.size, 0);
    const moments = states.reduce((sum, { m, v }) => sum + m.buffer.size + (v?.buffer.size ?? 0), 0);
    return { gradients, moments: moments + this.squares.buffer.size };
  }

  /** Bytes of the program that updates these slots, and of the buffers of all that are compiled so far. */
  async programBytes(present: readonly Slot[]): Promise<{ readonly planned: ProgramBytes; readonly held: number }> {
    const { graph, norm } = this.#trace(present);
    return { planned: programBytes(graph, [norm], this.gpu), held: await this.#programs.bytes() };
  }

  async dispose(): Promise<void> {
    await this.#programs.clear();
    for (const { gradient, m, v } of this.states.values()) for (const one of [gradient, m, v]) if (one) this.gpu.free(one.buffer);
    this.gpu.free(this.squares.buffer);
  }

  #program(present: readonly Slot[]): Promise<{ readonly program: Program }> {
    return this.#programs.get(present.map(({ name }) => name).join(), async () => {
      const { graph, norm } = this.#trace(present);
      return { program: await Program.compile(graph, this.workspace, { outputs: { norm } }) };
    });
  }

  #trace(present: readonly Slot[]): { graph: Graph; norm: Tensor } {
    const graph = new Graph();
    const norm = graph.value([1]);
    const { squares, options } = this;
    present.forEach(({ parameter, offset, count }, slot) => {
      const x = this.gradient(parameter);
      graph.record({ op: "sumSquares", inputs: [], outputs: [], calls: [{ family: sumSquares, read: { x }, write: { y: squares }, params: { offset, count, slot } }] });
    });
    graph.record({ op: "norm", inputs: [], outputs: [norm], calls: [{ family: normKernel, read: { x: squares }, write: { y: norm }, params: { count: present.length } }] });
    present.forEach((slot, i) => {
      const { gradient, m, v } = this.states.get(slot.parameter)!;
      graph.within(slot.name, () => {
        if (v) {
          const corrections = [new Scalar(`first ${i}`, 1), new Scalar(`second ${i}`, 1)] as const;
          traceAdamW(graph, slot, { gradient, m, v, norm, learningRate: new Scalar(`adamw ${slot.part}`, 1), corrections }, options);
        } else {
          traceMuon(graph, slot, { gradient, m, norm, learningRate: new Scalar(`muon ${slot.part}`, 1) }, options);
        }
      });
    });
    return { graph, norm };
  }
}

async function resident(gpu: Gpu, label: string, shape: readonly number[], size: number): Promise<Resident> {
  return { label, shape, type: "f32", buffer: await gpu.allocateStorage(label, size * 4) };
}
