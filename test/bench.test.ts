/** The benchmarks: how they time, what they write for their peers, and a short run of both commands. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verifyWorkload } from "../bench/kernels.ts";
import { median, race, speedup } from "../bench/measure.ts";
import { matmulCall } from "../bench/peers/calls.ts";
import { integer, block } from "../bench/peers/protobuf.ts";
import { Torch } from "../bench/peers/torch.ts";
import type { BenchReport, TrainRecord } from "../bench/records.ts";
import { short, plainTable, markdownTable } from "../bench/table.ts";
import { problemsOf } from "../bench/train/checks.ts";
import { trainTables } from "../bench/train/format.ts";
import { objectsMade } from "../bench/train/objects.ts";
import { multiplyAdds, programsOf } from "../bench/train/programs.ts";
import type { VerifyReport } from "../bench/verify/report.ts";
import * as runner from "../bench/verify/runner.ts";
import { workloads } from "../bench/workloads.ts";
import { Gpu } from "../src/gpu/gpu.ts";
import { Graph } from "../src/graph/graph.ts";
import { Program } from "../src/graph/program.ts";
import { Parameter } from "../src/graph/tensor.ts";
import { Workspace } from "../src/graph/workspace.ts";
import { add, linear } from "../src/ops/index.ts";
import { testAdapters } from "./harness/adapters.ts";
import { root } from "./harness/sources.ts";

describe("timing", () => {
  it("takes the middle of an odd and of an even number of values", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  it("warms up, repeats what is quick, and interleaves the rounds", async () => {
    const calls: string[] = [];
    const contender = (name: string, time: number) => ({
      sample: async (repeats: number) => {
        calls.push(`${name}${repeats}`);
        return { time: time * repeats, cpu: 2 * time * repeats };
      },
    });
    const [slow, quick] = await race([contender("slow", 30), contender("quick", 4)], { rounds: 2, atLeast: 20 });
    expect(calls.slice(6)).toEqual(["slow1", "quick5", "slow1", "quick5"]);
    expect(slow).toEqual({ median: 30, min: 30, cpu: 60, repeats: 1, samples: [30, 30] });
    expect(quick).toEqual({ median: 4, min: 4, cpu: 8, repeats: 5, samples: [4, 4] });
    expect(speedup(slow, quick)).toBe(7.5);
  });
});

describe("tables", () => {
  const table = { title: "T", head: ["name", "ms"], rows: [["a", "1.00"], ["long", "10.0"]] };

  it("align columns for the terminal", () => {
    expect(plainTable(table)).toBe("T\nname    ms\na     1.00\nlong  10.0");
  });

  it("are Markdown for files", () => {
    expect(markdownTable(table)).toBe("### T\n\n| name | ms |\n| --- | ---: |\n| a | 1.00 |\n| long | 10.0 |");
  });

  it.each([[0, "0"], [1234, "1234"], [12.34, "12.3"], [0.01234, "0.0123"], [999.6, "1000"]])("give %s three digits", (value, text) => {
    expect(short(value)).toBe(text);
  });
});

/** The fields of a protocol-buffer message, by number: whole numbers and blocks of bytes. */
function fields(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const content = (): Uint8Array => {
    const length = varint();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const all = new Map<number, (number | Uint8Array)[]>();
  while (at < bytes.length) {
    const tag = varint();
    const value = (tag & 7) === 0 ? varint() : content();
    all.set(tag >> 3, [...(all.get(tag >> 3) ?? []), value]);
  }
  return all;
}

const inside = (bytes: Uint8Array, ...path: number[]): Uint8Array => path.reduce((at, field) => fields(at).get(field)![0] as Uint8Array, bytes);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("models for peers", () => {
  it("encode numbers and blocks as protocol buffers do", () => {
    expect([...integer(1, 150)]).toEqual([0x08, 0x96, 0x01]);
    expect([...block(2, "testing")]).toEqual([0x12, 7, ...new TextEncoder().encode("testing")]);
    expect([...integer(20, 2)]).toEqual([0xa0, 0x01, 2]);
    expect([...block(3, [integer(1, 150)])]).toEqual([0x1a, 3, 0x08, 0x96, 0x01]);
  });

  it("hold the operator, its shapes and the transposed weight", () => {
    const weight = Float32Array.of(1, 2, 3, 4, 5, 6); // [3, 2]
    const { model, feeds, output } = matmulCall(1, 3, 2, Float32Array.of(7, 8), weight);
    expect(fields(model).get(1)).toEqual([8]);
    expect(textOf(inside(model, 7, 1, 4))).toBe("MatMul");
    const stored = inside(model, 7, 5);
    expect(fields(stored).get(1)).toEqual([2, 3]);
    expect([...new Float32Array(inside(stored, 9).slice().buffer)]).toEqual([1, 3, 5, 2, 4, 6]);
    const sizes = fields(inside(model, 7, 11, 2, 1, 2)).get(1)!.map((dim) => fields(dim as Uint8Array).get(1)![0]);
    expect(sizes).toEqual([1, 2]);
    expect(textOf(inside(model, 7, 12, 1))).toBe(output);
    expect(feeds.x.dims).toEqual([1, 2]);
  });
});

describe("verification before timing", () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await Gpu.open((await testAdapters())[0]);
  });
  afterAll(() => gpu.dispose());

  const [addition] = workloads(true).filter(({ label }) => label.startsWith("add"));

  it("passes right results on", async () => {
    const failures: string[] = [];
    const verified = await verifyWorkload(gpu, addition, (message) => failures.push(message));
    expect(failures).toEqual([]);
    expect(verified.map(({ work }) => work.kernel.name)).toEqual(addition.family.variants.map(({ name }) => name));
  });

  it("reports wrong ones and leaves them out", async () => {
    const failures: string[] = [];
    const reference: typeof addition.family.reference = (inputs, params) => ({ y: addition.family.reference(inputs, params).y.map((value) => value + 1) });
    const verified = await verifyWorkload(gpu, { ...addition, family: { ...addition.family, reference } }, (message) => failures.push(message));
    expect(verified).toEqual([]);
    expect(failures).toHaveLength(addition.family.variants.length);
    expect(failures[0]).toMatch(/^add 66560: add f32: off by [\d.e+-]+ of the largest value, allowed/);
  });
});

