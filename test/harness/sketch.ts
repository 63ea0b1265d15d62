import type { Gpu } from "../../src/gpu/gpu.ts";
import { Graph } from "../../src/graph/graph.ts";
import { Program } from "../../src/graph/program.ts";
import type { Parameter, Resident, Tensor } from "../../src/graph/tensor.ts";
import { Workspace } from "../../src/graph/workspace.ts";
import { gradients } from "../../src/train/gradients.ts";
import { makeParameter, makeResident, writeParameter } from "./parameters.ts";

/** An output and the gradients of Σ upstream · y, by the names of what they belong to. */
export interface Differentiated {
  readonly y: Float32Array;
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

/** A small graph together with the values of its inputs and weights, to be run and differentiated. */
export class Sketch {
  readonly graph = new Graph();
  /** What gradients are asked for, by name. */
  readonly wanted = new Map<string, Tensor | Parameter>();
  /** The values of everything wanted. */
  readonly values = new Map<string, Float32Array>();
  /** The values of the graph's scalars, by name. */
  readonly scalars: Record<string, number> = {};
  readonly #inputs: Record<string, Float32Array | Uint32Array> = {};
  readonly #programs: Program[] = [];
  readonly #buffers: GPUBuffer[] = [];
  readonly #workspace: Workspace;

  constructor(readonly gpu: Gpu) {
    this.#workspace = new Workspace(gpu);
  }

  /** An input whose gradient is wanted. */
  input(name: string, shape: readonly number[], values: Float32Array): Tensor {
    const tensor = this.constant(name, shape, values);
    this.#want(name, tensor, values);
    return tensor;
  }

  /** An input that is given only. */
  constant(name: string, shape: readonly number[], values: Float32Array | Uint32Array): Tensor {
    this.#inputs[name] = values;
    return this.graph.input(name, shape, values instanceof Uint32Array ? "u32" : "f32");
  }

  /** A weight whose gradient is wanted, its rows in `blocks` buffers. */
  async parameter(name: string, shape: readonly number[], values: Float32Array, blocks = 1): Promise<Parameter> {
    const parameter = await makeParameter(this.gpu, name, shape, values, blocks);
    this.#buffers.push(...parameter.blocks.map(({ buffer }) => buffer));
    this.#want(name, parameter, values);
    return parameter;
  }

  /** Gives values to a weight that a layer declared, and wants its gradient. */
  async load(name: string, parameter: Parameter, values: Float32Array): Promise<void> {
    const { blocks } = await makeParameter(this.gpu, name, parameter.shape, values);
    this.#buffers.push(...blocks.map(({ buffer }) => buffer));
    parameter.blocks = blocks;
    this.#want(name, parameter, values);
  }

  /** A table on the GPU. */
  async resident(label: string, shape: readonly number[], values: Float32Array): Promise<Resident> {
    const resident = await makeResident(this.gpu, label, shape, values);
    this.#buffers.push(resident.buffer);
    return resident;
  }

  /** Replaces the values of an input or weight for the following runs. */
  set(name: string, values: Float32Array): void {
    const one = this.wanted.get(name)!;
    this.values.set(name, values);
    if ("blocks" in one) writeParameter(this.gpu, one, values);
    else this.#inputs[name] = values;
  }

  /** Traces the backward pass from y and runs both. */
  async differentiate(y: Tensor, upstream: Float32Array): Promise<Differentiated> {
    const dy = this.constant("upstream", y.shape, upstream);
    const found = gradients(this.graph, y, dy, new Set(this.wanted.values()));
    const outputs: Record<string, Tensor> = {};
    for (const [name, one] of this.wanted) {
      const gradient = found.get(one);
      if (!gradient) throw new Error(`y does not depend on ${name}`);
      outputs[`gradient ${name}`] = gradient;
    }
    const program = await this.compile({ y, ...outputs });
    this.run(program);
    const read = async (name: string) => (await program.read(name)).data as Float32Array;
    const values: Record<string, Float32Array> = {};
    for (const name of this.wanted.keys()) values[name] = await read(`gradient ${name}`);
    return { y: await read("y"), gradients: values };
  }

  /** A program for some values of the graph; `dispose` frees it. */
  async compile(outputs: Readonly<Record<string, Tensor>>): Promise<Program> {
    const program = await Program.compile(this.graph, this.#workspace, { outputs });
    this.#programs.push(program);
    return program;
  }

  /** Runs a program on the values as they are now. */
  run(program: Program): void {
    program.run(this.#inputs, this.scalars);
  }

  dispose(): void {
    for (const program of this.#programs) program.dispose();
    for (const buffer of this.#buffers) this.gpu.free(buffer);
    this.#workspace.dispose();
  }

  #want(name: string, one: Tensor | Parameter, values: Float32Array): void {
    this.wanted.set(name, one);
    this.values.set(name, values);
  }
}
