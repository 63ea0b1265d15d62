/** Standard error, for all that is not the answer: progress, timings, errors. */
import { closeSync, createWriteStream, fstatSync, openSync } from "node:fs";
import type { Writable } from "node:stream";
import { isatty, WriteStream } from "node:tty";

/** A stream of notes; the three last members are there where it is a terminal. */
export interface Notes extends Pick<Writable, "write" | "on"> {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly getColorDepth?: () => number;
}

const STDERR = 2;

/**
 * Standard error without what native code writes there: Dawn warns of harmless things on each adapter, the Vulkan loader
 * of each driver that it cannot use. So our notes get a descriptor of their own, and number 2 leads nowhere. That goes
 * with terminals and pipes; elsewhere (a file's position would no longer be shared, a socket cannot be opened again, and
 * Windows has no such paths) and with `verbose` everything is let through. To be called once, before any driver is loaded.
 */
export function openNotes(verbose: boolean): Notes {
  const isTerminal = isatty(STDERR);
  if (verbose || process.platform === "win32" || !(isTerminal || fstatSync(STDERR).isFIFO())) return process.stderr;
  let own: number;
  try {
    own = openSync(`/dev/fd/${STDERR}`, "w");
  } catch {
    // Not ours to open, as after `su`.
    return process.stderr;
  }
  closeSync(STDERR);
  // The lowest free number is given out, so this is the new 2.
  openSync("/dev/null", "w");
  return isTerminal ? new WriteStream(own) : createWriteStream("", { fd: own });
}
