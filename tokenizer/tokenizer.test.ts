import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { LlavaError } from "../errors/index.ts";
import { goldenTokenizer, readGolden, tokenizerNames } from "../test/golden/text/read.ts";
import type { Tokenization } from "../test/golden/text/read.ts";
import { TokenizerError } from "./error.ts";
import type { TokenizerFolder } from "./folder.ts";
import { Tokenizer } from "./tokenizer.ts";

const { strings } = readGolden<{ strings: string[] }>("strings.json");
const folderOf = (name: string) => fileURLToPath(new URL(`../test/golden/text/tokenizers/${name}`, import.meta.url));

function memory(files: Record<string, string>): TokenizerFolder {
  return { has: async (name) => name in files, text: async (name) => files[name] };
}

describe.each(tokenizerNames)("goldens of %s", (name) => {
  const tokenizer = goldenTokenizer(name);
  const golden = readGolden<Tokenization>(`tokenization-${name}.json`);

  it("gives the ids of every string", () => {
    expect(golden.rows).toHaveLength(strings.length);
    expect(strings.map((text) => tokenizer.encode(text))).toEqual(golden.rows.map((row) => row.ids));
  });

  it("gives the text of every row, with and without special tokens", () => {
    for (const { ids, decoded, decoded_skip_special } of golden.rows) {
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(decoded);
      expect(tokenizer.decode(ids)).toBe(decoded_skip_special);
    }
  });

  it("gives the text of random ids, ill-formed bytes included", () => {
    for (const { ids, decoded, prefixes_skip_special } of golden.random_ids) {
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(decoded);
      expect(ids.map((_, k) => tokenizer.decode(ids.slice(0, k + 1)))).toEqual(prefixes_skip_special);
    }
  });

  it("knows its size, and every id by its token", () => {
    expect(tokenizer.size).toBe(golden.vocab_size);
    for (let id = 0; id < tokenizer.size; id++) expect(tokenizer.idOf(tokenizer.tokenOf(id) ?? "")).toBe(id);
    expect(tokenizer.tokenOf(tokenizer.size)).toBeUndefined();
    expect(tokenizer.idOf("no such token")).toBeUndefined();
  });

  it("encodes any text, and decode brings it back up to the first space and NFC", () => {
    const unit = fc.oneof({ weight: 4, arbitrary: fc.string({ unit: "binary" }) }, fc.constantFrom(...strings));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 4 }), (parts) => {
        const text = parts.join("");
        const ids = tokenizer.encode(text, { addSpecialTokens: false });
        expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.size)).toBe(true);
        const unspecial = ids.every((id) => !tokenizer.specialIds.has(id));
        if (unspecial && name !== "llama-metaspace" && !text.includes("\u2581")) {
          expect(tokenizer.decode(ids).normalize()).toBe(text.normalize());
        }
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it("reads lone surrogates as U+FFFD", () => {
    const unit = fc.integer({ min: 0xd7f0, max: 0xe010 }).map((code) => String.fromCharCode(code));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), (units) => {
        const text = units.join("");
        const wellFormed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text));
        expect(tokenizer.encode(text)).toEqual(tokenizer.encode(wellFormed));
      }),
      { numRuns: 150, seed: 2 },
    );
  });

  it("decodes any ids: those without a token give nothing", () => {
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.decode([-200, tokenizer.size, 1e9, 0.5, NaN, -1])).toBe("");
    const ids = tokenizer.encode("the cat", { addSpecialTokens: false });
    expect(tokenizer.decode(Int32Array.from([-200, ...ids, tokenizer.size + 5]))).toBe("the cat");
  });
});

describe("special tokens", () => {
  it("come from tokenizer_config.json", () => {
    const llama = goldenTokenizer("llama");
    expect([llama.bosToken, llama.eosToken, llama.padToken, llama.unkToken]).toEqual(["<s>", "</s>", "<pad>", "<unk>"]);
    expect([...llama.specialIds]).toEqual([0, 1, 2, 440, 441]);
    const qwen = goldenTokenizer("qwen");
    expect([qwen.bosToken, qwen.eosToken]).toEqual([undefined, "<|im_end|>"]);
  });

  it("come from special_tokens_map.json otherwise, as text or as an object", () => {
    const tokenizer = Tokenizer.fromJSON(readGolden("tokenizers/llama/tokenizer.json"), { bos_token: null }, {
      specialTokensMap: { bos_token: { content: "<s>", lstrip: false }, eos_token: "</s>" },
    });
    expect([tokenizer.bosToken, tokenizer.eosToken, tokenizer.padToken]).toEqual(["<s>", "</s>", undefined]);
  });

  it("are added on request only", () => {
    const llama = goldenTokenizer("llama");
    expect(llama.encode("", { addSpecialTokens: false })).toEqual([]);
    expect(llama.encode("")).toEqual([1]);
    expect(llama.encode("<s>a", { addSpecialTokens: false })[0]).toBe(1);
  });
});

