/** Which adapter to compute on. */
import { adapterAdvice, adapterSources } from "#adapters";
import { DeviceError } from "./error.ts";
import { bestFirst } from "./found.ts";
import type { AdapterSource, FoundAdapter } from "./found.ts";

export type { FoundAdapter } from "./found.ts";

/** `auto`: the best at hand; `gpu`: hardware only; `software`: the CPU only; else a part of an adapter's name. */
export type AdapterChoice = "auto" | "gpu" | "software" | (string & {});

/** An adapter as plain data, for printing and for JSON. */
export interface AdapterDescription {
  name: string;
  vendor: string;
  architecture: string;
  description: string;
  software: boolean;
  how: string;
  features: string[];
  limits: Record<string, number>;
}

/** A source that has been asked before answers from memory: drivers do not come and go. */
const asked = new Map<string, Promise<FoundAdapter[]>>();

function ask(source: AdapterSource): Promise<FoundAdapter[]> {
  let answer = asked.get(source.how);
  if (answer === undefined) {
    answer = source.find();
    asked.set(source.how, answer);
    answer.catch(() => asked.delete(source.how));
  }
  return answer;
}

/** Every adapter of this machine, best first, each device once. Loads software drivers too, so it takes a moment. */
export async function findAdapters(): Promise<FoundAdapter[]> {
  const found = new Map<string, FoundAdapter>();
  for (const source of adapterSources()) {
    for (const adapter of await ask(source)) {
      const device = [adapter.name, adapter.vendor, adapter.architecture, adapter.description].join("\n");
      if (!found.has(device)) found.set(device, adapter);
    }
  }
  return Promise.all(bestFirst([...found.values()]).map(renewed));
}

/**
 * The adapter to use: hardware, then lavapipe, then SwiftShader, as far as `choice` allows. Places are searched in that
 * order and only until one fits.
 *
 * @throws DeviceError, with the names of what was found, if there is none of the kind asked for
 */
export async function chooseAdapter(choice: AdapterChoice = "auto"): Promise<FoundAdapter> {
  const seen = new Set<string>();
  for (const source of adapterSources()) {
    if (choice === "gpu" && source.software) continue;
    const adapters = await ask(source);
    const fit = adapters.find((adapter) => fits(adapter, choice));
    if (fit !== undefined) return renewed(fit);
    for (const adapter of adapters) seen.add(`${adapter.name} (${adapter.how})`);
  }
  throw noAdapter(choice, [...seen]);
}

function noAdapter(choice: AdapterChoice, found: string[]): DeviceError {
  const kinds: Record<string, [wanted: string, advice: string]> = {
    auto: ["any adapter", adapterAdvice],
    software: ["a software adapter", adapterAdvice],
    gpu: ["a hardware GPU", 'install its driver, or use adapter "auto" to compute on the CPU where that is possible'],
  };
  const byName = [`one with "${choice}" in its name`, 'give a part of such a name, or use adapter "auto"'];
  const [wanted, advice] = Object.hasOwn(kinds, choice) ? kinds[choice] : byName;
  const listed = found.length > 0 ? found.join("; ") : "none";
  return new DeviceError(`adapter: expected ${wanted}, found ${listed}; ${advice}`, { wanted: choice, found });
}

function fits(adapter: FoundAdapter, choice: AdapterChoice): boolean {
  if (choice === "auto") return true;
  if (choice === "gpu") return !adapter.software;
  if (choice === "software") return adapter.software;
  return `${adapter.name}\n${adapter.description}`.toLowerCase().includes(choice.toLowerCase());
}

/** An adapter makes one device, so whoever asks gets one that is still unused. */
async function renewed(found: FoundAdapter): Promise<FoundAdapter> {
  return { ...found, adapter: await found.request() };
}

/** What `llava devices --json` prints and `llava.adapter` holds; limits in the units of the WebGPU specification. */
export function describeAdapter(found: FoundAdapter): AdapterDescription {
  const { name, vendor, architecture, description, software, how, adapter } = found;
  return { name, vendor, architecture, description, software, how, ...abilities(adapter) };
}

/** The same of a device that the caller opened. */
export function describeDevice(device: GPUDevice): AdapterDescription {
  const { vendor, architecture, description, isFallbackAdapter } = device.adapterInfo;
  const name = device.adapterInfo.device || description || vendor || "a device of the caller's";
  return { name, vendor, architecture, description, software: isFallbackAdapter, how: "given by the caller", ...abilities(device) };
}

function abilities({ features, limits }: GPUAdapter | GPUDevice): Pick<AdapterDescription, "features" | "limits"> {
  const values: Record<string, number> = {};
  // The limits are getters on the prototype, so `for in` sees them and Object.keys does not.
  for (const key in limits) {
    const value: unknown = limits[key as keyof GPUSupportedLimits];
    if (typeof value === "number") values[key] = value;
  }
  return { features: [...features].sort(), limits: values };
}
