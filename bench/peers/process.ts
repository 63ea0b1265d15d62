/**
 * A peer in a process of its own, so that neither library's device or threads disturb the other's set-up. It answers
 * requests one at a time: `load` a call, then `run` it as often as asked. Arguments: the folder that has onnxruntime-node
 * installed, and the execution provider.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { cpuSince } from "../measure.ts";
import type { PeerCall } from "./calls.ts";

/** As much of onnxruntime-node's interface as is used here: it is no dependency of ours. */
interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: { executionProviders: string[]; logSeverityLevel: number }): Promise<Session>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => { readonly data: unknown };
}

interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { readonly data: Float32Array }>>;
  release(): Promise<void>;
}

export type PeerRequest = { readonly load: PeerCall } | { readonly run: number; readonly result?: boolean };

/** Milliseconds that the request took, by the clock and of all cores together, the result if it was asked for, or what went wrong. */
export interface PeerAnswer {
  readonly time?: number;
  readonly cpu?: number;
  readonly result?: Float32Array;
  readonly error?: string;
}

const [folder, provider] = process.argv.slice(2);
const { InferenceSession, Tensor } = createRequire(join(resolve(folder), "package.json"))("onnxruntime-node") as OnnxRuntime;
let session: Session | undefined;
let feeds: Record<string, unknown> = {};
let output = "";

async function answer(request: PeerRequest): Promise<PeerAnswer> {
  const began = performance.now();
  if ("load" in request) {
    await session?.release();
    const { load } = request;
    session = await InferenceSession.create(load.model, { executionProviders: [provider], logSeverityLevel: 3 });
    feeds = Object.fromEntries(Object.entries(load.feeds).map(([name, { dims, data }]) => [name, new Tensor("float32", data, dims)]));
    output = load.output;
    return { time: performance.now() - began };
  }
  const before = process.cpuUsage();
  let result: Float32Array | undefined;
  for (let i = 0; i < request.run; i++) result = (await session!.run(feeds))[output].data;
  return { time: performance.now() - began, cpu: cpuSince(before), ...(request.result ? { result } : {}) };
}

process.on("message", (request: PeerRequest) => {
  void answer(request).catch((error: unknown) => ({ error: String(error).split("\n")[0] })).then((reply) => process.send!(reply));
});
