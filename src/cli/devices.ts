/** `llava devices`: what there is to compute on. */
import { type AdapterDescription, chooseAdapter, describeAdapter, findAdapters } from "../gpu/adapter.ts";
import { bytes } from "./format.ts";

const INDENT = 12;
const WIDTH = 100;

/**
 * Prints every adapter found, the one that "auto" takes marked. As JSON: `{ auto, adapters }`, where `auto` is the name of
 * that one. Throws `DeviceError` if there is none at all.
 */
export async function printDevices({ json = false }: { json?: boolean }): Promise<void> {
  const auto = describeAdapter(await chooseAdapter("auto")).name;
  const adapters = (await findAdapters()).map(describeAdapter);
  if (json) {
    process.stdout.write(`${JSON.stringify({ auto, adapters })}\n`);
    return;
  }
  process.stdout.write(adapters.map((adapter) => paragraph(adapter, adapter.name === auto)).join("\n"));
}

function paragraph({ name, how, software, vendor, architecture, description, features, limits }: AdapterDescription, taken: boolean): string {
  const rows = {
    found: how,
    kind: software ? "software: computes on the CPU" : "hardware",
    driver: [vendor, architecture, description].filter((text) => text !== "").join(", "),
    features: features.join(", ") || "none beyond the standard",
    limits: [
      `binding ${bytes(limits.maxStorageBufferBindingSize)}`,
      `buffer ${bytes(limits.maxBufferSize)}`,
      `workgroup ${limits.maxComputeInvocationsPerWorkgroup} invocations, ${bytes(limits.maxComputeWorkgroupStorageSize)}`,
    ].join("; "),
  };
  const lines = Object.entries(rows).map(([label, text]) => `  ${label.padEnd(INDENT - 2)}${wrap(text)}\n`);
  return `${name}${taken ? '  <- "auto" takes this one' : ""}\n${lines.join("")}`;
}

/** Breaks `text` between words where a line would grow beyond WIDTH, and indents what follows. */
function wrap(text: string): string {
  let length = INDENT;
  const placed = text.split(" ").map((word, i) => {
    const fits = i === 0 || length + 1 + word.length <= WIDTH;
    length = (fits ? length + 1 : INDENT) + word.length;
    return i === 0 ? word : `${fits ? " " : `\n${" ".repeat(INDENT)}`}${word}`;
  });
  return placed.join("");
}
