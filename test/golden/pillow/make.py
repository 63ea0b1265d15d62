"""Writes small pictures of every kind that Pillow can write, PNGs and GIFs that it can only read, and what Pillow makes
of them (decoding.json) and of noise when it resizes it (resize.json). Run here: pip install pillow==13.0.0 numpy && python make.py"""

import json
import random
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

warnings.simplefilter("ignore")
random.seed(1)
rng = np.random.default_rng(1)
W, H = 33, 21
pictures = []


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def waves(channels):
    y, x = np.mgrid[0:H, 0:W]
    planes = [127 + 100 * np.sin(x / (7 + i * 3) + i) + 27 * np.cos(y / (5 + i)) for i in range(channels)]
    noisy = np.stack(planes, -1) + rng.normal(0, 6, (H, W, channels))
    values = np.clip(noisy, 0, 255).astype(np.uint8)
    return values[..., 0] if channels == 1 else values


def add(image, name, **options):
    image.save(name, **options)
    record(name)


def record(name):
    upright = ImageOps.exif_transpose(Image.open(name)).convert("RGB")
    key = upright.info.get("transparency")
    pictures.append({"picture": name, "height_width": [upright.height, upright.width], "crc32": crc(np.array(upright)),
                     **({"transparent": key} if key is not None else {})})


