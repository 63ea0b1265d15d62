/** Calls that are stopped, meet each other, or lose their device: each ends as promised and leaves the rest as it was. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { LlavaError } from "../../errors/index.ts";
import { ContextError } from "../../src/generate/errors.ts";
import type { GenerateResult } from "../../src/generate/generate.ts";
import { Runtime } from "../../src/generate/runtime.ts";
import { chooseAdapter } from "../../src/gpu/adapter.ts";
import { DeviceLostError } from "../../src/gpu/error.ts";
import { PromptError } from "../../src/input/prompt.ts";
import { Llava } from "../../src/llava.ts";
import { DisposedError } from "../../src/turns.ts";
import { expectTrouble, tinyCheckpoint, withJson } from "../harness/checkpoints.ts";

const adapter = "swiftshader";
const image = { width: 5, height: 7, data: Uint8Array.from({ length: 105 }, (_, i) => i) };
const seeing = { prompt: "USER: <image>\nWhat is this? ASSISTANT:", template: "none", images: [image] };
const plain = { prompt: "Hello there", template: "none" };
const budget = { maxNewTokens: 6 };

const loadText = () => Llava.load(tinyCheckpoint("decoder-llama"), { adapter });
const facts = ({ text, tokens, promptTokens, finishReason }: GenerateResult) => ({ text, tokens, promptTokens, finishReason });

/** Runs `then` when the n-th call of a method of `Runtime` begins. */
function atCall(method: "see" | "extend", n: number, then: () => void): void {
  const real = Runtime.prototype[method] as (...args: never[]) => Promise<never>;
  let calls = 0;
  vi.spyOn(Runtime.prototype, method).mockImplementation(function (this: Runtime, ...args: never[]) {
    if (++calls === n) then();
    return real.apply(this, args);
  } as never);
}

afterEach(() => vi.restoreAllMocks());

