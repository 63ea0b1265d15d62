import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { decodeImage } from "./decode.ts";
import { crc32 } from "./png.ts";
import { resize } from "./resize.ts";
const { files, resizes } = JSON.parse(readFileSync("/tmp/x/x.json", "utf8"));
it("files", async () => {
  const bad: string[] = [];
  for (const f of files) {
    try {
      const i = await decodeImage(new Uint8Array(readFileSync("/tmp/x/" + f.name)));
      const ok = crc32(i.data) === f.crc && i.height === f.size[0];
      const t = JSON.stringify(i.transparent ?? null) === JSON.stringify(f.t);
      if (!ok || !t) bad.push(`${f.name} ${ok ? "" : "pixels"} ${t ? "" : `t ${i.transparent} ${f.t}`}`);
    } catch (e) { bad.push(f.name + " " + (f.error ?? "") + String(e)); }
  }
  console.log(files.length, bad.length, bad.join("\n"));
});
it("resizes", () => {
  let bad = 0;
  for (const [w, h, nw, nh, f, seed, crc] of resizes) {
    let s = seed;
    const data = Uint8Array.from({ length: w * h * 3 }, () => (s = (Math.imul(s, 1664525) + 1013904223) >>> 0) >>> 24);
    if (crc32(resize({ width: w, height: h, data }, nw, nh, f).data) !== crc) { bad++; console.log(w, h, nw, nh, f); }
  }
  expect(bad).toBe(0);
});
