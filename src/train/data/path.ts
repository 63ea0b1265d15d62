import { joinPath } from "#files";
import type { PictureSource } from "../../input/decode.ts";

/** A picture's path as its sample gives it, seen from `folder` (a path or URL prefix); URLs and absolute paths stay. */
export function picturePath(folder: string | undefined, source: PictureSource): PictureSource {
  if (folder === undefined || typeof source !== "string" || isAbsolute(source)) return source;
  return /^[a-z]+:\/\//i.test(folder) ? `${folder.replace(/\/+$/, "")}/${source}` : joinPath(folder, source);
}

function isAbsolute(path: string): boolean {
  return /^([/\\]|[a-z]:[/\\]|(https?|data|blob|file):)/i.test(path);
}
