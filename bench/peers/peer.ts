/** ONNX Runtime beside us: its WebGPU provider on the same adapter, and its CPU provider. */
import { type ChildProcess, fork } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { FoundAdapter } from "../../src/gpu/adapter.ts";
import type { Sample } from "../measure.ts";
import type { PeerCall } from "./calls.ts";
import type { PeerAnswer, PeerRequest } from "./process.ts";

/** Where `npm run bench:peers` installs them. */
const defaultFolder = fileURLToPath(new URL(".", import.meta.url));
const program = join(defaultFolder, "../../dist-bench/peer.js");

/** The folder whose node_modules has the peers; undefined if they are not installed. */
export function peerFolder(folder = defaultFolder): string | undefined {
  return existsSync(join(folder, "node_modules/onnxruntime-node/package.json")) ? resolve(folder) : undefined;
}

/** A child process that runs one execution provider. */
export class Peer {
  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {}

  /** Starts a process; undefined if it cannot be made to use the same adapter. */
  static start(folder: string, provider: "webgpu" | "cpu", adapter: FoundAdapter): Peer | undefined {
    const driver = driverOf(adapter);
    if (provider === "webgpu" && driver === undefined) return undefined;
    const child = fork(program, [folder, provider], {
      serialization: "advanced",
      env: { ...process.env, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(), ...driver },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return new Peer(`onnxruntime ${provider}`, child);
  }

  /** Makes a session for a call. */
  async load(call: PeerCall): Promise<void> {
    await this.#ask({ load: call });
  }

  /** Runs the call from host to host. What it takes is measured in the other process. */
  async run(repeats: number): Promise<Sample> {
    return (await this.#ask({ run: repeats })).sample!;
  }

  /** What the call gives. */
  async result(): Promise<Float32Array> {
    return (await this.#ask({ run: 1, result: true })).result!;
  }

  stop(): void {
    this.child.kill();
  }

  #ask(request: PeerRequest): Promise<PeerAnswer> {
    return new Promise((resolve, reject) => {
      const settle = (answer?: PeerAnswer, code?: number | null): void => {
        this.child.off("message", onMessage);
        this.child.off("exit", onExit);
        if (!answer) reject(new Error(`${this.name}: its process ended with ${code}`));
        else if (answer.error) reject(new Error(`${this.name}: ${answer.error}`));
        else resolve(answer);
      };
      const onMessage = (answer: unknown): void => settle(answer as PeerAnswer);
      const onExit = (code: number | null): void => settle(undefined, code);
      this.child.once("message", onMessage);
      this.child.once("exit", onExit);
      this.child.send(request);
    });
  }
}

/**
 * Environment variables that make the child's Vulkan loader offer the software driver that we run on, and no other; none
 * are needed for a GPU. Undefined if that driver has no manifest that another process can be pointed to.
 */
function driverOf({ name, how, software }: FoundAdapter): Record<string, string> | undefined {
  if (!software) return {};
  const folders = /llvmpipe/.test(name)
    ? ["/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d"]
    : [how.replace(/^SwiftShader of /, "")];
  const manifest = folders.filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)))
    .find((file) => /(lvp_icd[^/]*|vk_swiftshader_icd)\.json$/.test(file));
  return manifest === undefined ? undefined : { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest };
}
