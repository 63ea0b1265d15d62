import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/input/decode.ts";
import { crc32 } from "../../src/input/png.ts";
import pictures from "../golden/pillow/decoding.json";

const names = ["RGB-420-restarts.jpg", "YCCK-420-progressive.jpg", "P9-alpha.png", "type3-depth2-interlaced.png"];
const others = ["type6-depth16-interlaced.png", "RGBA-lossy-animated.webp", "P9-interlaced-key.gif"];

describe("pictures in the browser", () => {
  it.each([...names, ...others])("%s is what PIL makes of it", async (name) => {
    const golden = pictures.find(({ picture }) => picture === name);
    const image = await decodeImage(new URL(`../golden/pillow/${name}`, import.meta.url));
    expect([image.height, image.width]).toEqual(golden?.height_width);
    expect(crc32(image.data)).toBe(golden?.crc32);
  });
});
