/** The benchmarks: how they time, what they write for their peers, and a short run of both commands. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { short, plainTable, markdownTable } from "../bench/format.ts";
import { verifyWorkload } from "../bench/kernels.ts";
import { median, race, speedup } from "../bench/measure.ts";
import { matmulCall } from "../bench/peers/calls.ts";
import { integer, block } from "../bench/peers/protobuf.ts";
import type { BenchReport } from "../bench/records.ts";
import type { VerifyReport } from "../bench/verify/report.ts";
import * as runner from "../bench/verify/runner.ts";
import { workloads } from "../bench/workloads.ts";
import { Gpu } from "../src/gpu/gpu.ts";
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

  const [add] = workloads(true).filter(({ label }) => label.startsWith("add"));

  it("passes right results on", async () => {
    const failures: string[] = [];
    const verified = await verifyWorkload(gpu, add, (message) => failures.push(message));
    expect(failures).toEqual([]);
    expect(verified.map(({ work }) => work.kernel.name)).toEqual(add.family.variants.map(({ name }) => name));
  });

  it("reports wrong ones and leaves them out", async () => {
    const failures: string[] = [];
    const reference: typeof add.family.reference = (inputs, params) => ({ y: add.family.reference(inputs, params).y.map((value) => value + 1) });
    const verified = await verifyWorkload(gpu, { ...add, family: { ...add.family, reference } }, (message) => failures.push(message));
    expect(verified).toEqual([]);
    expect(failures).toHaveLength(add.family.variants.length);
    expect(failures[0]).toMatch(/^add 66560: add f32: off by [\d.e+-]+ of the largest value, allowed/);
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
    const run = spawnSync(process.execPath, [program("bench.js"), "--quick", "--no-peers", "--adapter", "swiftshader", "--only", "add,overhead", "--json", file], { encoding: "utf8" });
    expect(run.stderr).not.toContain("bench:");
    expect(run.status).toBe(0);
    expect(run.stdout).toContain("encode and submit, per dispatch");
    const report = JSON.parse(readFileSync(file, "utf8")) as BenchReport;
    expect(report.failures).toEqual([]);
    expect(report.environment.adapter).toMatch(/SwiftShader/);
    expect(report.kernels.map(({ kernel, chosen }) => [kernel, chosen])).toEqual([["add", false], ["add-vec4", true]]);
    expect(Math.min(report.peaks!.copy, report.peaks!.multiplyAdd, report.overhead!.encode)).toBeGreaterThan(0);
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
