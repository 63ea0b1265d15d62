"""Writes small pictures of every kind that Pillow can write, and what Pillow makes of them (decoding.json) and of noise
when it resizes it (resize.json). Run here: pip install pillow==13.0.0 numpy && python make.py"""

import json
import random
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
