/** Adapters in the browser, through `navigator.gpu`. */
import { DeviceError } from "./error.ts";
import { foundAdapter } from "./found.ts";
import type { AdapterSource, FoundAdapter } from "./found.ts";

/** What to do when there is no adapter at all, for the end of an error message. */
export const adapterAdvice = "check chrome://gpu or about:support, update the graphics driver, "
  + "or start Chromium with --enable-unsafe-webgpu to allow a software adapter";

/** The requests to make, in the order of preference. */
export function adapterSources(): AdapterSource[] {
  const source = (how: string, software: boolean, options: GPURequestAdapterOptions): AdapterSource => ({
    how,
    software,
    find: () => find(how, options),
  });
  return [
    source("navigator.gpu, high performance", false, { powerPreference: "high-performance" }),
    source("navigator.gpu", false, {}),
    source("navigator.gpu, fallback adapter", true, { forceFallbackAdapter: true }),
  ];
}

async function find(how: string, options: GPURequestAdapterOptions): Promise<FoundAdapter[]> {
  const gpu: GPU | undefined = globalThis.navigator?.gpu;
  if (gpu === undefined) {
    throw new DeviceError(
      "navigator.gpu must exist, got a browser or page without WebGPU; "
        + "use a current Chrome, Edge, Firefox or Safari, and serve the page over https or from localhost",
    );
  }
  const request = async (): Promise<GPUAdapter> => {
    const adapter = await gpu.requestAdapter(options);
    if (adapter === null) throw new DeviceError(`${how}: the adapter is gone; reload the page`);
    return adapter;
  };
  const adapter = await gpu.requestAdapter(options);
  return adapter === null ? [] : [foundAdapter(adapter, { how, keep: gpu, request })];
}
