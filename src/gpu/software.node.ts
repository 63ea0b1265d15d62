/** Where SwiftShader, Google's Vulkan driver for the CPU, may lie on a Linux machine. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { DeviceError } from "./error.ts";
import { readTar } from "./tar.ts";

/** A Vulkan driver as a file: its manifest, and the Vulkan loader that comes with it, if any. */
export interface VulkanDriver {
  how: string;
  manifest: string;
  loader?: string;
}

const manifestName = "vk_swiftshader_icd.json";
const driverFiles = [manifestName, "libvk_swiftshader.so", "libvulkan.so.1"];

/** Folders of Chromium and of programs built on it, all of which carry SwiftShader and a Vulkan loader. */
const chromiumFolders = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/usr/lib64/chromium-browser",
  "/opt/google/chrome",
  "/opt/microsoft/msedge",
  "/snap/chromium/current/usr/lib/chromium-browser",
];

/** SwiftShader of every installed Chromium, the ones that playwright has downloaded among them. */
export function installedSwiftShaders(): VulkanDriver[] {
  const playwright = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache/ms-playwright");
  const downloaded = listFolder(playwright).filter((folder) => folder.startsWith("chromium"))
    .flatMap((folder) => listFolder(join(playwright, folder)).map((inner) => join(playwright, folder, inner)));
  return [...chromiumFolders, ...downloaded]
    .filter((folder) => driverFiles.every((file) => existsSync(join(folder, file))))
    .map((folder) => driverIn(folder, `SwiftShader of ${folder}`));
}

/**
 * SwiftShader of the npm package @sparticuz/chromium (Linux on x64), unpacked into a cache folder on first use;
 * undefined where the package is not installed. The folder is named by the archive's digest: a new version unpacks anew.
 */
export async function packagedSwiftShader(how: string): Promise<VulkanDriver | undefined> {
  const archive = packageArchive();
  if (archive === undefined || process.arch !== "x64") return undefined;
  const packed = await readFile(archive);
  const digest = createHash("sha256").update(packed).digest("hex").slice(0, 16);
  for (const cache of cacheFolders()) {
    const folder = join(cache, `swiftshader-${digest}`);
    if (!existsSync(join(folder, manifestName))) {
      try {
        await unpack(packed, cache, folder);
      } catch (error) {
        // A folder that cannot be written to is passed over; a broken archive is for the user to know.
        if (error instanceof DeviceError) throw error;
        continue;
      }
    }
    if (ownedByUs(folder)) return driverIn(folder, how);
  }
  return undefined;
}

function driverIn(folder: string, how: string): VulkanDriver {
  return { how, manifest: join(folder, manifestName), loader: join(folder, "libvulkan.so.1") };
}

/** Looks beside this library, then where the program runs (for a library linked in from elsewhere). */
function packageArchive(): string | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "package.json")]) {
    try {
      const entry = createRequire(from).resolve("@sparticuz/chromium");
      const archive = join(dirname(entry), "../../bin/swiftshader.tar.br");
      if (existsSync(archive)) return archive;
    } catch {
      // Not installed here.
    }
  }
  return undefined;
}

function cacheFolders(): string[] {
  const user = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return [join(user, "llava-webgpu"), join(tmpdir(), `llava-webgpu-${process.getuid?.() ?? "user"}`)];
}

/** Unpacks beside the goal and renames, so that no process ever sees half a folder; the first of several wins. */
async function unpack(packed: Uint8Array, cache: string, folder: string): Promise<void> {
  const files = readArchive(packed);
  await mkdir(cache, { recursive: true, mode: 0o700 });
  const half = await mkdtemp(join(cache, "unpacking-"));
  try {
    for (const [file, data] of files) await writeFile(join(half, file), data);
    await rename(half, folder);
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    if (!existsSync(join(folder, manifestName))) throw error;
  }
}

/** The three files that matter of a brotli-compressed tar archive; the rest of it serves Chromium itself. */
export function readArchive(packed: Uint8Array): [file: string, data: Uint8Array][] {
  let archive: Uint8Array;
  try {
    archive = brotliDecompressSync(packed);
  } catch (cause) {
    const message = "@sparticuz/chromium: its SwiftShader must be brotli data, got damaged ones; install it again";
    throw new DeviceError(message, { cause });
  }
  const files = readTar(archive);
  return driverFiles.map((file) => {
    const data = files.get(file);
    if (data !== undefined) return [file, data];
    const found = [...files.keys()];
    throw new DeviceError(
      `@sparticuz/chromium: its SwiftShader must hold ${file}, got ${found.join(", ") || "nothing"}; `
        + "install version 143.0.4",
      { wanted: file, found },
    );
  });
}

/** A library is only loaded from a folder that no other user could have put there: the cache may lie under /tmp. */
function ownedByUs(folder: string): boolean {
  return [folder, dirname(folder)].every((path) => {
    const { uid, mode } = statSync(path);
    return uid === process.getuid?.() && (mode & 0o022) === 0;
  });
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
