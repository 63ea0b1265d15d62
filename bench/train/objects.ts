/** What a piece of work makes on a device. */

/** Everything of `GPUDevice` that makes an object which lives on; command encoders are gone with their submit. */
const CREATORS = [
  "createBindGroup",
  "createBindGroupLayout",
  "createBuffer",
  "createComputePipeline",
  "createComputePipelineAsync",
  "createPipelineLayout",
  "createQuerySet",
  "createSampler",
  "createShaderModule",
  "createTexture",
] as const;

/** Counts the GPU objects that `body` makes, by the method that made them. */
export async function objectsMade(device: GPUDevice, body: () => Promise<unknown>): Promise<Record<string, number>> {
  const made: Record<string, number> = {};
  for (const name of CREATORS) {
    const create = device[name] as (...given: unknown[]) => unknown;
    const value = (...given: unknown[]): unknown => {
      made[name] = (made[name] ?? 0) + 1;
      return create.apply(device, given);
    };
    Object.defineProperty(device, name, { value, configurable: true });
  }
  try {
    await body();
    return made;
  } finally {
    for (const name of CREATORS) Reflect.deleteProperty(device, name);
  }
}
