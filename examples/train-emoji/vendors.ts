/** Who drew the emoji, and which file of a package shows which emoji. */
import type { Emoji } from "./concepts.ts";
import type { Packages } from "./packages.ts";

/** A set of drawings by one maker in one style. */
export interface Vendor {
  readonly name: string;
  /** Held out of training: for evaluation only. */
  readonly heldOut: boolean;
  /** How often its drawings are shown relative to others; the three Fluent sets are one design. */
  readonly weight: number;
}

export const vendors: readonly Vendor[] = [
  { name: "noto", heldOut: false, weight: 1.1 },
  { name: "noto-v1", heldOut: false, weight: 1 },
  { name: "fluent-emoji-flat", heldOut: false, weight: 0.7 },
  { name: "fluent-emoji", heldOut: false, weight: 0.7 },
  { name: "fluent-3d", heldOut: false, weight: 0.9 },
  { name: "fxemoji", heldOut: false, weight: 1 },
  { name: "emojione", heldOut: false, weight: 1.1 },
  { name: "twemoji", heldOut: true, weight: 0 },
  { name: "openmoji", heldOut: true, weight: 0 },
];

/** A drawing's file in a package: SVG text or a WebP picture. */
export interface Source {
  readonly hexcode: string;
  /** The vendor's own name of it. */
  readonly icon: string;
  readonly bytes: () => Uint8Array;
}

interface Icon {
  body: string;
  left?: number;
  top?: number;
  width?: number;
  height?: number;
}

/** Iconify's JSON form of an icon set. */
interface IconSet {
  icons: Record<string, Icon>;
  aliases?: Record<string, { parent: string } & Partial<Icon>>;
  width?: number;
  height?: number;
}

/** Longest side of the rendered SVG, in pixels: twice the size that the drawings are kept in. */
const RENDERED = 192;

/** The drawings of a vendor, one an emoji. */
export function findSources(packages: Packages, vendor: string, emojis: readonly Emoji[]): Source[] {
  return vendor === "fluent-3d" ? webpSources(packages, emojis) : iconSources(packages, vendor, emojis);
}

function webpSources(packages: Packages, emojis: readonly Emoji[]): Source[] {
  const folder = "@lobehub/fluent-emoji-3d/assets";
  const byCode = codes(emojis);
  return packages.list(folder).flatMap((icon) => {
    const emoji = byCode.get(bareCode(icon.replace(".webp", "")));
    return emoji ? [{ hexcode: emoji.hexcode, icon, bytes: () => packages.bytes(`${folder}/${icon}`) }] : [];
  });
}

function iconSources(packages: Packages, vendor: string, emojis: readonly Emoji[]): Source[] {
  const set = packages.json<IconSet>(`@iconify-json/${vendor}/icons.json`);
  const found = new Map<string, Source>();
  for (const [emoji, icon] of iconNames(packages, vendor, set, emojis)) {
    if (!emoji || found.has(emoji.hexcode)) continue;
    const svg = iconSvg(set, icon);
    if (svg) found.set(emoji.hexcode, { hexcode: emoji.hexcode, icon, bytes: () => new TextEncoder().encode(svg) });
  }
  return [...found.values()];
}

/** Icons with their emoji: by code points where the set lists them, else by name. */
function iconNames(packages: Packages, vendor: string, set: IconSet, emojis: readonly Emoji[]): [Emoji | undefined, string][] {
  // The gradient set has the flat set's names but lists no code points.
  const lister = vendor === "fluent-emoji" ? "fluent-emoji-flat" : vendor;
  const listed = Object.entries(packages.json<Record<string, string>>(`@iconify-json/${lister}/chars.json`));
  if (listed.length > 0) {
    const byCode = codes(emojis);
    return listed.map(([code, icon]) => [byCode.get(bareCode(code)), icon]);
  }
  const byName = names(packages, emojis);
  return [...Object.keys(set.icons), ...Object.keys(set.aliases ?? {})].map((icon) => [byName.get(squeeze(icon)), icon]);
}

function iconSvg(set: IconSet, name: string): string | undefined {
  const alias = set.aliases?.[name];
  const icon = set.icons[name] ?? (alias && { ...set.icons[alias.parent], ...alias });
  if (!icon?.body) return undefined;
  const width = icon.width ?? set.width ?? 16;
  const height = icon.height ?? set.height ?? 16;
  const space = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"';
  const box = `viewBox="${icon.left ?? 0} ${icon.top ?? 0} ${width} ${height}"`;
  return `<svg ${space} ${box} width="${RENDERED}" height="${Math.round(RENDERED * height / width)}">${icon.body}</svg>`;
}

/** Code points without the variation selector that asks for colour. */
function bareCode(hexcode: string): string {
  return hexcode.toUpperCase().split("-").filter((code) => code !== "FE0F").join("-");
}

function codes(emojis: readonly Emoji[]): Map<string, Emoji> {
  return new Map(emojis.map((emoji) => [bareCode(emoji.hexcode), emoji]));
}

/** Letters and digits of a name: "Person_Bowing", "person-bowing" and "person bowing" are one. */
function squeeze(name: string): string {
  return name.toLowerCase().replaceAll("&", "and").normalize("NFD").replace(/[^a-z0-9]/g, "");
}

/** All names under which emoji go in emojibase and in the sets that list code points; the first to claim a name keeps it. */
function names(packages: Packages, emojis: readonly Emoji[]): Map<string, Emoji> {
  const byName = new Map<string, Emoji>();
  const add = (name: string, emoji: Emoji): void => {
    const key = squeeze(name);
    if (key && !byName.has(key)) byName.set(key, emoji);
  };
  for (const emoji of emojis) add(emoji.label, emoji);
  const byCode = codes(emojis);
  const lists = [
    ...["noto", "fluent-emoji-flat", "twemoji"].map((set) => `@iconify-json/${set}/chars.json`),
    "emojibase-data/meta/unicode-names.json",
  ];
  for (const list of lists) {
    for (const [code, name] of Object.entries(packages.json<Record<string, string>>(list))) {
      const emoji = byCode.get(bareCode(code));
      if (emoji) add(name, emoji);
    }
  }
  for (const list of ["emojibase", "cldr", "joypixels", "github", "iamcal", "emojibase-legacy"]) {
    const shortcodes = packages.json<Record<string, string | string[]>>(`emojibase-data/en/shortcodes/${list}.json`);
    for (const [code, names] of Object.entries(shortcodes)) {
      const emoji = byCode.get(bareCode(code));
      // Names of three letters and less are emoticons and abbreviations.
      if (emoji) for (const name of [names].flat()) if (name.length > 3) add(name, emoji);
    }
  }
  return byName;
}
