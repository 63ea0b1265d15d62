/** The README's snippets are files, and they run. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");
const snippets = [...readme.matchAll(/<!-- file: (\S+) -->\n```js\n([\s\S]*?)```/g)].map(([, file, code]) => ({ file: file!, code: code! }));

/** What the output of each must hold. */
const shows: Record<string, RegExp> = {
  "examples/answer.mjs": /apple/,
  "examples/inspect.mjs": /language\.layers\.2\.attention\.probabilities \[6, \d+, \d+\]/,
  "examples/train.mjs": /Nobody so far\./,
};

describe("README", () => {
  it("has snippets", () => expect(snippets.map(({ file }) => file)).toEqual(["examples/answer.mjs", "examples/inspect.mjs", "examples/train.mjs"]));

  for (const { file, code } of snippets) {
    it(`${file} stands there as it is, and runs`, () => {
      expect(code).toBe(readFileSync(root + file, "utf8"));
      const output = execFileSync("node", [file], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
      expect(output).toMatch(shows[file]!);
    });
  }

  it("links to files that exist", () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!);
    expect(links.filter((path) => !existsSync(root + path))).toEqual([]);
    expect(links.length).toBeGreaterThan(5);
  });
});
