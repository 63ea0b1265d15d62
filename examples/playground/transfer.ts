/** Pictures and checkpoint folders from drops, pastes and file pickers. */
import type { ModelSource } from "./session.ts";

/** What was dropped or pasted. */
export type Transfer = { readonly picture: File } | { readonly model: ModelSource };

/** The files of a folder picked by `<input webkitdirectory>`; undefined if there are none. */
export function pickedFolder(files: FileList): ModelSource | undefined {
  if (files.length === 0) return undefined;
  // A copy: the input empties its list when it is reset.
  return { name: files[0].webkitRelativePath.split("/")[0] || "checkpoint", files: [...files] };
}

/**
 * A dropped folder, or several files with a checkpoint's among them, are a model; else the first file is a picture.
 * Undefined if there are no files, as for dropped or pasted text.
 */
export async function readTransfer(data: DataTransfer): Promise<Transfer | undefined> {
  // Both are gone once the event's handler returns, so they are taken before anything is awaited.
  const files = [...data.files];
  const folder = [...data.items].map((item) => item.webkitGetAsEntry()).find((entry) => entry?.isDirectory);
  if (folder) return { model: { name: folder.name, files: await readFolder(folder as FileSystemDirectoryEntry) } };
  if (files.some(({ name }) => name === "config.json" || name.endsWith(".safetensors"))) {
    return { model: { name: "checkpoint", files } };
  }
  return files.length > 0 ? { picture: files[0] } : undefined;
}

/** The files right inside a folder, where checkpoints have all of theirs. */
async function readFolder(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  for (;;) {
    // Entries come in batches, the last of which is empty.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return files;
    for (const entry of batch.filter(({ isFile }) => isFile)) {
      files.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
    }
  }
}