for mode, channels in (("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
    add(Image.fromarray(waves(channels), mode), f"{mode}.png")
add(Image.fromarray(waves(1)).convert("1"), "bits.png")
add(Image.fromarray(waves(1)), "L-key.png", transparency=99)
add(Image.fromarray(waves(3)), "RGB-key.png", transparency=(1, 2, 3))
add(Image.fromarray(waves(1).astype(np.uint16) * 2), "L16.png")
for colours in (2, 3, 9, 200):
    palette = Image.fromarray(waves(3)).quantize(colours)
    add(palette, f"P{colours}.png")
    add(palette, f"P{colours}-key.png", transparency=1)
    add(palette, f"P{colours}-alpha.png", transparency=bytes([0, 128]))
    add(palette, f"P{colours}.gif", interlace=0)
    add(palette, f"P{colours}-interlaced-key.gif", interlace=1, transparency=1)
frames = [Image.fromarray(waves(3)) for _ in range(3)]
add(frames[0], "animated.gif", save_all=True, append_images=frames[1:])
add(frames[0], "animated.png", save_all=True, append_images=frames[1:])
for mode, channels in (("RGB", 3), ("RGBA", 4)):
    image = Image.fromarray(waves(channels))
    for lossless in (False, True):
        kind = "lossless" if lossless else "lossy"
        add(image, f"{mode}-{kind}.webp", lossless=lossless)
        add(image, f"{mode}-{kind}-animated.webp", lossless=lossless, save_all=True,
            append_images=[Image.fromarray(waves(channels))])
for mode, channels in (("L", 1), ("RGB", 3), ("CMYK", 4)):
    image = Image.fromarray(waves(channels), mode)
    for subsampling, name in ((0, "444"), (1, "422"), (2, "420")):
        for progressive in (False, True):
            tail = "-progressive" if progressive else "-restarts"
            extra = {} if progressive else {"restart_marker_blocks": 3}
            add(image, f"{mode}-{name}{tail}.jpg", quality=80, subsampling=subsampling, progressive=progressive, **extra)
            if mode == "CMYK":  # the same bytes read as YCCK
                data = bytearray(open(f"{mode}-{name}{tail}.jpg", "rb").read())
                data[data.find(b"Adobe") + 11] = 2
                copy = f"YCCK-{name}{tail}.jpg"
                open(copy, "wb").write(data)
                pictures.append({"picture": copy, "height_width": [H, W],
                                 "crc32": crc(np.array(Image.open(copy).convert("RGB")))})
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    for ending in ("jpg", "png", "webp"):
        add(Image.fromarray(waves(3)), f"orientation{orientation}.{ending}", exif=exif)

noise_rng = np.random.default_rng(2)  # of its own, so that the pictures above do not change


def filtered(rows, pixel_bytes):
    """The rows of a PNG, each with the next of the five filters."""
    out = b""
    above = np.zeros(rows.shape[1], int)
    for y, row in enumerate(rows.astype(int)):
        left = np.concatenate([np.zeros(pixel_bytes, int), row])[: len(row)]
        corner = np.concatenate([np.zeros(pixel_bytes, int), above])[: len(row)]
        to = [abs(left + above - corner - value) for value in (left, above, corner)]
        nearest = np.where((to[0] <= to[1]) & (to[0] <= to[2]), left, np.where(to[1] <= to[2], above, corner))
        guess = [0 * row, left, above, (left + above) // 2, nearest][y % 5]
        out += bytes([y % 5]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    return out


def packed(samples, depth):
    """Samples [rows, columns x channels] as the bytes of rows."""
    if depth == 16:
        return samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    bits = (samples[:, :, None] >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.reshape(len(samples), -1), axis=1)


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def add_png(name, width, height, kind, depth, interlaced, extra=()):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    samples = noise_rng.integers(0, 2**depth, (height, width, channels))
    if kind == 0 and depth == 16:
        samples %= 400  # Pillow clips at 255
    data = b""
    for left, top, step_x, step_y in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[top::step_y, left::step_x]
        if part.size:
            data += filtered(packed(part.reshape(len(part), -1), depth), max(1, channels * depth // 8))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    palette = noise_rng.integers(0, 256, 3 * min(2**depth, 200), dtype=np.uint8).tobytes()
    chunks = [(b"IHDR", header), *([(b"PLTE", palette)] if kind == 3 else []), *extra]
    chunks += [(b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for tag, body in chunks:
            file.write(struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body)))
    record(name)


DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
for kind, depths in DEPTHS.items():
    for depth in depths:
        add_png(f"type{kind}-depth{depth}.png", 19, 13, kind, depth, 0)
        add_png(f"type{kind}-depth{depth}-interlaced.png", 19, 13, kind, depth, 1)
for width, height in ((1, 1), (2, 5), (5, 1)):
    add_png(f"interlaced-{width}x{height}.png", width, height, 3, 2, 1)
    add_png(f"interlaced-{width}x{height}-rgb.png", width, height, 2, 8, 1)
add_png("odd-chunks.png", 5, 3, 6, 8, 0, [(b"tRNS", b"\0\x01"), (b"tEXt", b"no keyword"), (b"prIv", b"private")])


def add_gif(name, codes, screen, place, extra=b""):
    """A GIF of four colours. A clear code (4) before every other keeps all codes 3 bits long."""
    bits = "".join(f"{code:03b}"[::-1] for code in codes)
    data = bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))
    with open(name, "wb") as file:
        file.write(b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 2, 0) + bytes([10, 11, 12, 30, 31, 32]))
        file.write(extra + b"," + struct.pack("<HHHHB", *place, 0) + b"\x02" + bytes([len(data)]) + data + b"\0;")
    record(name)


PIXELS = [4, 1, 4, 0, 4, 2, 4, 1, 4, 3, 4, 0]  # 2 and 3 are beyond the palette
add_gif("beyond-palette.gif", [*PIXELS, 5], (3, 2), (0, 0, 3, 2))
add_gif("beyond-screen.gif", [*PIXELS, 5], (2, 2), (1, 1, 3, 2))
add_gif("uncovered.gif", [*PIXELS, 5], (5, 4), (1, 1, 3, 2))
add_gif("uncovered-key.gif", [*PIXELS, 5], (5, 4), (1, 1, 3, 2), b"!\xf9\x04\x01\0\0\x01\0")
add_gif("plain-text.gif", [*PIXELS, 5], (3, 2), (0, 0, 3, 2), b"!\x01\x02ab\0")
add_gif("surplus.gif", [4, 1, 6, 6, 4, 1, 5], (4, 1), (0, 0, 4, 1))
add_gif("no-end.gif", PIXELS, (3, 2), (0, 0, 3, 2))

FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]


def noise(count, state):
    values = np.empty(count, np.uint8)
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    return values


resizes = []
for seed in range(1, 301):
    w, h, to_w, to_h = (random.randint(1, 60) for _ in range(4))
    if seed % 5 == 0:
        h = random.randint(60, 200)
    if seed % 5 == 1:
        w = random.randint(60, 200)
    name = random.choice(FILTERS)
    result = Image.fromarray(noise(w * h * 3, seed).reshape(h, w, 3)).resize((to_w, to_h), FILTERS.index(name))
    resizes.append({"seed": seed, "from": [w, h], "to": [to_w, to_h], "filter": name, "crc32": crc(np.array(result))})


def write(name, rows):
    with open(name, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


write("decoding.json", pictures)
write("resize.json", resizes)
