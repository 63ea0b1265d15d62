/** The `llava` command's errors: status 1 and one line on standard error. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { version } from "../../package.json";
import { llava, sample } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "llava-errors-"));
const path = (name: string): string => join(folder, name);
const files: Record<string, string | Uint8Array> = {
  "text.png": "This is no picture, whatever its name says.",
  "empty.png": "",
  "cut.png": Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
  "broken.json": '[{ "role": "user", ]',
  "number.json": "7",
};
beforeAll(() => {
  for (const [name, content] of Object.entries(files)) writeFileSync(path(name), content);
});
afterAll(() => rmSync(folder, { recursive: true }));

const prompt = ["--prompt", "What is this?"];
const picture = ["--image", sample("apple.png")];

/** A mistake: the words of the command line, and what the line of the error says. */
const mistakes: Record<string, [words: string[], line: RegExp]> = {
  "an unknown command": [["rum"], /^llava: unknown command 'rum' \(Did you mean run\?\)$/],
  "an unknown option": [["run", "--promt", "x"], /^llava: unknown option '--promt' \(Did you mean --prompt\?\)$/],
  "a missing value": [["run", "--prompt"], /--prompt <text>' argument missing$/],
  "a word too many": [["run", ...prompt, "cat.jpg"], /too many arguments/],
  "no number": [["run", ...prompt, "--seed", "abc"], /--seed <s>' argument 'abc' is invalid. Expected a number.$/],
  "a number out of range": [["run", ...prompt, "--max-tokens", "0"], /^llava: --max-tokens: expected an integer of at least 1, got 0$/],
  "a share above 1": [["run", ...prompt, "--top-p", "1.5"], /^llava: --top-p: expected .*, got 1.5$/],
  "unknown weights": [["run", ...prompt, "--weights", "q9"], /^llava: --weights: expected .*, got "q9"$/],
  "an unknown adapter": [["run", ...prompt, "--adapter", "Voodoo 2"], /^llava: adapter: expected one with "Voodoo 2" in its name, found /],
  "no question": [["run", ...picture], /give either --prompt or --messages, got neither/],
  "two questions": [["run", ...prompt, "--messages", "x.json"], /give either --prompt or --messages, got both/],
  "--raw with a template": [["run", ...prompt, "--raw", "--template", "v1"], /--raw .* --template/],
  "a model folder that is not there": [["run", ...prompt, "--model", path("nowhere")], /there is no folder .*nowhere/],
  "a folder without a model": [["run", ...prompt, "--model", folder], /config\.json/],
  "a file as model folder": [["run", ...prompt, "--model", path("text.png")], /expected a model folder, got the file .*text\.png/],
  "a picture that is not there": [["run", ...prompt, "--image", path("nope.png")], /^llava: image .*nope\.png: .*no such file/],
  "a text as picture": [["run", ...prompt, "--image", path("text.png")], /^llava: image .*text\.png: is not a picture/],
  "an empty picture": [["run", ...prompt, "--image", path("empty.png")], /^llava: image .*empty\.png: is empty/],
  "a picture cut short": [["run", ...prompt, "--image", path("cut.png")], /^llava: image .*cut\.png: .*cut short/],
  "a folder as picture": [["run", ...prompt, "--image", folder], /^llava: image .*expected a file/],
  "messages that are not there": [["run", "--messages", path("nope.json")], /--messages: cannot read .*nope\.json: there is no such file$/],
  "messages that are not JSON": [["run", "--messages", path("broken.json")], /broken\.json is not valid JSON: .* line 1, column 20/],
  "messages that are no list": [["run", "--messages", path("number.json")], /number\.json to hold a list .*, got number$/],
  "more placeholders than pictures": [
    ["run", "--adapter", "swiftshader", ...picture, "--raw", "--prompt", "<image><image> What?"],
    /^llava: prompt: every image needs one <image>, got 2 placeholders and 1 image/,
  ],
};

describe("a mistake is told in one line", () => {
  it.each(Object.entries(mistakes))("%s", async (_, [words, line]) => {
    const { status, stdout, stderr } = await llava(words);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.endsWith("\n")).toBe(true);
    expect(stderr.slice(0, -1)).toMatch(line);
    expect(stderr.slice(0, -1)).not.toContain("\n");
  });

  it("with --verbose, the place where it came from follows", async () => {
    const { status, stderr } = await llava(["run", ...prompt, "--model", path("nowhere"), "--verbose"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/there is no folder .*\n +at /);
  });
});

describe("help", () => {
  it("is what `llava` alone shows", async () => {
    const alone = await llava([]);
    expect(alone).toMatchObject({ status: 0, stderr: "" });
    expect(alone).toEqual(await llava(["--help"]));
    expect(alone.stdout).toMatch(/run .*devices .*Examples:/s);
  });

  it("lists the options of a command", async () => {
    const { status, stdout } = await llava(["run", "--help"]);
    expect(status).toBe(0);
    for (const option of ["--model", "--image", "--video", "--temperature", "--adapter", "--json"]) expect(stdout).toContain(option);
  });

  it("has a version", async () => {
    expect(await llava(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });
});
