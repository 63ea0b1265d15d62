/** `npm start`: what a newcomer types first. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../harness/sources.ts";
import { sample } from "./run-cli.ts";

const start = (...words: string[]) =>
  spawnSync(process.execPath, [join(root, "examples/start.mjs"), "--adapter", "swiftshader", ...words], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, INIT_CWD: join(root, "models") },
  });

const samples = JSON.parse(readFileSync(sample("samples.json"), "utf8")) as { image: string; question: string; answer: string }[];

describe("npm start", () => {
  it("shows the command that it runs, and answers as the model's authors say", () => {
    const { status, stdout, stderr } = start();
    const [, image, question] = stderr.match(/^> llava run .*--image .*\/(.+) --prompt "(.*)"$/m)!;
    const { answer } = samples.find((each) => each.image === image && each.question === question)!;
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${answer}\n` });
  });

  it("asks about one's own picture, by its path from where one stands", () => {
    const { status, stdout } = start("--image", "emoji-llava/samples/apple.png", "--prompt", "What is this?");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "red apple\n" });
  });
});