describe("calls of one model", () => {
  let llava: Llava;
  let wanted: ReturnType<typeof facts>;
  beforeAll(async () => {
    llava = await Llava.load(tinyCheckpoint("llava-clip-llama"), { adapter });
    wanted = facts(await llava.generate(seeing, budget));
  });
  afterAll(() => llava.dispose());
  // Whatever happened: the next call gives what the first one gave.
  afterEach(async () => expect(facts(await llava.generate(seeing, budget))).toEqual(wanted));

  it("end as aborted if the signal came first", async () => {
    const result = await llava.generate(seeing, { ...budget, signal: AbortSignal.abort() });
    expect(facts(result)).toEqual({ text: "", tokens: [], promptTokens: 0, finishReason: "aborted" });
    await expect(llava.forward(seeing, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    await expect(llava.prepare(seeing, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  const moments: [what: string, method: "see" | "extend", call: number, tokens: number][] = [
    ["in the vision tower", "see", 1, 0],
    ["while the prompt is read", "extend", 1, 0],
    ["while the answer is written", "extend", 3, 3],
  ];
  for (const [what, method, call, tokens] of moments) {
    it(`end as aborted ${what}, with what there is`, async () => {
      const stop = new AbortController();
      atCall(method, call, () => stop.abort());
      const result = await llava.generate(seeing, { ...budget, topLogits: 1, signal: stop.signal });
      expect(result).toMatchObject({ finishReason: "aborted", tokens: wanted.tokens.slice(0, tokens), promptTokens: wanted.promptTokens });
      expect(result.steps).toHaveLength(tokens);
    });
  }

  it("end as aborted between two pieces of a stream", async () => {
    const stop = new AbortController();
    const answer = llava.stream(seeing, { maxNewTokens: 50, signal: stop.signal });
    const first = await answer.next();
    expect(first.done).toBe(false);
    stop.abort();
    let step = await answer.next();
    while (!step.done) step = await answer.next();
    expect(step.value).toMatchObject({ finishReason: "aborted" });
    expect(step.value.tokens.length).toBeLessThan(50);
  });

  it("throw an error that came with the signal, but is not its reason", async () => {
    const stop = new AbortController();
    vi.spyOn(Runtime.prototype, "extend").mockImplementation(async () => {
      stop.abort();
      throw new PromptError("something else");
    });
    await expectTrouble(llava.generate(seeing, { ...budget, signal: stop.signal }), PromptError, /something else/);
    vi.restoreAllMocks();
  });

  it("wait for each other and come out in order, each right", async () => {
    const alone = facts(await llava.generate(plain, budget));
    const order: string[] = [];
    const named = <T>(name: string, doing: Promise<T>) => doing.finally(() => order.push(name));
    const [first, second, logits, third] = await Promise.all([
      named("first", llava.generate(seeing, budget)),
      named("second", llava.generate(plain, budget)),
      named("forward", llava.forward(plain)),
      named("third", llava.generate(seeing, budget)),
    ]);
    expect(order).toEqual(["first", "second", "forward", "third"]);
    expect([facts(first), facts(second), facts(third)]).toEqual([wanted, alone, wanted]);
    expect(logits.logits.shape).toEqual([1, llava.config.text.vocabulary]);
  });

  it("go on after one that failed", async () => {
    const results = await Promise.allSettled([
      llava.generate({ ...seeing, images: [] }, budget),
      llava.generate(seeing, { maxNewTokens: 0 }),
      llava.generate(seeing, budget),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  });

  it("go on after a stream that was left half-way", async () => {
    for await (const piece of llava.stream(seeing, { maxNewTokens: 50 })) {
      expect(piece).not.toBe("");
      break;
    }
    const unread = llava.stream(seeing, budget);
    await unread.return({} as GenerateResult);
    const failing = async () => {
      for await (const piece of llava.stream(seeing, budget)) throw new RangeError(piece);
    };
    await expect(failing()).rejects.toThrow(RangeError);
  });

  it("can be aborted while they wait for a stream that nobody reads", async () => {
    const unread = llava.stream(seeing, { maxNewTokens: 50 });
    await unread.next();
    const stop = new AbortController();
    const waiting = [llava.generate(plain, { ...budget, signal: stop.signal }), llava.generate(plain, { ...budget, signal: stop.signal })];
    const passing = llava.generate(plain, budget);
    stop.abort();
    for (const result of await Promise.all(waiting)) expect(result.finishReason).toBe("aborted");
    await unread.return({} as GenerateResult);
    expect((await passing).finishReason).not.toBe("aborted");
  });
});

describe("dispose", () => {
  const everything = (llava: Llava): Promise<unknown>[] => [
    llava.generate(plain),
    llava.stream(plain).next(),
    llava.forward(plain),
    llava.prepare(plain),
    llava.explain(),
  ];

  it("ends a running call and the ones behind it; all later calls reject", async () => {
    const llava = await loadText();
    let disposed: Promise<void> | undefined;
    atCall("extend", 2, () => (disposed = llava.dispose()));
    const results = await Promise.allSettled([llava.generate(plain, { maxNewTokens: 50 }), llava.generate(plain), llava.forward(plain), llava.explain()]);
    for (const result of results) expect(result).toMatchObject({ status: "rejected", reason: { name: "DisposedError" } });
    await disposed;
    expect(llava.dispose()).toBe(disposed);
    for (const doing of everything(llava)) await expectTrouble(doing, DisposedError, /this model was disposed; load it again/);
  });

  it("does not wait for a stream that nobody reads; reading on is an error", async () => {
    const llava = await loadText();
    const answer = llava.stream(plain, { maxNewTokens: 50 });
    await answer.next();
    const waiting = llava.generate(plain);
    waiting.catch(() => {});
    await llava.dispose();
    await expectTrouble(answer.next(), DisposedError, /disposed/);
    await expectTrouble(waiting, DisposedError, /disposed/);
  });

  it("wins over a signal of the caller's", async () => {
    const llava = await loadText();
    const stop = new AbortController();
    atCall("extend", 2, () => {
      stop.abort();
      void llava.dispose();
    });
    await expectTrouble(llava.generate(plain, { maxNewTokens: 50, signal: stop.signal }), DisposedError, /disposed/);
  });
});

describe("a device that is lost", () => {
  const device = async () => (await chooseAdapter(adapter)).adapter.requestDevice();

  for (const [what, method, call] of [["in the vision tower", "see", 1], ["while the prompt is read", "extend", 1], ["while the answer is written", "extend", 3]] as const) {
    it(`${what} is an error of this and all later calls; dispose still works`, async () => {
      const own = await device();
      const llava = await Llava.load(tinyCheckpoint("llava-clip-llama"), { device: own });
      atCall(method, call, () => own.destroy());
      await expectTrouble(llava.generate(seeing, { maxNewTokens: 8 }), DeviceLostError, /the GPU device was lost .*; load the model again/);
      await expectTrouble(llava.generate(plain), DeviceLostError, /was lost/);
      await expectTrouble(llava.forward(plain, { capture: ["**"] }), DeviceLostError, /was lost/);
      expect((await llava.prepare(seeing)).pixelValues).toHaveLength(1);
      await llava.dispose();
    });
  }

  it("while weights are loaded is an error", async () => {
    const own = await device();
    const loading = Llava.load(tinyCheckpoint("decoder-llama"), { device: own, onProgress: ({ done }) => done > 0 && own.destroy() });
    await expectTrouble(loading, DeviceLostError, /was lost/);
  });

  it("while nothing runs is an error of the next call", async () => {
    const own = await device();
    const llava = await Llava.load(tinyCheckpoint("decoder-llama"), { device: own });
    await llava.generate(plain, { maxNewTokens: 2 });
    own.destroy();
    await expectTrouble(llava.generate(plain), DeviceLostError, /was lost/);
    await llava.dispose();
  });
});

describe("the end of the context", () => {
  let llava: Llava;
  beforeAll(async () => {
    const files = await withJson(tinyCheckpoint("decoder-llama"), "config.json", (config) => {
      config.max_position_embeddings = 40;
      config.eos_token_id = -1;
    });
    llava = await Llava.load(files, { adapter });
  });
  afterAll(() => llava.dispose());

  it("ends an answer with the reason length", async () => {
    const { finishReason, tokens, promptTokens } = await llava.generate(plain);
    expect(finishReason).toBe("length");
    expect(promptTokens + tokens.length).toBe(40);
  });

  it("refuses a longer prompt, with both numbers, and takes the next one", async () => {
    const long = { prompt: "Hello there ".repeat(20), template: "none" };
    const error = await expectTrouble(llava.generate(long), ContextError, /expected at most 40 tokens \(the context of this model\), got \d+; shorten the prompt/);
    expect((error as ContextError).limit).toBe(40);
    await expectTrouble(llava.forward(long), ContextError, /expected at most 40 tokens/);
    expect((await llava.generate(plain, { maxNewTokens: 2 })).tokens).toHaveLength(2);
  });

  it("takes a prompt that fills it, and adds one token", async () => {
    const { inputIds } = await llava.prepare(plain);
    const filling = (count: number) => ({ prompt: `Hello there${" Hello".repeat(count)}`, template: "none" });
    const perWord = (await llava.prepare(filling(2))).inputIds.length - (await llava.prepare(filling(1))).inputIds.length;
    const count = Math.floor((40 - inputIds.length) / perWord);
    const { promptTokens, tokens } = await llava.generate(filling(count));
    expect(promptTokens + tokens.length).toBe(Math.max(40, promptTokens + 1));
    expect(promptTokens).toBeGreaterThan(40 - perWord);
  });
});

it("every error of the library is a LlavaError with its own name", async () => {
  const names = Object.entries(await import("../../src/index.ts")).filter(([name]) => name.endsWith("Error"));
  expect(names.length).toBeGreaterThan(10);
  for (const [, kind] of names) expect((kind as typeof LlavaError).prototype instanceof LlavaError || kind === LlavaError).toBe(true);
});
