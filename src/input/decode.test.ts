import { describe, expect, it } from "vitest";
import { readJson, readPicture } from "../../test/golden/pixels/read.ts";
import { decodeImage } from "./decode.ts";
import { crc32 } from "./png.ts";

interface Golden {
  picture: string;
  by_path: { height_width: [number, number]; crc32: number };
}
const { pictures } = readJson<{ pictures: Golden[] }>("decoding.json");

describe("decodeImage against PIL", () => {
  it.each(pictures)("$picture", async ({ picture, by_path }) => {
    const image = await decodeImage(readPicture(picture));
    expect([image.height, image.width]).toEqual(by_path.height_width);
    expect(crc32(image.data)).toBe(by_path.crc32);
  });
});
