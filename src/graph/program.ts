import { storageBindings } from "../../kernels/kernel.ts";
import { GpuMemoryError } from "../gpu/error.ts";
import type { Gpu } from "../gpu/gpu.ts";
import { ProgramError } from "./error.ts";
import { glob } from "./glob.ts";
import type { Graph } from "./graph.ts";
import { type Plan, plan } from "./plan.ts";
import { type ChangingWord, makeStep, packParams, paramsBytes, type Step } from "./steps.ts";
import { isTensor, type Operand, shapeText, type Tensor, type ValueType } from "./tensor.ts";
import type { Workspace } from "./workspace.ts";

export interface CompileOptions {
  /** Values to keep, by the name under which `read` returns them. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Globs over value paths to keep as well. */
  readonly watch?: readonly string[];
}

interface Output {
  readonly tensor: Tensor;
  readonly staging: GPUBuffer;
}

/**
 * A graph made ready to run: dead operations dropped, memory planned, pipelines, bind groups and parameter blocks made.
 * A run writes the inputs and the changing scalars, encodes one compute pass and submits once; it makes no GPU object
 * but the command buffer.
 */
export class Program {
  readonly #inputs = new Map<string, { readonly tensor: Tensor; readonly buffer: GPUBuffer }>();
  readonly #outputs = new Map<string, Output>();
  readonly #scalars: readonly ChangingWord[];
  readonly #dynamicWords: Uint32Array;
  readonly #dynamicFloats: Float32Array;
  #groups: GPUBindGroup[] = [];
  #generation = -1;
  #disposed = false;

  private constructor(
    readonly gpu: Gpu,
    readonly workspace: Workspace,
    readonly plan: Plan,
    readonly steps: readonly Step[],
    private readonly pipelines: readonly GPUComputePipeline[],
    private readonly params: { readonly constant: GPUBuffer; readonly dynamic: GPUBuffer; readonly at: readonly { dynamic: boolean; offset: number }[] },
    dynamicWords: Uint32Array,
    scalars: readonly ChangingWord[],
    /** Every buffer that this program frees. */
    private readonly owned: readonly GPUBuffer[],
  ) {
    this.#dynamicWords = dynamicWords;
    this.#dynamicFloats = new Float32Array(dynamicWords.buffer);
    this.#scalars = scalars;
  }

  /** Compiles the part of a graph that the outputs need. Throws `DriverError`, `GpuMemoryError`. */
  static async compile(graph: Graph, workspace: Workspace, { outputs, watch = [] }: CompileOptions): Promise<Program> {
    const { gpu } = workspace;
    const tests = watch.map(glob);
    const kept: Record<string, Tensor> = { ...outputs };
    for (const [path, tensor] of graph.values) if (tests.some((test) => test(path))) kept[path] = tensor;

    const planned = plan(graph, Object.values(kept), gpu.limits.maxBufferSize);
    const owner = new Map(planned.nodes.flatMap((node) => node.calls.map((call) => [call, node] as const)));
    const steps = planned.calls.map((call) => makeStep(call, owner.get(call)!, gpu));
    const pipelines = await Promise.all(steps.map(({ kernel, weight }) => gpu.pipeline(kernel, weight)));
    const { constant, dynamic, at, scalars } = packParams(steps);

    const owned: GPUBuffer[] = [];
    const own = async (made: Promise<GPUBuffer>): Promise<GPUBuffer> => {
      const buffer = await made;
      owned.push(buffer);
      return buffer;
    };
    try {
      const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
      const buffers = {
        constant: await own(gpu.allocate("parameters", constant.byteLength, usage)),
        dynamic: await own(gpu.allocate("changing parameters", dynamic.byteLength, usage)),
        at,
      };
      gpu.write(buffers.constant, 0, constant);
      const program = new Program(gpu, workspace, planned, steps, pipelines, buffers, dynamic, scalars, owned);

      const operands = [...planned.calls.flatMap((call) => Object.values(call.read)), ...Object.values(kept)];
      const used = new Set(operands.map((operand) => (isTensor(operand) ? operand.root : operand)));
      for (const [name, tensor] of graph.inputs) {
        if (!used.has(tensor)) continue;
        const buffer = await own(gpu.allocateStorage(`input ${name}`, tensor.size * 4));
        program.#inputs.set(name, { tensor, buffer });
      }
      for (const [name, tensor] of Object.entries(kept)) {
        const staging = await own(gpu.allocate(`output ${name}`, tensor.size * 4, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ));
        program.#outputs.set(name, { tensor, staging });
      }
      await workspace.reserve(planned.arenas);
      program.#bind();
      gpu.check();
      return program;
    } catch (error) {
      for (const buffer of owned) gpu.free(buffer);
      throw error;
    }
  }

  /** Bytes of the buffers of its own; arenas and residents belong to others. */
  get bytes(): number {
    return this.owned.reduce((sum, { size }) => sum + size, 0);
  }

