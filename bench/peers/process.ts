/**
 * A peer in a process of its own, so that neither library's device or threads disturb the other's set-up. It answers
 * requests one at a time: `load` a call, then `run` it as often as asked. Arguments: the folder that has onnxruntime-node
 * installed, and the execution provider.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { type Sample, timed } from "../measure.ts";
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

/** What the runs took, the result if it was asked for, or what went wrong. */
export interface PeerAnswer {
  readonly sample?: Sample;
  readonly result?: Float32Array;
  readonly error?: string;
}

const [folder, provider] = process.argv.slice(2);
const { InferenceSession, Tensor } = createRequire(join(resolve(folder), "package.json"))("onnxruntime-node") as OnnxRuntime;
let session: Session | undefined;
let feeds: Record<string, unknown> = {};
let output = "";

async function answer(request: PeerRequest): Promise<PeerAnswer> {
  if ("load" in request) {
    const { model, feeds: given, output: name } = request.load;
    await session?.release();
    session = await InferenceSession.create(model, { executionProviders: [provider], logSeverityLevel: 3 });
    feeds = Object.fromEntries(Object.entries(given).map(([input, { dims, data }]) => [input, new Tensor("float32", data, dims)]));
    output = name;
    return {};
  }
  let result: Float32Array | undefined;
  const sample = await timed(async () => {
    for (let i = 0; i < request.run; i++) result = (await session!.run(feeds))[output].data;
  });
  return { sample, ...(request.result ? { result } : {}) };
}

process.on("message", (request: PeerRequest) => {
  void answer(request).catch((error: unknown) => ({ error: String(error).split("\n")[0] })).then((reply) => process.send!(reply));
});
