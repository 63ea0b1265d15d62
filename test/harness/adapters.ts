/** The adapters that GPU tests run on. */
import { chooseAdapter, findAdapters } from "../../src/gpu/adapter.ts";
import type { FoundAdapter } from "../../src/gpu/adapter.ts";

/**
 * SwiftShader always (it computes with no optional feature: no f16, subgroups of 4), and what else there is: lavapipe
 * and real GPUs. A missing SwiftShader is a failure. The variable LLAVA_TEST_ADAPTER narrows the list to the adapters
 * with that text in their names.
 */
export async function testAdapters(): Promise<FoundAdapter[]> {
  await chooseAdapter("swiftshader");
  const narrow = (process.env.LLAVA_TEST_ADAPTER ?? "").toLowerCase();
  const adapters = (await findAdapters()).filter((adapter) => adapter.name.toLowerCase().includes(narrow));
  if (adapters.length === 0) throw new Error(`LLAVA_TEST_ADAPTER: no adapter has "${narrow}" in its name`);
  return adapters;
}
