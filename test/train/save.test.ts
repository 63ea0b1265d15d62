/** A trained model as a folder: every tensor under its own name, and nothing but whole folders, whatever happens. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { chooseAdapter } from "../../src/gpu/adapter.ts";
import { Llava } from "../../src/index.ts";
import { addLora, loadLora, saveLora, Trainer } from "../../src/train/index.ts";
import { blobSink, Checkpoint, createFile, fromFloat32, openFolder, toFloat32, WeightError } from "../../weights/index.ts";
import { testAdapters } from "../harness/adapters.ts";
import { expectTrouble, tinyCheckpoint } from "../harness/checkpoints.ts";
import { goldenPath } from "../harness/golden.ts";
import { readBatch } from "../harness/training.ts";

const source = goldenPath("training/model/llava");
const root = mkdtempSync(join(tmpdir(), "llava-save-"));
afterAll(() => rmSync(root, { recursive: true }));

const [found] = await testAdapters();
const adapter = found!.name;
const batch = await readBatch(join(source, "batch.safetensors"));
const learningRate = 1e-2;

/** Tensors of a folder by their own names. */
async function tensorsOf(folder: string) {
  const checkpoint = await Checkpoint.open(await openFolder(folder), { rename: (name) => name });
  const tensors = new Map<string, { dtype: string; shape: readonly number[]; bytes: Uint8Array }>();
  for (const name of checkpoint.names()) tensors.set(name, { ...checkpoint.info(name), bytes: await checkpoint.read(name) });
  await checkpoint.close();
  return tensors;
}

const filesOf = (folder: string) => Object.fromEntries(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]));

