"""Picture files written byte by byte, where Pillow writes 8 bits only."""

import struct
import zlib

import numpy as np

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour types, by the number of bands


def png16(values, *, interlaced=False, before=(), after=()):
    """A PNG of `(height, width, bands)` numbers up to 65535, its rows filtered in all five ways.

    `before` and `after` are chunks (type, data) before and after the pixels.
    """
    height, width, bands = values.shape
    passes = [values[y::dy, x::dx] for x, y, dx, dy in ADAM7] if interlaced else [values]
    pixels = b"".join(_filtered(part.astype(">u2"), 2 * bands) for part in passes if part.size)
    head = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOURS[bands], 0, 0, interlaced)
    chunks = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(pixels)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def exif(orientation):
    """An EXIF block that says nothing but the orientation."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(values, step):
    """Rows of bytes behind the numbers of their filters, one after the other of the five."""
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(len(values), -1).astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left, corner = (np.pad(a, ((0, 0), (step, 0)))[:, :-step] for a in (rows, above))
    guesses = [np.zeros_like(rows), left, above, (left + above) // 2, _paeth(left, above, corner)]
    return b"".join(bytes([y % 5, *((row - guesses[y % 5][y]) % 256)]) for y, row in enumerate(rows))


def _paeth(left, above, corner):
    """Of the three neighbours the one nearest to left + above − corner, in that order."""
    candidates = np.stack([left, above, corner])
    nearest = np.abs(candidates - (left + above - corner)).argmin(0)
    return np.take_along_axis(candidates, nearest[None], 0)[0]


def psd(values, bits=8):
    """A flat RGB PSD of `(height, width, bands)` numbers of up to 8 or 16 bits."""
    height, width, bands = values.shape
    planes = values.transpose(2, 0, 1).astype(f">u{bits // 8}").tobytes()
    return b"8BPS" + struct.pack(">H6xHIIHH", 1, bands, height, width, bits, 3) + bytes(12) + b"\0\0" + planes


def tiff_header(width, height, bands, bits, *, offset=0, count=0, compression=1):
    """A little-endian RGB TIFF of one strip of `count` bytes at `offset`, all but the strip."""
    formats = {3: "H", 4: "I"}
    fields = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * bands), 259: (3, [compression]), 262: (3, [2])}
    fields |= {273: (4, [offset]), 277: (3, [bands]), 278: (4, [height]), 279: (4, [count])}
    if bands > 3:
        fields[338] = (3, [0] * (bands - 3))
    entries, behind, place = b"", b"", 8 + 2 + 12 * len(fields) + 4
    for tag, (kind, values) in fields.items():
        data = struct.pack(f"<{len(values)}{formats[kind]}", *values)
        if len(data) > 4:
            behind, data = behind + data, struct.pack("<I", place + len(behind))
        entries += struct.pack("<HHI", tag, kind, len(values)) + data.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + bytes(4) + behind
