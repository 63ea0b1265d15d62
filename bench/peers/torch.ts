/** PyTorch beside us: the training step of transformers' LLaVA on the CPU, in a process of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Sample } from "../measure.ts";

const program = fileURLToPath(new URL("train.py", import.meta.url));

/** What `train.py` needs to train. */
export interface TorchTraining {
  /** A checkpoint in Hugging Face's layout. */
  readonly folder: string;
  /** A safetensors file with a batch as transformers takes it. */
  readonly batch: string;
  /** Beginnings of the names of what does not learn. */
  readonly frozen: readonly string[];
  readonly learningRate: number;
}

/** The first step of a training. */
export interface FirstStep {
  readonly loss: number;
  readonly gradientNorm: number;
}

type Answer = Partial<Sample & FirstStep> & { readonly name?: string; readonly error?: string };

/** A Python process that trains. */
export class Torch {
  /** Version and number of threads. */
  name = "PyTorch";
  readonly #lines: AsyncIterator<string>;

  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, null>,
    lines: Interface,
  ) {
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** Starts Python. Throws if there is none, or it has no torch or transformers. */
  static async start(python: string): Promise<Torch> {
    const child = spawn(python, [program], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { ...process.env, HF_HUB_OFFLINE: "1", TRANSFORMERS_VERBOSITY: "error" },
    });
    // A process that ends takes no more requests; that it ended shows at the answer.
    child.stdin.on("error", () => undefined);
    await once(child, "spawn").catch(() => {
      throw new Error(`no PyTorch: ${python} cannot be run`);
    });
    const torch = new Torch(child, createInterface({ input: child.stdout }));
    const { name } = await torch.#answer().catch(() => {
      throw new Error(`no PyTorch: ${python} has no torch, transformers and safetensors`);
    });
    torch.name = name ?? torch.name;
    return torch;
  }

  /** Begins a training and takes its first step. */
  async load(training: TorchTraining): Promise<FirstStep> {
    const { loss, gradientNorm } = await this.#ask({ load: training });
    return { loss: loss!, gradientNorm: gradientNorm! };
  }

  /** Takes further steps. What they take is measured in the other process. */
  async run(repeats: number): Promise<Sample> {
    const { time, cpu } = await this.#ask({ run: repeats });
    return { time: time!, cpu: cpu! };
  }

  stop(): void {
    this.child.kill();
  }

  #ask(request: object): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.#answer();
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name}: its process ended`);
    const answer = JSON.parse(value) as Answer;
    if (answer.error) throw new Error(`${this.name}: ${answer.error}`);
    return answer;
  }
}