  /** Names of the values that `read` returns. */
  get outputs(): string[] {
    return [...this.#outputs.keys()];
  }

  /**
   * Submits one run. `inputs` must hold every live input of the graph, `scalars` every scalar.
   * Throws `ProgramError` for a missing or mis-sized input and what the driver reported since the last call.
   */
  run(inputs: Readonly<Record<string, Float32Array | Uint32Array>>, scalars: Readonly<Record<string, number>> = {}): void {
    this.#prepare(inputs, scalars);
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#encode(pass, 0, this.steps.length);
    pass.end();
    this.#copyOutputs(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
  }

  /** Like `run`, with one pass per step between two timestamps. Returns nanoseconds per step. */
  async profile(inputs: Readonly<Record<string, Float32Array | Uint32Array>>, scalars: Readonly<Record<string, number>> = {}): Promise<Float64Array> {
    const { device } = this.gpu;
    if (!device.features.has("timestamp-query")) throw new ProgramError("a profile needs the adapter feature timestamp-query; this adapter lacks it");
    this.#prepare(inputs, scalars);
    const count = 2 * this.steps.length;
    const querySet = device.createQuerySet({ type: "timestamp", count });
    const resolved = await this.gpu.allocate("timestamps", count * 8, GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC);
    try {
      const encoder = device.createCommandEncoder();
      for (let i = 0; i < this.steps.length; i++) {
        const pass = encoder.beginComputePass({
          timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 },
        });
        this.#encode(pass, i, i + 1);
        pass.end();
      }
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      this.#copyOutputs(encoder);
      device.queue.submit([encoder.finish()]);
      const times = new BigUint64Array(await this.gpu.read(resolved, 0, count * 8));
      return Float64Array.from(this.steps, (_, i) => Number(times[2 * i + 1]! - times[2 * i]!));
    } finally {
      this.gpu.free(resolved);
      querySet.destroy();
    }
  }

  /** The value of an output after the last run, copied to the host. */
  async read(name: string): Promise<{ shape: readonly number[]; type: ValueType; data: Float32Array | Uint32Array }> {
    const output = this.#outputs.get(name);
    if (!output) throw new ProgramError(`read: expected one of ${this.outputs.join(", ")}, got ${name}`);
    const { tensor, staging } = output;
    let bytes: ArrayBuffer;
    try {
      await this.gpu.wait(staging.mapAsync(GPUMapMode.READ, 0, tensor.size * 4));
      bytes = staging.getMappedRange(0, tensor.size * 4).slice(0);
    } finally {
      // Also after an error that the driver reported: the next run copies into this buffer.
      staging.unmap();
    }
    return { shape: tensor.shape, type: tensor.type, data: tensor.type === "f32" ? new Float32Array(bytes) : new Uint32Array(bytes) };
  }

  /** Frees the buffers of this program; arenas and residents belong to others. Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.owned) this.gpu.free(buffer);
    this.#groups = [];
  }

  #prepare(inputs: Readonly<Record<string, Float32Array | Uint32Array>>, scalars: Readonly<Record<string, number>>): void {
    if (this.#disposed) throw new ProgramError("run: the program was disposed; compile it again");
    this.gpu.check();
    if (this.#generation !== this.workspace.generation) this.#bind();
    for (const [name, { tensor, buffer }] of this.#inputs) {
      const data = inputs[name];
      if (!data) throw new ProgramError(`run: input ${name} is missing; got ${Object.keys(inputs).join(", ") || "none"}`);
      if (data.length !== tensor.size) {
        throw new ProgramError(`run: input ${name} holds ${data.length} elements, the program was compiled for ${tensor.size}`);
      }
      this.gpu.write(buffer, 0, data);
    }
    for (const { word, scalar, type } of this.#scalars) {
      const value = scalars[scalar.name];
      if (value === undefined) throw new ProgramError(`run: scalar ${scalar.name} is missing`);
      (type === "f32" ? this.#dynamicFloats : this.#dynamicWords)[word] = value + scalar.offset;
    }
    if (this.#scalars.length) this.gpu.write(this.params.dynamic, 0, this.#dynamicWords);
  }

  #encode(pass: GPUComputePassEncoder, from: number, to: number): void {
    let current: GPUComputePipeline | undefined;
    for (let i = from; i < to; i++) {
      const pipeline = this.pipelines[i]!;
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.setBindGroup(0, this.#groups[i]!);
      pass.dispatchWorkgroups(...this.steps[i]!.groups);
    }
  }

  #copyOutputs(encoder: GPUCommandEncoder): void {
    for (const { tensor, staging } of this.#outputs.values()) {
      const { buffer, offset } = this.#locate(tensor);
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, tensor.size * 4);
    }
  }

  #locate(operand: Operand): { buffer: GPUBuffer; offset: number; size: number } {
    if (!isTensor(operand)) return { buffer: operand.buffer, offset: 0, size: operand.buffer.size };
    if (operand.input !== undefined) {
      const { buffer } = this.#inputs.get(operand.input)!;
      return { buffer, offset: 0, size: buffer.size };
    }
    const { arena, offset, bytes } = this.plan.places.get(operand.root)!;
    return { buffer: this.workspace.arenas[arena]!, offset, size: bytes };
  }

  #bind(): void {
    const most = this.gpu.limits.maxStorageBufferBindingSize;
    this.#groups = this.steps.map(({ node, call, kernel }, i) => {
      const entries: GPUBindGroupEntry[] = storageBindings(kernel.code).map(({ name, binding }) => {
        const operand = (call.read[name] ?? call.write[name])!;
        const resource = this.#locate(operand);
        if (resource.size > most) {
          const label = isTensor(operand) ? `${node.path} ${node.op} ${name} ${shapeText(operand.shape)}`.trim() : operand.label;
          throw new GpuMemoryError(
            `${label}: expected at most ${most} bytes, the adapter's binding limit, got ${resource.size}; use a shorter prompt, fewer pictures or another adapter`,
            resource.size,
            most,
          );
        }
        return { binding, resource };
      });
      const { dynamic, offset } = this.params.at[i]!;
      if (kernel.params.length) {
        const buffer = dynamic ? this.params.dynamic : this.params.constant;
        entries.push({ binding: entries.length, resource: { buffer, offset, size: paramsBytes(kernel) } });
      }
      return this.gpu.device.createBindGroup({ label: kernel.name, layout: this.pipelines[i]!.getBindGroupLayout(0), entries });
    });
    this.#generation = this.workspace.generation;
  }
}