describe(`saving on ${adapter}`, () => {
  it("writes what learnt in any stage, copies the rest, and loads to the same logits", async () => {
    const folder = join(root, "stages");
    const llava = await Llava.load(source, { adapter });
    const first = await Trainer.create(llava, { trainable: ["projector"], learningRate });
    await first.step(batch);
    const projector = await first.parameters();
    await first.dispose();
    const second = await Trainer.create(llava, { trainable: ["**.layers.1.self_attn.q_proj.weight"], learningRate });
    await second.step(batch);
    const values = { ...projector, ...(await second.parameters()) };
    await second.save(folder);
    await second.dispose();

    const [before, after] = [await tensorsOf(source), await tensorsOf(folder)];
    expect([...after.keys()]).toEqual([...before.keys()]);
    let changed = 0;
    for (const [name, { dtype, shape, bytes }] of before) {
      const got = after.get(name)!;
      expect({ dtype: got.dtype, shape: got.shape }, name).toEqual({ dtype, shape });
      const want = Object.hasOwn(values, name) ? fromFloat32(values[name]!.data, "F32") : bytes;
      expect(Buffer.compare(got.bytes, want), name).toBe(0);
      if (Buffer.compare(got.bytes, bytes) !== 0) changed++;
    }
    // Two matrices and two biases of the projector; one query matrix of the tower (its layer 1) and of the decoder each.
    expect(changed).toBe(Object.keys(values).length);
    expect(readdirSync(folder).sort()).toEqual(readdirSync(source).filter((file) => !/^(batch|forward|gradients)\./.test(file)).sort());

    const request = { prompt: "<s>what is it", template: "none" };
    const { logits } = await llava.forward(request);
    await llava.dispose();
    const loaded = await Llava.load(folder, { adapter });
    expect((await loaded.forward(request)).logits.data).toEqual(logits.data);
    await loaded.dispose();
  });

  it("rounds to another type if asked, in config.json too", async () => {
    const folder = join(root, "halves");
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate });
    await trainer.step(batch);
    const values = await trainer.parameters();
    await trainer.save(folder, { dtype: "bf16" });
    await trainer.dispose();
    await llava.dispose();
    const [before, after] = [await tensorsOf(source), await tensorsOf(folder)];
    for (const [name, { bytes }] of before) {
      const value = values[name]?.data ?? toFloat32(bytes, "F32");
      expect(after.get(name)!.dtype).toBe("BF16");
      expect(Buffer.compare(after.get(name)!.bytes, fromFloat32(value, "BF16")), name).toBe(0);
    }
    const config = (where: string) => readFileSync(join(where, "config.json"), "utf8");
    expect(config(folder)).toBe(config(source).replace('"dtype": "float32"', '"dtype": "bfloat16"'));
  });

  it("a model that was asked before training answers with the new weights afterwards, packed ones too", async () => {
    const folder = join(root, "packed");
    const first = await Llava.load(source, { adapter });
    await (await Trainer.create(first, { trainable: ["projector"], learningRate })).save(folder, { dtype: "f16" });
    await first.dispose();
    const llava = await Llava.load(folder, { adapter });
    const request = { prompt: "<s>what is it", template: "none" };
    const options = { maxNewTokens: 1, topLogits: 3 };
    const before = await llava.generate(request, options);
    const trainer = await Trainer.create(llava, { trainable: ["language"], learningRate });
    const same = await llava.generate(request, options);
    same.steps![0]!.top.forEach(({ logit }, i) => expect(logit).toBeCloseTo(before.steps![0]!.top[i]!.logit, 3));
    await trainer.step(batch);
    const after = await llava.generate(request, options);
    expect(after.steps![0]!.top).not.toEqual(before.steps![0]!.top);
    await trainer.dispose();
    await llava.dispose();
  });

  it("saves a folder of files in a page, and refuses an unknown type", async () => {
    const llava = await Llava.load(tinyCheckpoint("llava-clip-llama-shards-bfloat16"), { adapter });
    const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate });
    const sinks = new Map<string, ReturnType<typeof blobSink>>();
    const sink = (file: string) => {
      sinks.set(file, blobSink(file));
      return sinks.get(file)!;
    };
    // Without adapters everything is merged.
    await trainer.save(sink, { merged: true });
    const again = await Llava.load(new Map([...sinks].map(([file, { blob }]) => [file, blob()])), { adapter });
    expect(again.config).toEqual(llava.config);
    await again.dispose();
    await expect(trainer.save(sink, { dtype: "int3" as never })).rejects.toThrow(/dtype: expected .*"int3"/);
    await trainer.dispose();
    await llava.dispose();
  });

  it("keeps the old folder, and nothing of the new one, when the disk is full", async () => {
    const folder = join(root, "full");
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate });
    await trainer.save(folder);
    await trainer.checkpoint(folder);
    const before = filesOf(folder);
    await trainer.step(batch);
    const full = async (file: string) => {
      const sink = await createFile(join(folder, file));
      const write = async (bytes: Uint8Array) => {
        if (!/^(model|training)\./.test(file)) return sink.write(bytes);
        throw new WeightError(`cannot write ${file}: the disk is full`, { file });
      };
      return { ...sink, write };
    };
    await expectTrouble(trainer.save(full), WeightError, /the disk is full/);
    await expectTrouble(trainer.checkpoint(full), WeightError, /the disk is full/);
    expect(filesOf(folder)).toEqual(before);
    await trainer.dispose();
    await llava.dispose();
  });

  it("keeps the old adapters, with what learnt beside them, until the new ones are whole", async () => {
    const folder = join(root, "adapters");
    const llava = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(llava, { trainable: ["projector"], lora: { rank: 2 }, learningRate });
    await trainer.save(folder);
    const before = filesOf(folder);
    await trainer.step(batch);
    const stop = new AbortController();
    const enough = new Error("enough");
    const events: string[] = [];
    let failing = true;
    const watched = async (file: string) => {
      const sink = await createFile(join(folder, file));
      return {
        ...sink,
        write: async (bytes: Uint8Array) => {
          await sink.write(bytes);
          if (file !== "adapter_model.safetensors" || !failing) return;
          // What a process that is killed here would leave.
          const whole = Object.entries(filesOf(folder)).filter(([name]) => !name.endsWith(".partial"));
          expect(Object.fromEntries(whole)).toEqual(before);
          stop.abort(enough);
        },
        sync: async () => void events.push("sync"),
        close: async () => {
          events.push("close");
          await sink.close();
        },
      };
    };
    await expect(trainer.save(watched, { signal: stop.signal })).rejects.toBe(enough);
    expect(events).toEqual([]);
    expect(filesOf(folder)).toEqual(before);
    failing = false;
    await trainer.save(watched);
    // The names change one directly after another.
    expect(events).toEqual(["sync", "sync", "sync", "close", "close", "close"]);
    for (const [file, bytes] of Object.entries(filesOf(folder))) expect(bytes.equals(before[file]!), file).toBe(file === "adapter_config.json");
    await trainer.dispose();
    await llava.dispose();
  });

  it("adapters take the place of another run's whole, its projector too", async () => {
    const folder = join(root, "replaced");
    const first = await Llava.load(source, { adapter });
    const trainer = await Trainer.create(first, { trainable: ["projector"], lora: { rank: 2 }, learningRate });
    const untouched = await trainer.parameters();
    await trainer.step(batch);
    await trainer.save(folder);
    await trainer.dispose();
    await first.dispose();

    const second = await Llava.load(source, { adapter });
    await addLora(second, { rank: 3 });
    await saveLora(second, folder);
    await second.dispose();
    const third = await Llava.load(source, { adapter });
    await loadLora(third, folder);
    const reader = await Trainer.create(third, { trainable: ["projector"], lora: "loaded", learningRate });
    const loaded = await reader.parameters();
    for (const name of Object.keys(loaded).filter((one) => !one.includes("lora"))) expect(loaded[name], name).toEqual(untouched[name]);
    await reader.dispose();
    await third.dispose();
  });

  it.each([["save", "model"], ["checkpoint", "training"]])("%s keeps the old files whole when the process is killed while it writes", async (call, file) => {
    const folder = join(root, `killed-${file}`);
    const name = (await chooseAdapter(adapter)).name;
    const llava = await Llava.load(source, { adapter: name });
    const trainer = await Trainer.create(llava, { trainable: ["projector"], learningRate });
    await trainer.save(folder);
    await trainer.checkpoint(folder);
    await trainer.dispose();
    await llava.dispose();
    const before = filesOf(folder);

    // The child writes the first piece of the large file and waits there.
    const script = `
      const { Llava } = await load("src/index.ts");
      const { Trainer } = await load("src/train/index.ts");
      const { createFile } = await load("weights/index.ts");
      const llava = await Llava.load(${JSON.stringify(source)}, { adapter: ${JSON.stringify(name)} });
      const trainer = await Trainer.create(llava, { trainable: ["language"], learningRate: 1 });
      const slow = async (file) => {
        const sink = await createFile(${JSON.stringify(folder)} + "/" + file);
        if (!file.startsWith("${file}.")) return sink;
        return { ...sink, write: async (bytes) => {
          await sink.write(bytes);
          console.log("half");
          await new Promise((resolve) => setTimeout(resolve, 1e9));
        } };
      };
      await trainer.${call}(slow);`;
    const child = spawn(process.execPath, [fileURLToPath(new URL("../harness/run-source.mjs", import.meta.url)), script]);
    let complaints = "";
    child.stderr.on("data", (text: Buffer) => (complaints += text));
    child.stdout.on("data", (text: Buffer) => {
      if (text.includes("half")) child.kill("SIGKILL");
    });
    const signal = await new Promise((resolve) => child.on("close", (_, how) => resolve(how)));
    expect(signal, complaints).toBe("SIGKILL");
    const after = filesOf(folder);
    expect(Object.keys(after).filter((name) => name.startsWith(`${file}.`) && name.endsWith(".partial"))).toHaveLength(1);
    for (const [name, bytes] of Object.entries(before)) expect(Buffer.compare(after[name]!, bytes), name).toBe(0);

    // The next save and checkpoint clear away what the killed ones left.
    const next = await Llava.load(source, { adapter: name });
    const again = await Trainer.create(next, { trainable: ["projector"], learningRate });
    await again.save(folder);
    await again.checkpoint(folder);
    expect(Object.keys(filesOf(folder)).toSorted()).toEqual(Object.keys(before).toSorted());
    await again.dispose();
    await next.dispose();
  });
});
