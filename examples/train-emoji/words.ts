/**
 * Short words as pictures: opacity masks of every word in every font and size, rendered once into the cache folder as
 * `words.alpha` and `words.json`. One font is held out of training.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EmojiDataError, Packages, type Sharp } from "./packages.ts";

/** Words of signs and labels, of three to six letters. */
export const words = (
  "air art baby back bag bank bar bath beach bed bell best bike bird blue boat book bread bus cafe cake call car card cash cat city " +
  "clean close club cold cook cool cup dance day deep desk dog door down draw drink east eat edge end exit farm fast film fire fish " +
  "fixed flat food foot free fresh front full game garden gate gift girl gold good green guide hall hand happy heat help home hope " +
  "hot hotel house ice idea jazz join juice jump keep king lamp land left light list live local lock lost love luck lunch magic main " +
  "map menu milk moon music new next night north ocean office old one open paper park pay play pool price pull push queen quick quiet " +
  "radio red rest ring river road room safe sale sea shop show slow snow soup south star start stop sun table tea time today train " +
  "walk warm water west white wind work yes zone"
).split(" ");

/** Folder and weight of the package @fontsource/FOLDER. */
export const fonts = [
  { name: "roboto-400", heldOut: false },
  { name: "roboto-700", heldOut: false },
  { name: "noto-sans-400", heldOut: false },
  { name: "noto-serif-400", heldOut: false },
  { name: "open-sans-700", heldOut: false },
  { name: "roboto-slab-400", heldOut: false },
  { name: "lato-400", heldOut: true },
] as const;

/** Font sizes in pixels. */
const sizes = [14, 16, 18, 20, 22, 24];

/** One word in one font and size. */
export interface WordMask {
  readonly word: string;
  readonly font: string;
  /** Font size in pixels. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  /** Opacity [height, width]. */
  readonly alpha: Uint8Array;
}

/** The part of opentype.js that words need. */
interface OpenType {
  parse(buffer: ArrayBuffer): Font;
}
interface Font {
  readonly unitsPerEm: number;
  charToGlyph(character: string): Glyph;
}
interface Glyph {
  readonly advanceWidth: number;
  getPath(x: number, y: number, size: number): { toPathData(digits: number): string };
}

type IndexRow = Omit<WordMask, "alpha">;

type WordToRender = Pick<WordMask, "word" | "font" | "size">;

/** All words, in small and in capital letters, in every font and size. */
function wordsToRender(): WordToRender[] {
  const spellings = words.flatMap((word) => [word, word.toUpperCase()]);
  return fonts.flatMap(({ name: font }) => sizes.flatMap((size) => spellings.map((word) => ({ word, font, size }))));
}

/** Renders all words, unless the cache has just these. About 15 seconds. */
export async function renderWords({ cache, packages: folder }: { cache: string; packages?: string }): Promise<void> {
  const file = join(cache, "words.json");
  const wanted = wordsToRender();
  const keys = (rows: readonly WordToRender[]): string => rows.map(({ word, font, size }) => `${word} ${font} ${size}`).join();
  if (existsSync(file) && keys(readIndex(file)) === keys(wanted)) return;
  const packages = new Packages(folder);
  const sharp = packages.load<Sharp>("sharp");
  const { parse } = packages.load<OpenType>("opentype.js");
  const parsed = new Map<string, Font>(fonts.map(({ name }) => {
    const family = name.slice(0, name.lastIndexOf("-"));
    const bytes = packages.bytes(`@fontsource/${family}/files/${family}-latin-${name.split("-").at(-1)}-normal.woff`);
    return [name, parse(Uint8Array.from(bytes).buffer)];
  }));
  const index: IndexRow[] = [];
  const masks: Uint8Array[] = [];
  for (const word of wanted) {
    const { alpha, ...row } = await renderWord(sharp, parsed.get(word.font)!, word);
    index.push(row);
    masks.push(alpha);
  }
  writeFileSync(join(cache, "words.alpha"), Buffer.concat(masks));
  writeFileSync(join(cache, "words.json.part"), JSON.stringify(index));
  renameSync(join(cache, "words.json.part"), file);
}

/** Glyph by glyph, since opentype.js does not read the ligature tables of some fonts; cropped to the ink. */
async function renderWord(
  sharp: Sharp,
  font: Font,
  { word, font: name, size }: WordToRender,
): Promise<WordMask> {
  const margin = 2;
  let x: number = margin;
  const paths = Array.from(word, (character) => {
    const glyph = font.charToGlyph(character);
    const path = glyph.getPath(x, margin + size, size).toPathData(2);
    x += glyph.advanceWidth * size / font.unitsPerEm;
    return path;
  });
  const [width, height] = [Math.ceil(x) + margin, 2 * margin + Math.ceil(1.5 * size)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><path d="${paths.join("")}"/></svg>`;
  const { data } = await sharp(new TextEncoder().encode(svg)).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const opacity = (x: number, y: number): number => data[4 * (y * width + x) + 3];
  const columns = Array.from({ length: width }, (_, x) => x).filter((x) => any(height, (y) => opacity(x, y) > 8));
  const rows = Array.from({ length: height }, (_, y) => y).filter((y) => any(width, (x) => opacity(x, y) > 8));
  const [left, top] = [columns[0], rows[0]];
  const [w, h] = [columns.at(-1)! - left + 1, rows.at(-1)! - top + 1];
  const alpha = Uint8Array.from({ length: w * h }, (_, i) => opacity(left + (i % w), top + Math.floor(i / w)));
  return { word, font: name, size, width: w, height: h, alpha };
}

function any(count: number, test: (i: number) => boolean): boolean {
  for (let i = 0; i < count; i++) if (test(i)) return true;
  return false;
}

const readIndex = (file: string): IndexRow[] => JSON.parse(readFileSync(file, "utf8")) as IndexRow[];

/** The masks in the cache. @throws EmojiDataError when they are missing */
export function loadWords(cache: string): { training: WordMask[]; heldOut: WordMask[] } {
  const file = join(cache, "words.json");
  if (!existsSync(file)) throw new EmojiDataError(`words: no ${file}; run "npm run data:emoji" first`, file);
  const alpha = readFileSync(join(cache, "words.alpha"));
  let at = 0;
  const masks = readIndex(file).map((row): WordMask => {
    const end = at + row.width * row.height;
    const mask = { ...row, alpha: alpha.subarray(at, end) };
    at = end;
    return mask;
  });
  const heldOut = new Set<string>(fonts.filter((font) => font.heldOut).map(({ name }) => name));
  return { training: masks.filter(({ font }) => !heldOut.has(font)), heldOut: masks.filter(({ font }) => heldOut.has(font)) };
}
