/** `llava run`, as built: answers, streams, interruptions. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cli, finish, llava, sample, start } from "./run-cli.ts";

interface Sample {
  image: string;
  question: string;
  answer: string;
  token_ids: number[];
}

const samples = JSON.parse(readFileSync(sample("samples.json"), "utf8")) as Sample[];
const [apple] = samples;
const described = samples.find(({ question }) => question === "Describe the picture.")!;
const swiftshader = ["--adapter", "swiftshader"];
const about = ({ image, question }: Sample): string[] => ["run", ...swiftshader, "--image", sample(image), "--prompt", question];
/** Babbles until the context is full: so hot that the end token is as rare as any other. */
const endless = [...about(described), "--temperature", "100", "--seed", "2", "--max-tokens", "100000"];

const folder = mkdtempSync(join(tmpdir(), "llava-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe("an answer", () => {
  it("goes to standard output, times and adapter to standard error", async () => {
    const { status, stdout, stderr } = await llava(about(described));
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${described.answer}\n` });
    expect(stderr).toMatch(/^\[load .+, vision .+, prefill .+, decode .+ tokens\/s\); SwiftShader .+\]\n$/);
  });

  it("is one line of JSON with --json", async () => {
    const { status, stdout, stderr } = await llava([...about(apple), "--json"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.trimEnd()).not.toContain("\n");
    const time = expect.any(Number);
    expect(JSON.parse(stdout)).toEqual({
      text: apple.answer,
      tokens: apple.token_ids,
      promptTokens: expect.any(Number),
      finishReason: "stop",
      timings: { load: time, vision: time, prefill: time, decode: time },
      adapter: expect.objectContaining({ name: expect.stringContaining("SwiftShader"), software: true, how: expect.any(String) }),
      model: expect.stringContaining("emoji-llava"),
    });
  });

  it("follows --max-tokens, and the prompt may come from standard input", async () => {
    const words = ["run", ...swiftshader, "--image", sample(described.image), "--prompt", "-", "--max-tokens", "3", "--json"];
    const { stdout } = await llava(words, `${described.question}\n`);
    expect(JSON.parse(stdout)).toMatchObject({ finishReason: "length", tokens: described.token_ids.slice(0, 3) });
  });

  it("is the same for a conversation in a file", async () => {
    const content = [{ type: "image" }, { type: "text", text: apple.question }];
    const path = file("messages.json", JSON.stringify([{ role: "user", content }]));
    const { stdout } = await llava(["run", ...swiftshader, "--image", sample(apple.image), "--messages", path]);
    expect(stdout).toBe(`${apple.answer}\n`);
  });

  it("with a seed is the same every time", async () => {
    const words = [...about(described), "--temperature", "1.5", "--top-k", "50", "--top-p", "0.99", "--min-p", "0.001", "--seed", "7"];
    const [first, second] = [await llava(words), await llava(words)];
    expect(first.status).toBe(0);
    expect(first.stdout).toBe(second.stdout);
    expect(first.stdout).not.toBe(`${described.answer}\n`);
  });

  it("ends before a stop text", async () => {
    const { stdout } = await llava([...about(described), "--stop", " It belongs", " It is mainly"]);
    expect(described.answer).toMatch(/ It is mainly .* It belongs /);
    expect(stdout).toBe(`${described.answer.split(" It is mainly")[0]}\n`);
  });

  it("has nothing of the drivers beside it where standard error is a pipe", () => {
    const shell = spawnSync("sh", ["-c", '"$@" 2>&1 >/dev/null | cat', "sh", process.execPath, cli, ...about(apple)], { encoding: "utf8" });
    expect(shell.stdout).toMatch(/^\[load [^\n]+\]\n$/);
  });
});

describe("an end before time", () => {
  it("Ctrl-C keeps what there is, and the status is 130", async () => {
    const child = start(endless);
    const ending = finish(child);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    const { status, stdout, stderr } = await ending;
    expect(status).toBe(130);
    expect(stdout).toMatch(/^.+\n$/s);
    expect(stderr).toMatch(/^\[interrupted, load [^\n]+\]\n$/);
  });

  it("a second Ctrl-C has the signal's usual effect", async () => {
    const child = start(endless);
    const ending = finish(child);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    child.kill("SIGINT");
    // Shells call both 130. It is the first if the two signals came at once.
    expect([130, "SIGINT"]).toContain((await ending).status);
  });

  it("Ctrl-C works while standard input is awaited", async () => {
    const child = start(["run", "--prompt", "-", "--image", sample(apple.image), "--verbose"]);
    const ending = finish(child);
    // Read by the command, so its signal handler stands.
    await new Promise((resolve) => child.stdin.write("What".repeat(100_000), resolve));
    child.kill("SIGINT");
    expect(await ending).toEqual({ status: 130, stdout: "", stderr: "" });
  });

  it("a reader that goes away ends it quietly", async () => {
    const child = start(endless);
    const ending = finish(child);
    await once(child.stdout, "data");
    child.stdout.destroy();
    expect(await ending).toMatchObject({ status: 0, stderr: "" });
  });
});