describe("the training section", () => {
  let gpu: Gpu;
  let workspace: Workspace;
  beforeAll(async () => {
    gpu = await Gpu.open((await testAdapters())[0]);
    workspace = new Workspace(gpu);
  });
  afterAll(() => gpu.dispose());

  it("counts the GPU objects that are made", async () => {
    const make = async () => gpu.free(await gpu.allocate("one", 16, GPUBufferUsage.STORAGE));
    expect(await objectsMade(gpu.device, async () => undefined)).toEqual({});
    expect(await objectsMade(gpu.device, async () => {
      await make();
      await make();
      gpu.device.createShaderModule({ code: "" });
    })).toEqual({ createBuffer: 2, createShaderModule: 1 });
    expect(Object.keys(gpu.device)).not.toContain("createBuffer");
  });

  it("finds the programs that run, and counts the multiply-adds of their products only", async () => {
    const graph = new Graph();
    const weight = new Parameter("weight", [3, 8], "matrix", []);
    const buffer = await gpu.allocate("weight", 96, GPUBufferUsage.STORAGE);
    weight.blocks = [{ label: "weight", shape: [3, 8], type: "f32", buffer, firstRow: 0 }];
    const once = linear(graph.input("x", [5, 8]), weight);
    const program = await Program.compile(graph, workspace, { outputs: { y: add(once, once) } });
    const { run } = Program.prototype;
    const runs = await programsOf(async () => program.run({ x: new Float32Array(40) }));
    expect(Program.prototype.run).toBe(run);
    expect(runs.map((each) => each.program)).toEqual([program]);
    expect(multiplyAdds(runs[0])).toBe(5 * 8 * 3);
    program.dispose();
    gpu.free(buffer);
  });

  const timing = { median: 20, min: 10, cpu: 30, repeats: 1, samples: [20] };
  const record: TrainRecord = {
    model: "S",
    trainable: "projector",
    adapter: "any",
    parameters: 3e6,
    learning: 2e6,
    samples: 2,
    tokens: 100,
    multiplyAdds: 4e7,
    dispatches: 3,
    timing,
    tokensPerSecond: 5000,
    multiplyAddsPerSecond: 2e9,
    ofPeak: 0.4,
    byKernel: [{ kernel: "matmul", dispatches: 2, time: 3 }, { kernel: "add", dispatches: 1, time: 1 }],
    torch: { name: "PyTorch", timing, speedup: 1 },
    loading: { step: 20, withLoading: 22, batch: 8, ratio: 1.1, hidden: 0.75 },
    loss: 7,
    gradientNorm: 1.5,
    guess: 7.1,
    off: [{ name: "PyTorch", loss: 1e-6, gradientNorm: 2e-6 }],
    lastLoss: 6,
    steps: 9,
    planned: 5e6,
    allocated: 5e6,
    objects: {},
  };

  it("accepts a sound training and names what is wrong with others", () => {
    expect(problemsOf(record)).toEqual([]);
    expect(problemsOf({ ...record, loss: 9 })).toEqual([expect.stringMatching(/^the first loss is 9, expected about 7\.1/)]);
    expect(problemsOf({ ...record, lastLoss: NaN })).toEqual(["the loss went from 7 to NaN in 9 steps on one batch"]);
    expect(problemsOf({ ...record, off: [{ name: "PyTorch", loss: NaN, gradientNorm: 0 }] })).toEqual([expect.stringMatching(/^PyTorch: the first loss is off/)]);
    expect(problemsOf({ ...record, allocated: 6e6 })).toEqual(["the memory plan says 5000000 bytes, 6000000 are allocated"]);
    expect(problemsOf({ ...record, objects: { createBuffer: 1 } })).toEqual(["a warm step calls createBuffer 1 times"]);
  });

  it("prints speed, checks, loading and kernels", () => {
    expect(trainTables([])).toEqual([]);
    const text = trainTables([record, { ...record, trainable: "everything", torch: undefined, loading: undefined }]).map(plainTable).join("\n\n");
    expect(text).toMatch(/S: projector +2\.00 +2 +100 +20\.0 +10\.0 +30\.0 +5000 +2\.00 +40\.0 % +PyTorch +20\.0 +10\.0 +30\.0 +1\.00 x/);
    expect(text).toMatch(/S: projector +20\.0 +22\.0 +1\.100 +8\.00 +75\.0 %/);
    expect(text).toMatch(/^matmul +2 +3\.00 +75\.0 %$/m);
  });

  it("goes without PyTorch where there is none, and says so", async () => {
    await expect(Torch.start("/no/such/python")).rejects.toThrow("no PyTorch: /no/such/python cannot be run");
    await expect(Torch.start(process.execPath)).rejects.toThrow(/^no PyTorch: .* has no torch, transformers and safetensors$/);
  });
});

