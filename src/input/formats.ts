/** Formats that can be decoded. */
export type Format = "jpeg" | "png" | "webp" | "gif";

const latin = (bytes: Uint8Array, from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));

/** The format that the first bytes show; undefined if it is none of the four. The name of a file says nothing. */
export function sniffFormat(bytes: Uint8Array): Format | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "jpeg";
  if (latin(bytes, 0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (latin(bytes, 0, 4) === "RIFF" && latin(bytes, 8, 12) === "WEBP") return "webp";
  if (/^GIF8[79]a$/.test(latin(bytes, 0, 6))) return "gif";
  return undefined;
}

/** The name of a known format that cannot be decoded, or undefined. */
export function nameUnsupported(bytes: Uint8Array): string | undefined {
  const head = latin(bytes, 0, 16);
  if (head.startsWith("BM")) return "BMP";
  if (head.startsWith("II*\0") || head.startsWith("MM\0*") || head.startsWith("II+\0") || head.startsWith("MM\0+")) {
    return "TIFF";
  }
  if (head.startsWith("%PDF")) return "PDF";
  if (head.startsWith("\0\0\x01\0")) return "ICO";
  if (head.startsWith("8BPS")) return "PSD";
  if (head.startsWith("\xff\x0a") || head.startsWith("\0\0\0\x0cJXL ")) return "JPEG XL";
  if (head.startsWith("\0\0\0\x0cjP  ")) return "JPEG 2000";
  if (head.slice(4, 8) === "ftyp") {
    const brand = head.slice(8, 12);
    if (brand === "avif" || brand === "avis") return "AVIF";
    return /^(hei|hev|mif1|msf1)/.test(brand) ? "HEIC" : "MP4 video";
  }
  const text = latin(bytes, 0, 512).trimStart().toLowerCase();
  if (/^(<\?xml[^]*)?(<!--[^]*)?<svg/.test(text)) return "SVG";
  if (/^<(!doctype html|html|head|body)/.test(text)) return "an HTML page";
  return undefined;
}
