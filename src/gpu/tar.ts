import { DeviceError } from "./error.ts";

const blockBytes = 512;

/** The regular files of a tar archive (POSIX.1-1988 ustar headers) by name. Throws a DeviceError if it is cut short. */
export function readTar(archive: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (start: number, length: number): string => {
    const field = archive.subarray(start, start + length);
    const end = field.indexOf(0);
    return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
  };
  // Two zero blocks end the archive; the first one is enough to stop at.
  for (let at = 0; at < archive.length && archive[at] !== 0;) {
    const name = text(at, 100);
    const size = Number.parseInt(text(at + 124, 12).trim(), 8);
    const start = at + blockBytes;
    if (!(size >= 0 && start + size <= archive.length)) {
      throw new DeviceError(`tar: the archive must hold all of ${name}, got ${archive.length} bytes; install it again`);
    }
    const kind = archive[at + 156];
    if (kind === 0 || kind === "0".charCodeAt(0)) files.set(name, archive.subarray(start, start + size));
    at = start + Math.ceil(size / blockBytes) * blockBytes;
  }
  return files;
}
