/** Compiling and running small graphs on SwiftShader. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { GpuMemoryError } from "../gpu/error.ts";
import { chooseAdapter } from "../gpu/adapter.ts";
import { Gpu } from "../gpu/gpu.ts";
import { add, argmax, writeRows } from "../ops/index.ts";
import { ProgramError } from "./error.ts";
import { explain, explainSteps } from "./explain.ts";
import { Graph } from "./graph.ts";
import { Program } from "./program.ts";
import { type Resident, Scalar } from "./tensor.ts";
import { Workspace } from "./workspace.ts";

let gpu: Gpu;
let workspace: Workspace;
beforeAll(async () => {
  gpu = await Gpu.open(await chooseAdapter("swiftshader"));
  workspace = new Workspace(gpu);
});
afterAll(() => gpu.dispose());

/** x -> twice x -> four times x, both named. */
function doubled(size: number, interventions?: ConstructorParameters<typeof Graph>[0]) {
  const graph = new Graph(interventions);
  const x = graph.input("x", [size]);
  const twice = graph.name("a.twice", add(x, x));
  const four = graph.name("a.four", add(twice, twice));
  return { graph, x, twice, four };
}

const read = async (program: Program, name: string) => Array.from((await program.read(name)).data);

describe("Program", () => {
  it("runs again and again with other inputs", async () => {
    const { graph, four } = doubled(5);
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    for (const start of [0, 10]) {
      const x = Float32Array.from({ length: 5 }, (_, i) => start + i);
      program.run({ x });
      expect(await read(program, "four")).toEqual(Array.from(x, (value) => 4 * value));
    }
    program.dispose();
  });

  it("returns watched values, inputs among them, and drops what nobody wants", async () => {
    const { graph, x, twice } = doubled(4);
    graph.name("a.x", x);
    const program = await Program.compile(graph, workspace, { outputs: { twice }, watch: ["a.*"] });
    program.run({ x: Float32Array.of(1, 2, 3, 4) });
    expect(program.outputs.toSorted()).toEqual(["a.four", "a.twice", "a.x", "twice"]);
    expect(await read(program, "a.x")).toEqual([1, 2, 3, 4]);
    expect(await read(program, "a.twice")).toEqual([2, 4, 6, 8]);
    program.dispose();

    const unwatched = await Program.compile(doubledOnly(graph), workspace, { outputs: {}, watch: ["none"] });
    expect([unwatched.steps.length, unwatched.outputs]).toEqual([0, []]);
    unwatched.run({});
    unwatched.dispose();
  });

  it("puts interventions in the place of values", async () => {
    const { graph, four } = doubled(2, new Map([["a.twice", (value) => add(value, value)]]));
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    program.run({ x: Float32Array.of(1, 2) });
    expect(await read(program, "four")).toEqual([8, 16]);
    program.dispose();
  });

  it("takes scalars at every run and follows data that moves", async () => {
    const graph = new Graph();
    const rows: Resident = { label: "rows", shape: [4, 2], type: "f32", buffer: await gpu.allocateStorage("rows", 32) };
    writeRows(graph, graph.input("x", [1, 2]), rows, { rows: 1, width: 2, toRow: new Scalar("row", 3) });
    const program = await Program.compile(graph, workspace, { outputs: {} });
    program.run({ x: Float32Array.of(1, 2) }, { row: 0 });
    program.run({ x: Float32Array.of(3, 4) }, { row: 3 });
    expect(Array.from(new Float32Array(await gpu.read(rows.buffer, 0, 32)))).toEqual([1, 2, 0, 0, 0, 0, 3, 4]);

    gpu.free(rows.buffer);
    rows.buffer = await gpu.allocateStorage("rows", 32);
    workspace.moved();
    program.run({ x: Float32Array.of(5, 6) }, { row: 1 });
    expect(Array.from(new Float32Array(await gpu.read(rows.buffer, 0, 32)))).toEqual([0, 0, 5, 6, 0, 0, 0, 0]);
    program.dispose();
    gpu.free(rows.buffer);
  });

  it("says what is wrong with inputs, scalars and names", async () => {
    const { graph, four } = doubled(64);
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    expect(() => program.run({})).toThrow("run: input x is missing; got none");
    expect(() => program.run({ y: new Float32Array(64) })).toThrow("run: input x is missing; got y");
    expect(() => program.run({ x: new Float32Array(63 * 4) })).toThrow(/holds 252 elements, the program was compiled for 64/);
    expect(() => program.run({ x: new Float32Array(63) })).toThrow(/holds 63 elements, the program was compiled for 64/);
    await expect(program.read("five")).rejects.toThrow("read: expected one of four, got five");
    program.dispose();
    program.dispose();
    expect(() => program.run({ x: new Float32Array(64) })).toThrow(ProgramError);

    const moving = new Graph();
    const rows: Resident = { label: "rows", shape: [4, 2], type: "f32", buffer: await gpu.allocateStorage("rows", 32) };
    writeRows(moving, moving.input("x", [1, 2]), rows, { rows: 1, width: 2, toRow: new Scalar("row", 3) });
    const write = await Program.compile(moving, workspace, { outputs: {} });
    expect(() => write.run({ x: new Float32Array(2) })).toThrow("run: scalar row is missing");
    write.dispose();
    gpu.free(rows.buffer);
  });

  it("frees what it allocated, also when compiling fails half-way", async () => {
    const { graph, four } = doubled(1000);
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    program.dispose();
    const before = gpu.allocated;
    const reserve = vi.spyOn(workspace, "reserve").mockRejectedValueOnce(new GpuMemoryError("no memory", 1));
    await expect(Program.compile(doubled(1000).graph, workspace, { outputs: {}, watch: ["**"] })).rejects.toThrow("no memory");
    reserve.mockRestore();
    expect(gpu.allocated).toBe(before);
  });

  it("refuses a value beyond the adapter's binding limit, naming it", async () => {
    const small = Object.create(gpu, { limits: { value: new Proxy(gpu.limits, { get: (real, key) => (key === "maxStorageBufferBindingSize" ? 4096 : Reflect.get(real, key, real)) }) } }) as Gpu;
    Object.defineProperties(small, {
      allocate: { value: gpu.allocate.bind(gpu) },
      free: { value: gpu.free.bind(gpu) },
      pipeline: { value: gpu.pipeline.bind(gpu) },
      check: { value: gpu.check.bind(gpu) },
    });
    const { graph, four } = doubled(1025);
    await expect(Program.compile(graph, new Workspace(small), { outputs: { four } })).rejects.toThrow(
      /add a \[1025\]: expected at most 4096 bytes, the adapter's binding limit, got 4112; use a shorter prompt/,
    );
  });

  it("can be read after a run that the driver complained about", async () => {
    const { graph, four } = doubled(4);
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    program.run({ x: Float32Array.of(1, 2, 3, 4) });
    gpu.device.createBuffer({ size: 16, usage: 0xffff });
    await expect(program.read("four")).rejects.toThrow(/^the GPU driver reported: /);
    program.run({ x: Float32Array.of(1, 2, 3, 4) });
    expect(await read(program, "four")).toEqual([4, 8, 12, 16]);
    program.dispose();
  });

  it("profiles every step", async () => {
    const { graph, four } = doubled(256);
    const program = await Program.compile(graph, workspace, { outputs: { four } });
    const times = await program.profile({ x: new Float32Array(256) });
    expect(times).toHaveLength(2);
    for (const time of times) expect(time).toBeGreaterThanOrEqual(0);
    expect(explain(program, times)).toContain("GFLOP/s");
    program.dispose();
  });

  it("explains itself step by step", async () => {
    const { graph, four } = doubled(1024);
    const token = argmax(four);
    const program = await Program.compile(graph, workspace, { outputs: { token } });
    const steps = explainSteps(program);
    expect(steps.map(({ path, op, kernel, shape }) => [path, op, kernel, shape])).toEqual([
      ["a.twice", "add", "add-vec4", [1024]],
      ["a.four", "add", "add-vec4", [1024]],
      ["", "argmax", "argmax", [1]],
    ]);
    expect(steps[0]).toMatchObject({ flops: 1024, bytes: 12 * 1024, scalars: [] });
    expect(steps[0]!.place).toMatch(/^arena \d \+ \d+$/);
    const lines = explain(program).split("\n");
    expect(lines[0]).toMatch(/^path +operation +kernel +result +MFLOP +MB +place/);
    expect(lines.at(-1)).toMatch(/^3 dispatches, 0\.000 GFLOP; arena 0: /);
    program.dispose();
  });
});

/** A graph of nothing but the inputs of another. */
function doubledOnly({ inputs }: Graph): Graph {
  const graph = new Graph();
  for (const [name, { shape }] of inputs) graph.input(name, shape);
  return graph;
}

describe("Workspace", () => {
  it("keeps an arena that cannot grow, and frees all at the end", async () => {
    const own = new Workspace(gpu);
    const before = gpu.allocated;
    await own.reserve([1024, 512]);
    const [first] = own.arenas;
    await expect(own.reserve([2 ** 40])).rejects.toThrow(GpuMemoryError);
    expect(own.arenas[0]).toBe(first);
    const { generation } = own;
    await own.reserve([1000, 512]);
    expect(own.generation).toBe(generation);
    await own.reserve([4096]);
    expect(own.arenas.map(({ size }) => size)).toEqual([4096, 512]);
    expect(own.generation).toBeGreaterThan(generation);
    own.dispose();
    expect(gpu.allocated).toBe(before);
  });
});