describe("the runner of verify:gpu", () => {
  const results = async (load: () => void): Promise<runner.TestResult[]> => {
    const all: runner.TestResult[] = [];
    await runner.runTests(async () => load(), (result) => all.push(result));
    return all;
  };

  it("runs set-up, tests and clean-up in order, and names tests by their suites", async () => {
    const order: string[] = [];
    const got = await results(() => {
      runner.describe("outer", () => {
        runner.beforeAll(() => order.push("before"));
        runner.afterAll(() => order.push("after"));
        runner.it("one", () => order.push("one"));
        runner.describe("inner", () => runner.it("two", () => order.push("two")));
      });
    });
    expect(order).toEqual(["before", "one", "two", "after"]);
    expect(got.map(({ name }) => name)).toEqual(["outer > one", "outer > inner > two"]);
    expect(got.every(({ error }) => error === undefined)).toBe(true);
  });

  it("reports what fails: a test, a set-up, a matcher it does not have", async () => {
    const got = await results(() => {
      runner.it("wrong", () => runner.expect(1, "one").toBe(2));
      runner.it("unknown", () => runner.expect(1).toBeCloseTo(1));
      runner.describe("suite", () => {
        runner.beforeAll(() => Promise.reject(new Error("no device")));
        runner.it("never", () => {});
      });
    });
    expect(got.map(({ name, error }) => [name, error])).toEqual([
      ["wrong", "one: expected 1 toBe 2"],
      ["unknown", "value: verify:gpu has no matcher toBeCloseTo; add it to bench/verify/runner.ts"],
      ["suite (set-up)", "no device"],
    ]);
  });

  it("keeps the comparison that came nearest to its limit", async () => {
    const [{ nearest }] = await results(() => {
      runner.it("compares", () => {
        runner.recordDeviation({ label: "far", share: 1, limit: 10 });
        runner.recordDeviation({ label: "near", share: 1, limit: 2 });
        runner.recordDeviation({ label: "exact", share: 0, limit: 2 });
      });
    });
    expect(nearest).toEqual({ label: "near", share: 1, limit: 2 });
  });
});