describe("Tokenizer.load", () => {
  it("reads a folder and a file by path", async () => {
    for (const path of [folderOf("llama"), `${folderOf("llama")}/tokenizer.json`]) {
      const tokenizer = await Tokenizer.load(path);
      expect(tokenizer.encode("the cat")).toEqual(goldenTokenizer("llama").encode("the cat"));
      expect(tokenizer.eosToken).toBe("</s>");
    }
  });

  it("reads a file of another name alone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "llava-tokenizer-"));
    try {
      await writeFile(join(folder, "mine.json"), JSON.stringify(readGolden("tokenizers/llama/tokenizer.json")));
      await writeFile(join(folder, "tokenizer_config.json"), "{}");
      const tokenizer = await Tokenizer.load(join(folder, "mine.json"));
      expect([tokenizer.size, tokenizer.bosToken]).toEqual([442, undefined]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("reads any object with has and text", async () => {
    const json = JSON.stringify(readGolden("tokenizers/qwen/tokenizer.json"));
    const bare = await Tokenizer.load(memory({ "tokenizer.json": json }));
    expect([bare.size, bare.eosToken]).toEqual([435, undefined]);
    const whole = await Tokenizer.load(
      memory({ "tokenizer.json": json, "special_tokens_map.json": '{"eos_token":"<|im_end|>"}' }),
    );
    expect(whole.eosToken).toBe("<|im_end|>");
  });

  it("names what is missing", async () => {
    const nowhere = Tokenizer.load("/no/such/folder");
    await expect(nowhere).rejects.toThrow(/expected a folder or a tokenizer.json at "\/no\/such/);
    await expect(Tokenizer.load(memory({}))).rejects.toThrow(/expected tokenizer.json, got no such file/);
    const sentencePiece = Tokenizer.load(memory({ "tokenizer.model": "" }));
    await expect(sentencePiece).rejects.toThrow(/expected tokenizer.json, got only tokenizer.model/);
    await expect(sentencePiece).rejects.toMatchObject({ name: "TokenizerError", file: "tokenizer.json" });
  });

  it("names the file that is not JSON", async () => {
    const broken = memory({ "tokenizer.json": "{}", "tokenizer_config.json": "{" });
    await expect(Tokenizer.load(broken)).rejects.toThrow(/^tokenizer_config.json: expected JSON/);
    await expect(Tokenizer.load(memory({ "tokenizer.json": "" }))).rejects.toBeInstanceOf(TokenizerError);
  });

  it("says in a browser that it cannot read paths", async () => {
    vi.stubGlobal("process", undefined);
    try {
      await expect(Tokenizer.load("model")).rejects.toThrow(/a path can be read in Node only, got "model"/);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});

describe("Tokenizer.fromJSON on what is not a tokenizer", () => {
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  it.each([
    [null, /expected an object, got null/],
    [[], /got a list/],
    [{}, /expected a model with a vocab/],
    [{ model: { type: "BPE", vocab: { a: -1 }, merges: [] } }, /expected an id for token "a", got -1/],
    [{ model: { type: "BPE", vocab: { a: 1e15 }, merges: [] } }, /expected an id/],
    [{ model, added_tokens: {} }, /added_tokens must be a list/],
    [{ model, added_tokens: [{ id: 1 }] }, /needs an id and a content/],
    [{ model, decoder: { type: "CTC" } }, /decoder: expected Sequence, .* got type "CTC"/],
    [{ model, normalizer: { type: "Nope" } }, /expected a tokenizer that can be built/],
    [{ model: { type: "BPE", vocab: { a: 0 } } }, /expected a tokenizer that can be built/],
  ])("%j", (json, message) => {
    expect(() => Tokenizer.fromJSON(json)).toThrow(message);
    expect(() => Tokenizer.fromJSON(json)).toThrow(TokenizerError);
  });

  it("takes a minimal one, without the optional entries", () => {
    const tokenizer = Tokenizer.fromJSON({ model, added_tokens: [{ id: 7, content: "" }] });
    expect(tokenizer.encode("aba")).toEqual([0, 0]);
    expect(tokenizer.decode([0, 0])).toBe("a a");
    expect(tokenizer.size).toBe(1);
  });

  it("gives a TokenizerError or works, whatever is put in one place of the file", () => {
    const original = JSON.stringify(readGolden("tokenizers/llama3/tokenizer.json"));
    const paths: (string | number)[][] = [];
    const walk = (value: unknown, path: (string | number)[]) => {
      if (path.length > 0) paths.push(path);
      // Of the long lists, one entry is enough.
      if (path.at(-1) === "vocab" || path.at(-1) === "merges") return void paths.push([...path, 0], [...path, "a"]);
      if (typeof value === "object" && value !== null) {
        for (const [key, item] of Object.entries(value)) walk(item, [...path, key]);
      }
    };
    walk(JSON.parse(original), []);
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), (path, value) => {
        const json = JSON.parse(original);
        let parent = json;
        for (const key of path.slice(0, -1)) parent = parent[key];
        parent[path.at(-1) as string] = value;
        try {
          const tokenizer = Tokenizer.fromJSON(json);
          const ids = tokenizer.encode("the cat <image> 12\n");
          expect(typeof tokenizer.decode(ids)).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(LlavaError);
        }
      }),
      { numRuns: 400, seed: 3 },
    );
    warn.mockRestore();
  });

  it("refuses to encode what is not text", () => {
    expect(() => goldenTokenizer("llama").encode(3 as unknown as string)).toThrow(/encode: expected text, got number/);
  });
});
