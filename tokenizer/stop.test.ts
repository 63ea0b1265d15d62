import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenizerError } from "./error.ts";
import { StopStrings } from "./stop.ts";

function run(stops: string[], pieces: string[]): { text: string; stopped: boolean } {
  const search = new StopStrings(stops);
  let text = "";
  let stopped = false;
  for (const piece of pieces) {
    const given = search.push(piece);
    text += given.text;
    stopped = given.stopped;
  }
  return { text: text + search.end(), stopped };
}

/** The definition, character by character: the first end at which some stop string is complete, its earliest start. */
function reference(stops: string[], text: string): { text: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const starts = stops.filter((stop) => text.slice(0, end).endsWith(stop)).map((stop) => end - stop.length);
    if (starts.length > 0) return { text: text.slice(0, Math.min(...starts)), stopped: true };
  }
  return { text, stopped: false };
}

describe("StopStrings", () => {
  it("holds back what may be the beginning of a stop string", () => {
    const search = new StopStrings(["</s>", "###"]);
    expect(search.push("cat <")).toEqual({ text: "cat ", stopped: false });
    expect(search.push("/b>")).toEqual({ text: "</b>", stopped: false });
    expect(search.push("#")).toEqual({ text: "", stopped: false });
    expect(search.push("#!##")).toEqual({ text: "##!", stopped: false });
    expect(search.push("# dog")).toEqual({ text: "", stopped: true });
    expect(search.push("more")).toEqual({ text: "", stopped: true });
    expect(search.end()).toBe("");
  });

  it("gives what it held back at the end", () => {
    const search = new StopStrings(["###"]);
    expect(search.push("a##")).toEqual({ text: "a", stopped: false });
    expect(search.end()).toBe("##");
    expect(search.end()).toBe("");
  });

  it("takes the stop string that is complete first, and of those the longest", () => {
    expect(run(["abcd", "c"], ["abcd"])).toEqual({ text: "ab", stopped: true });
    expect(run(["c", "bc", "abc"], ["xab", "cd"])).toEqual({ text: "x", stopped: true });
    expect(run(["aab"], ["aaab"])).toEqual({ text: "a", stopped: true });
  });

  it("lets everything through without stop strings", () => {
    expect(run([], ["a", "", "b"])).toEqual({ text: "ab", stopped: false });
  });

  it("refuses an empty stop string", () => {
    expect(() => new StopStrings(["a", ""])).toThrow(TokenizerError);
  });

  it("agrees with a search of the whole text, however it is split", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "🙂"), maxLength: 5 });
    const stops = fc.array(letters.filter((stop) => stop !== ""), { maxLength: 4 });
    fc.assert(
      fc.property(stops, fc.array(letters, { maxLength: 8 }), (strings, pieces) => {
        const text = pieces.join("");
        const expected = reference(strings, text);
        expect(run(strings, pieces)).toEqual(expected);
        expect(run(strings, [text])).toEqual(expected);
      }),
      { numRuns: 2000, seed: 6 },
    );
  });
});
