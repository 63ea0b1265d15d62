/**
 * All drawings of all vendors, rendered once into a cache folder that training and evaluation read:
 *
 * - `concepts.json`: the list of concepts;
 * - `VENDOR.rgba` and `VENDOR.json`: premultiplied RGBA pixels of the cropped drawings, one after the other, and what they are;
 * - `VENDOR.rgb`: for held-out vendors the same drawings as placed by the vendor, at 72 px over white.
 *
 * A file appears under its name only when it is complete, so that an interrupted run goes on with the next vendor.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Concept, type Emoji, makeConcepts, readEmojis } from "./concepts.ts";
import { EmojiDataError, Packages, type Sharp } from "./packages.ts";
import { renderCropped, renderOverWhite } from "./render.ts";
import { findSources, type Vendor, vendors } from "./vendors.ts";

/** Side of the pictures that held-out drawings are evaluated on. */
export const EVALUATED = 72;

/** One vendor's drawing of a concept. */
export interface Drawing {
  readonly vendor: string;
  readonly concept: Concept;
  readonly hexcode: string;
  /** Shares of the 11 colours among its ink. */
  readonly shares: readonly number[];
  readonly size: number;
  /** Premultiplied RGBA [size, size, 4], cropped to the ink. */
  readonly pixels: Uint8Array;
  /** Of held-out vendors: RGB [72, 72, 3] over white, not cropped. */
  readonly natural?: Uint8Array;
}

interface Index {
  readonly size: number;
  readonly drawings: { readonly hexcode: string; readonly icon: string; readonly shares: readonly number[] }[];
}

export interface RenderOptions {
  /** The cache folder. */
  readonly cache: string;
  /** Folder of the npm packages. */
  readonly packages?: string;
  /** Side of the cropped drawings in pixels. */
  readonly size?: number;
  readonly onProgress?: (progress: { vendor: string; done: number; all: number }) => void;
}

/** Renders what the cache lacks. Held-out vendors give one drawing a concept. @returns the concepts */
export async function renderDrawings({ cache, packages: folder, size = 96, onProgress }: RenderOptions): Promise<Concept[]> {
  const packages = new Packages(folder);
  const sharp = packages.load<Sharp>("sharp");
  const emojis = readEmojis(packages);
  const concepts = makeConcepts(emojis);
  mkdirSync(cache, { recursive: true });
  write(join(cache, "concepts.json"), JSON.stringify(concepts));
  const canonical = new Set(concepts.map((concept) => concept.canonical));
  for (const vendor of vendors) {
    const file = join(cache, `${vendor.name}.json`);
    if (existsSync(file) && readIndex(file).size === size) continue;
    const wanted = vendor.heldOut ? emojis.filter(({ hexcode }) => canonical.has(hexcode)) : emojis;
    await renderVendor(sharp, packages, vendor, wanted, { cache, size, onProgress });
  }
  return concepts;
}

async function renderVendor(
  sharp: Sharp,
  packages: Packages,
  { name, heldOut }: Vendor,
  emojis: readonly Emoji[],
  { cache, size, onProgress }: RenderOptions & { size: number },
): Promise<void> {
  const sources = findSources(packages, name, emojis);
  const index: Index = { size, drawings: [] };
  const cropped: Uint8Array[] = [];
  const natural: Uint8Array[] = [];
  const batch = 32; // enough to keep sharp's threads busy
  for (let from = 0; from < sources.length; from += batch) {
    onProgress?.({ vendor: name, done: from, all: sources.length });
    const group = sources.slice(from, from + batch);
    const rendered = await Promise.all(group.map(async ({ bytes }) => {
      const file = bytes();
      return [await renderCropped(sharp, file, size), heldOut ? await renderOverWhite(sharp, file, EVALUATED) : undefined] as const;
    }));
    for (const [i, [drawing, placed]] of rendered.entries()) {
      if (!drawing) continue;
      index.drawings.push({ hexcode: group[i].hexcode, icon: group[i].icon, shares: drawing.shares });
      cropped.push(drawing.pixels);
      if (placed) natural.push(placed);
    }
  }
  write(join(cache, `${name}.rgba`), Buffer.concat(cropped));
  if (heldOut) write(join(cache, `${name}.rgb`), Buffer.concat(natural));
  write(join(cache, `${name}.json`), JSON.stringify(index));
  onProgress?.({ vendor: name, done: sources.length, all: sources.length });
}

/** Everything in the cache. */
export interface Drawings {
  readonly concepts: readonly Concept[];
  /** Of the vendors to learn from. */
  readonly training: readonly Drawing[];
  /** Of each held-out vendor, in the order of the concepts. */
  readonly heldOut: Readonly<Record<string, readonly Drawing[]>>;
}

/**
 * Reads the cache.
 *
 * @param cache a folder that `renderDrawings` filled
 * @param names vendors to read, all by default
 * @throws EmojiDataError when a file is missing or does not have the length that its index says
 */
export function loadDrawings(cache: string, names: readonly string[] = vendors.map(({ name }) => name)): Drawings {
  const concepts = JSON.parse(read(join(cache, "concepts.json")).toString()) as Concept[];
  const byCode = new Map(concepts.flatMap((concept) => concept.hexcodes.map((code) => [code, concept] as const)));
  const training: Drawing[] = [];
  const heldOut: Record<string, Drawing[]> = {};
  for (const vendor of vendors.filter(({ name }) => names.includes(name))) {
    const drawings = loadVendor(cache, vendor, byCode);
    if (vendor.heldOut) heldOut[vendor.name] = drawings.sort((a, b) => a.concept.id - b.concept.id);
    else training.push(...drawings);
  }
  return { concepts, training, heldOut };
}

function loadVendor(cache: string, { name, heldOut }: Vendor, byCode: ReadonlyMap<string, Concept>): Drawing[] {
  const { size, drawings } = readIndex(join(cache, `${name}.json`));
  const pixels = readParts(join(cache, `${name}.rgba`), drawings.length, size * size * 4);
  const natural = heldOut ? readParts(join(cache, `${name}.rgb`), drawings.length, EVALUATED * EVALUATED * 3) : [];
  return drawings.map(({ hexcode, shares }, i) => {
    const concept = byCode.get(hexcode);
    if (!concept) throw new EmojiDataError(`drawings: ${name} has ${hexcode}, no emoji of concepts.json; empty ${cache}`, cache);
    return { vendor: name, concept, hexcode, shares, size, pixels: pixels[i], natural: natural[i] };
  });
}

function readParts(file: string, count: number, length: number): Uint8Array[] {
  const bytes = read(file);
  if (bytes.length !== count * length) {
    throw new EmojiDataError(`drawings: ${file} must have ${count * length} bytes, has ${bytes.length}; delete it and render again`, file);
  }
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length));
}

function readIndex(file: string): Index {
  return JSON.parse(read(file).toString()) as Index;
}

function read(file: string): Buffer {
  if (!existsSync(file)) throw new EmojiDataError(`drawings: no ${file}; run "npm run data:emoji" first`, file);
  return readFileSync(file);
}

function write(file: string, content: string | Uint8Array): void {
  writeFileSync(`${file}.part`, content);
  renameSync(`${file}.part`, file);
}
