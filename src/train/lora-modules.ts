/** Linear layers that LoRA can adapt, under the names that they have elsewhere. */
import { Checkpoint } from "../../weights/index.ts";
import { OptionError } from "../generate/errors.ts";
import { glob } from "../graph/glob.ts";
import type { Parameter } from "../graph/tensor.ts";
import type { LoadedModel } from "../models/loaded.ts";

/** One linear layer: rows [firstRow, firstRow + rows) of a parameter. */
export interface LinearModule {
  readonly parameter: Parameter;
  readonly firstRow: number;
  readonly rows: number;
  readonly inputs: number;
  /** Canonical name, e.g. `language.layers.0.attention.query`. */
  readonly name: string;
  /** Its weight in the checkpoint, e.g. `language_model.model.layers.0.self_attn.q_proj.weight`. */
  readonly foreignName: string;
  /** Where transformers and peft have it, e.g. `model.language_model.layers.0.self_attn.q_proj`. */
  readonly module: string;
}

/** The weights that `linearLayer` and `stackedLinear` multiply by. */
const LINEAR = /^(?:(?:language|vision)\.layers\.\d+\.(?:attention|mlp)\.\w+|projector\.linear\d+)\.weight$/;

/** All linear layers of a model's blocks and projector, in its order. */
export async function linearModules({ model, config, folder }: LoadedModel): Promise<LinearModule[]> {
  const checkpoint = await Checkpoint.open(folder);
  await checkpoint.close();
  const modules: LinearModule[] = [];
  for (const parameter of model.parameters.values()) {
    let firstRow = 0;
    for (const { name, shape } of parameter.parts) {
      const [rows = 0, inputs = 0] = shape;
      if (LINEAR.test(name)) {
        const { foreignName } = checkpoint.info(name);
        const module = moduleName(name, foreignName.replace(/\.weight$/, ""), config.vision !== undefined);
        modules.push({ parameter, firstRow, rows, inputs, name: name.replace(/\.weight$/, ""), foreignName, module });
      }
      firstRow += rows;
    }
  }
  return modules;
}

/** The layers that names or globs mean: see `LoraOptions.targets`. Throws `OptionError` for one that means none. */
export function selectModules(modules: readonly LinearModule[], targets: readonly string[]): LinearModule[] {
  const chosen = new Set<LinearModule>();
  for (const target of targets) {
    const found = modules.filter(target.includes("*") ? byGlob(target) : byEnd(target));
    if (found.length === 0) throw new OptionError("lora.targets", "names of linear layers, such as q_proj, or globs over them", target);
    for (const module of found) chosen.add(module);
  }
  return modules.filter((module) => chosen.has(module));
}

/** Whether a module's name is `end`, or ends with it behind a dot, as peft compares. */
export function endsWithName(name: string, end: string): boolean {
  return name === end || name.endsWith(`.${end}`);
}

function namesOf({ name, foreignName, module }: LinearModule): string[] {
  return [module, module.replace(/^model\./, ""), foreignName.replace(/\.weight$/, ""), name];
}

function byGlob(pattern: string): (module: LinearModule) => boolean {
  const test = glob(pattern);
  return (module) => namesOf(module).some(test);
}

function byEnd(end: string): (module: LinearModule) => boolean {
  return (module) => module.name.startsWith("language.") && namesOf(module).some((name) => endsWithName(name, end));
}

/** Checkpoints keep older names than transformers 5 has for the same modules; a decoder without a tower has no `language_model`. */
function moduleName(name: string, foreign: string, sees: boolean): string {
  if (!name.startsWith("language.")) return `model.${foreign.replace(/^model\./, "")}`;
  return `${sees ? "model.language_model" : "model"}.${foreign.slice(foreign.indexOf("layers."))}`;
}