describe("the commands", () => {
  const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
  const program = (name: string): string => join(root, "dist-bench", name);
  beforeAll(() => {
    execFileSync(join(root, "node_modules/.bin/vite"), ["build", "--config", "bench/vite.config.ts"], { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("bench verifies, times and prints", () => {
    const file = join(folder, "bench.json");
    const run = spawnSync(process.execPath, [program("bench.js"), "--quick", "--no-peers", "--adapter", "swiftshader", "--only", "add,overhead", "train", "--json", file], { encoding: "utf8" });
    expect(run.stderr).not.toContain("bench:");
    expect(run.status).toBe(0);
    expect(run.stdout).toContain("encode and submit, per dispatch");
    const report = JSON.parse(readFileSync(file, "utf8")) as BenchReport;
    expect(report.failures).toEqual([]);
    expect(report.environment.adapter).toMatch(/SwiftShader/);
    expect(report.kernels.map(({ kernel, chosen }) => [kernel, chosen])).toEqual([["add", false], ["add-vec4", true]]);
    expect(Math.min(report.peaks!.copy, report.peaks!.multiplyAdd, report.overhead!.encode)).toBeGreaterThan(0);
    expect(report.trainings!.map(({ trainable, objects }) => [trainable, objects])).toEqual([["vision, projector, language", {}]]);
    for (const { planned, allocated, byKernel, multiplyAddsPerSecond } of report.trainings!) {
      expect(planned).toBe(allocated);
      expect(byKernel.length).toBeGreaterThan(20);
      expect(multiplyAddsPerSecond).toBeGreaterThan(0);
    }
  });

  it("verify:gpu runs the test files and leaves reports", () => {
    const environment = { ...process.env, LLAVA_TEST_KERNEL: "rms-norm" };
    const run = spawnSync(process.execPath, [program("verify.js"), "--out", folder, "--quick", "--adapter", "swiftshader", "--only", "kernels"], { encoding: "utf8", env: environment });
    expect(run.status).toBe(0);
    const report = JSON.parse(readFileSync(join(folder, "report.json"), "utf8")) as VerifyReport;
    expect(report.failures).toEqual([]);
    expect(report.sections[0].failed).toEqual([]);
    expect(report.sections[0].passed).toBeGreaterThan(20);
    expect(report.sections[0].nearest!.share).toBeLessThanOrEqual(report.sections[0].nearest!.limit);
    expect(readFileSync(join(folder, "report.md"), "utf8")).toMatch(/^# Verified: SwiftShader/);
  });

  it("say in one line what is wrong", () => {
    const bench = spawnSync(process.execPath, [program("bench.js"), "--adapter", "no such adapter"], { encoding: "utf8" });
    expect(bench.status).toBe(1);
    expect(bench.stderr).toMatch(/^bench: adapter: expected one with "no such adapter" in its name, found .*$/m);
    const verify = spawnSync(process.execPath, [program("verify.js")], { encoding: "utf8" });
    expect(verify.status).toBe(1);
    expect(verify.stderr).toContain("--out <folder>");
  });
});
