# SPDX-License-Identifier: MIT
"""Pictures of a report in light, in dark and on a phone: not blank, and of the right ground."""
import struct
import sys
import zlib


def pixels(path):
    """A list of rows of (r, g, b); of 8-bit RGB and RGBA files without interlace."""
    data = open(path, "rb").read()
    at, body, width = 8, b"", 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", data[at + 8:at + 18])
            step = {2: 3, 6: 4}[color]
            assert depth == 8
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, rows, above = zlib.decompress(body), [], bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        kind, row = raw[start], bytearray(raw[start + 1:start + 1 + width * step])
        if kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above))
        elif kind:
            for i, value in enumerate(row):
                left = row[i - step] if i >= step else 0
                corner = above[i - step] if i >= step else 0
                if kind == 1:
                    guess = left
                elif kind == 3:
                    guess = (left + above[i]) // 2
                else:
                    p = left + above[i] - corner
                    guess = min((left, above[i], corner), key=lambda c: abs(p - c))
                row[i] = value + guess & 255
        rows.append([tuple(row[i:i + 3]) for i in range(0, len(row), step)])
        above = row
    return rows


bad = []
for path, wants_dark in zip(sys.argv[1:], (False, True, False)):
    counts = {}
    for row in pixels(path)[::3]:
        for pixel in row:
            counts[pixel] = counts.get(pixel, 0) + 1
    ground = max(counts, key=counts.get)
    share = counts[ground] / sum(counts.values())
    if (sum(ground) < 3 * 128) != wants_dark:
        bad.append(f"{path}: the ground is {ground}")
    if share > 0.98 or len(counts) < 50:
        bad.append(f"{path}: blank: {share:.1%} ground, {len(counts)} colours")
    # the hottest colour of the palette: the pictures are there
    hottest = (0xFF, 0xE3, 0xAD) if wants_dark else (0x6F, 0x24, 0x08)
    if counts.get(hottest, 0) < 20:
        bad.append(f"{path}: no heat map")
print("\n".join(bad), end="\n" if bad else "")
sys.exit(1 if bad else 0)
