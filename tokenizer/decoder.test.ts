import { describe, expect, it } from "vitest";
import { createDecoder, hasByteFallback, isByteToken } from "./decoder.ts";
import { TokenizerError } from "./error.ts";

describe("createDecoder", () => {
  it("Metaspace drops the marks of the first piece, unless nothing was put in front", () => {
    const pieces = ["▁▁a", "▁b▁", "c"];
    for (const spec of [{}, { prepend_scheme: "first" }, { prepend_scheme: "always" }, { add_prefix_space: true }]) {
      expect(createDecoder({ type: "Metaspace", replacement: "▁", ...spec })(pieces)).toEqual(["a", " b ", "c"]);
    }
    for (const spec of [{ prepend_scheme: "never" }, { add_prefix_space: false }]) {
      expect(createDecoder({ type: "Metaspace", replacement: "▁", ...spec })(pieces)).toEqual(["  a", " b ", "c"]);
    }
  });

  it("Strip cuts at most so many characters off either end of each piece", () => {
    const strip = createDecoder({ type: "Strip", content: "-", start: 1, stop: 2 });
    expect(strip(["--a---", "a", "-", "", "--"])).toEqual(["-a-", "a", "", "", ""]);
  });

  it("Replace takes a text or a pattern, and its content literally", () => {
    const text = createDecoder({ type: "Replace", pattern: { String: "." }, content: "$&" });
    expect(text(["a.b."])).toEqual(["a$&b$&"]);
    const pattern = createDecoder({ type: "Replace", pattern: { Regex: "[ab]+" }, content: "x" });
    expect(pattern(["abcab"])).toEqual(["xcx"]);
  });

  it("ByteFallback joins runs of byte tokens; an ill-formed run becomes one U+FFFD a byte", () => {
    const decode = createDecoder({ type: "ByteFallback" });
    const pieces = ["<0xC3>", "<0xa9>", "x", "<0x41>", "<0xFF>", "<0xGG>"];
    expect(decode(pieces)).toEqual(["é", "x", "\uFFFD\uFFFD", "<0xGG>"]);
    expect(decode(["<0xEF>", "<0xBB>", "<0xBF>"])).toEqual(["\uFEFF"]);
  });

  it("ByteLevel reads GPT-2's alphabet; other tokens stand for themselves, and bytes may meet across tokens", () => {
    const decode = createDecoder({ type: "ByteLevel" });
    expect(decode(["ĠaÃ", "©Ċ"])).toEqual([" aé\n"]);
    expect(decode(["Ã", "<|a b|>", "日", "ï»¿"])).toEqual(["\uFFFD<|a b|>日\uFEFF"]);
    const everyByte = Array.from({ length: 256 }, (_, byte) => byte);
    const alphabet = everyByte.filter((byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173));
    const characters = alphabet.map((byte) => String.fromCharCode(byte)).join("") + everyByte.slice(0, 68)
      .map((i) => String.fromCharCode(256 + i)).join("");
    expect(new Set(characters).size).toBe(256);
    expect(decode([characters])[0]).not.toContain("Ā");
  });

  it("Sequence runs its steps in order; without an entry pieces are joined with spaces", () => {
    const steps = [{ type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }];
    expect(createDecoder({ type: "Sequence", decoders: steps })([" a", " b"])).toEqual(["a b"]);
    expect(createDecoder(null)(["a", "b"])).toEqual(["a b"]);
    expect(createDecoder(undefined)([])).toEqual([""]);
  });

  it.each([
    [3, /expected an object, got number/],
    [{}, /expected Sequence, .* got type undefined/],
    [{ type: "WordPiece" }, /got type "WordPiece"/],
    [{ type: "Sequence" }, /expects a list/],
    [{ type: "Sequence", decoders: [null, { type: "?" }] }, /got type "\?"/],
    [{ type: "Replace", content: "" }, /expects a pattern/],
    [{ type: "Replace", pattern: {}, content: "" }, /String or Regex/],
    [{ type: "Replace", pattern: { Regex: "(" }, content: "" }, /valid pattern/],
    [{ type: "Strip", start: 1 }, /expects a content/],
    [{ type: "Metaspace", replacement: "" }, /expects a replacement/],
  ])("refuses %j", (spec, message) => {
    expect(() => createDecoder(spec)).toThrow(message);
    expect(() => createDecoder(spec)).toThrow(TokenizerError);
  });
});

it("byte tokens are told from others, and byte fallback from its absence", () => {
  expect(["<0x00>", "<0xfF>", "<0x0>", "<0x000>", "a<0x00>", "0x00"].map(isByteToken)).toEqual(
    [true, true, false, false, false, false],
  );
  expect(hasByteFallback({ type: "Sequence", decoders: [{ type: "Fuse" }, { type: "ByteFallback" }] })).toBe(true);
  expect([null, {}, { type: "ByteLevel" }, { decoders: 3 }].some(hasByteFallback)).toBe(false);
});
