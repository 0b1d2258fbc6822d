"""Pictures of any depth, layout and transparency are read exactly; what has no defined colours is refused."""

import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from picture_files import exif, png16, psd, tiff_header
from wavelens.frontends.image import open_image, read_image
from wavelens.frontends.pictures import stored

EXACT = {"rtol": 0, "atol": 1e-6}  # a few roundings in float32
WITH_CODECS = pytest.mark.needs("imagecodecs")


def noise(*shape, top=65535):
    return np.random.default_rng(0).integers(0, top + 1, shape).astype(np.uint16 if top > 255 else np.uint8)


def rgb(colour):
    """The tensor of `(height, width, 1 or 3)` numbers in [0, 1]."""
    return torch.from_numpy(np.broadcast_to(colour, (*colour.shape[:2], 3)).astype(np.float32)).permute(2, 0, 1)[None]


def over_white(values, top=65535):
    """What straight transparency in the last band shows."""
    colour, alpha = values[..., :-1] / top, values[..., -1:] / top
    return colour * alpha + 1 - alpha


def read_equals(path, colour):
    x = read_image(path)
    torch.testing.assert_close(x, rgb(colour), **EXACT)
    assert open_image(path).shape == x.shape


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_a_png_of_16_bits(tmp_path, bands, interlaced):
    values = noise(21, 18, bands)
    (tmp_path / "a.png").write_bytes(png16(values, interlaced=interlaced))
    read_equals(tmp_path / "a.png", values / 65535 if bands % 2 else over_white(values))


@pytest.mark.parametrize("bands", [1, 3])
def test_the_transparent_colour_of_a_png_of_16_bits(tmp_path, bands):
    values = np.full((5, 4, bands), 0x1234, np.uint16)
    values[0] += 1  # the same high byte, and not transparent
    (tmp_path / "a.png").write_bytes(png16(values, before=[(b"tRNS", values[1, 0].astype(">u2").tobytes())]))
    expected = values / 65535
    expected[1:] = 1
    read_equals(tmp_path / "a.png", expected)


@pytest.mark.parametrize("white", [1, 100, 255, 256, 4095, 65535])
@pytest.mark.parametrize(("magic", "bands"), [("P2", 1), ("P3", 3), ("P5", 1), ("P6", 3)])
def test_pgm_and_ppm_of_any_maximum(tmp_path, magic, bands, white):
    values = noise(5, 7, bands, top=white)
    plain = " ".join(map(str, values.flatten())).encode()
    data = plain if magic in ("P2", "P3") else values.astype(">u2" if white > 255 else np.uint8).tobytes()
    (tmp_path / "a.ppm").write_bytes(f"{magic} # by hand\n#\n7\n 5\t{white}\n".encode() + data)
    read_equals(tmp_path / "a.ppm", values / white)


@pytest.mark.parametrize(
    "text",
    [
        b"P1\n# by hand\n3 2\n1 0 1\n0 1 0\n",
        b"P1 3 2\n101010",
        b"P1\n3 # wide\n2 # high\n1 0 # a comment\n1 0\n10",
        b"P4\n# by hand\n3 2\n\xa0\x40",
    ],
)
@pytest.mark.parametrize("name", ["a.pbm", "a.pnm"])
def test_pbm_is_black_where_it_is_1(tmp_path, text, name):
    (tmp_path / name).write_bytes(text)
    black = np.array([[1, 0, 1], [0, 1, 0]])
    read_equals(tmp_path / name, 1.0 - black[..., None])
    assert np.array_equal(stored(tmp_path / name)[..., 0], 1 - black)


@pytest.mark.parametrize("text", [b"P1 3 2\n10101", b"P4 30 2\n\xa0\x40"])
def test_a_pbm_that_is_short_says_so(tmp_path, text):
    (tmp_path / "a.pbm").write_bytes(text)
    with pytest.raises(ValueError, match=r"a\.pbm could not be decoded"):
        read_image(tmp_path / "a.pbm")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_numbers_of_a_pnm_may_have_comments_between_them(tmp_path, end):
    lines = [b"P2", b"3 2 # hello", b"9", b"1 2 3 # the first row, 7", b"#", b"4 5 6"]
    (tmp_path / "a.pgm").write_bytes(end.join(lines))
    read_equals(tmp_path / "a.pgm", np.array([[1, 2, 3], [4, 5, 6]])[..., None] / 9)


@pytest.mark.parametrize(
    ("kind", "bands"), [("GRAYSCALE", 1), ("GRAYSCALE_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4), ("", 3), ("RGB", 4)]
)
def test_pam(tmp_path, kind, bands):
    values = noise(5, 7, bands, top=4095)
    head = (
        f"P7\nWIDTH 7\nHEIGHT 5\n# by hand\nDEPTH {bands}\nMAXVAL 4095\n{f'TUPLTYPE {kind}' if kind else ''}\nENDHDR\n"
    )
    (tmp_path / "a.pam").write_bytes(head.encode() + values.astype(">u2").tobytes())
    read_equals(tmp_path / "a.pam", over_white(values, 4095) if "ALPHA" in kind else values[..., :3] / 4095)


@pytest.mark.parametrize("scale", [1.0, -1.0, 0.25, -0.5])
@pytest.mark.parametrize(("magic", "bands"), [("PF", 3), ("Pf", 1)])
def test_pfm_is_stored_from_below_in_either_byte_order_and_scaled(tmp_path, magic, bands, scale):
    values = np.random.default_rng(0).random((5, 7, bands)).astype(np.float32)
    data = values[::-1].astype("<f4" if scale < 0 else ">f4").tobytes()
    (tmp_path / "a.pfm").write_bytes(f"{magic}\n7 5\n{scale}\n".encode() + data)
    read_equals(tmp_path / "a.pfm", values * abs(scale))


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"PF\n2 1\n0\n", "scale of a PFM is a number other than 0; .*a.pfm has '0'"),
        (b"PF\n2 1\n--\n", "scale of a PFM is a number other than 0"),
        (b"Pf\n2 1\n-1e9\n", "0 to 1e[+]09"),
        (b"PF\n9 9\n-1\n", "ends after 6 of 243 samples.* The file is damaged"),
        (b"PF\n9 9\n", "no width, height and scale"),
        (b"PF\n0 9\n1\n", "is 0 × 9"),
    ],
)
def test_a_pfm_that_shows_nothing_says_so(tmp_path, head, reason):
    (tmp_path / "a.pfm").write_bytes(head + np.array([0, 1, 0.5, 0, 1, 0.5], "<f4").tobytes())
    with pytest.raises(ValueError, match=reason):
        read_image(tmp_path / "a.pfm")


def test_the_stored_numbers_of_a_pnm_are_its_own(tmp_path):
    """Pillow would scale them to its own maximum."""
    (tmp_path / "a.pfm").write_bytes(b"Pf\n2 1\n-2\n" + np.array([0.25, 0.5], "<f4").tobytes())
    np.testing.assert_array_equal(stored(tmp_path / "a.pfm")[..., 0], [[0.5, 1]])
    for white in (3, 999):
        values = noise(4, 6, 1, top=white)
        (tmp_path / "a.pgm").write_bytes(f"P2\n6 4\n{white}\n{' '.join(map(str, values.flatten()))}\n".encode())
        np.testing.assert_array_equal(stored(tmp_path / "a.pgm"), values)


def test_a_pnm_that_is_short_or_beyond_its_maximum_says_so(tmp_path):
    (tmp_path / "short.ppm").write_bytes(b"P6 7 5 65535\n" + bytes(100))
    with pytest.raises(ValueError, match=r"short\.ppm could not be decoded: it ends after 50 of 105 samples.*damaged"):
        read_image(tmp_path / "short.ppm")
    (tmp_path / "bright.pgm").write_bytes(b"P2 2 1 100\n 50 101")
    with pytest.raises(ValueError, match=r"bright\.pgm has 50 to 101\. Scale it first"):
        read_image(tmp_path / "bright.pgm")
    for name, text in {"headless.pgm": b"P5 2 x", "endless.pam": b"P7\nWIDTH 2\n"}.items():
        (tmp_path / name).write_bytes(text)
        with pytest.raises(ValueError, match=f"{name} could not be decoded: its header .* damaged"):
            read_image(tmp_path / name)


LAYOUTS = {  # bands, options of tifffile, what is seen of values in [0, 1]
    "grey": (1, {"photometric": "minisblack"}, lambda v: v),
    "grey from white": (1, {"photometric": "miniswhite"}, lambda v: 1 - v),
    "grey, transparent": (2, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, lambda v: over_white(v, 1)),
    "colour": (3, {"photometric": "rgb"}, lambda v: v),
    "colour in planes": (3, {"photometric": "rgb", "planarconfig": "separate"}, lambda v: v),
    "colour, transparent": (4, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, lambda v: over_white(v, 1)),
    "premultiplied": (4, {"photometric": "rgb", "extrasamples": ["assocalpha"]}, lambda v: v[..., :3] + 1 - v[..., 3:]),
    "colour and infrared": (4, {"photometric": "rgb", "extrasamples": ["unspecified"]}, lambda v: v[..., :3]),
    "inks": (4, {"photometric": "separated"}, lambda v: (1 - v[..., :3]) * (1 - v[..., 3:])),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_tiffs(tmp_path, layout, dtype):
    bands, options, seen = LAYOUTS[layout]
    top = np.iinfo(dtype).max if dtype[0] == "u" else 1
    values = noise(6, 9, bands, top=255) if dtype == "uint8" else (noise(6, 9, bands) / 65535 * top).astype(dtype)
    if layout == "premultiplied":
        values[..., :3] = np.minimum(values[..., :3], values[..., 3:])
    stack = values.transpose(2, 0, 1) if "planarconfig" in options else values[..., 0] if bands == 1 else values
    for name, more in {
        "a": {},
        "b": {"byteorder": ">"},
        "c": {"compression": "zlib", "predictor": dtype[0] == "u"},
    }.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", stack, **options, **more)
        x, expected = read_image(tmp_path / f"{name}.tif"), rgb(seen(values.astype(np.float64) / top))
        tolerance = 1.01 / 255 if dtype == "uint8" else 1e-6  # Pillow composites and mixes inks in bytes
        torch.testing.assert_close(x, expected, rtol=0, atol=tolerance)


def test_a_fourth_band_that_says_nothing_is_not_transparency(tmp_path):
    values = noise(6, 9, 4, top=255)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unspecified"])
    data = (tmp_path / "a.tif").read_bytes()
    tag = np.array([338, 3], "<u2").tobytes()  # ExtraSamples; without it Pillow takes the band for alpha
    assert data.count(tag) == 1
    (tmp_path / "b.tif").write_bytes(data.replace(tag, np.array([65000, 3], "<u2").tobytes()))
    Image.fromarray(values).save(tmp_path / "c.tga")
    tga = bytearray((tmp_path / "c.tga").read_bytes())
    tga[17] &= 0xF0  # bits of alpha: none
    (tmp_path / "c.tga").write_bytes(tga)
    (tmp_path / "d.psd").write_bytes(psd(values))
    for name in ("a.tif", "b.tif", "c.tga", "d.psd"):
        read_equals(tmp_path / name, values[..., :3] / 255)


EXTRA_BANDS = {  # behind red, green and blue: their kinds, and which of them is the transparency
    "last": (["unspecified", "unassalpha"], 1),
    "last, premultiplied": (["unspecified", "assocalpha"], 1),
    "first": (["unassalpha", "unspecified"], 0),
    "second of three": (["unspecified", "unassalpha", "unspecified"], 1),
    "first of two": (["unassalpha", "assocalpha"], 0),
}


@pytest.mark.parametrize("where", EXTRA_BANDS)
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("top", [255, 65535])
def test_the_first_band_that_says_so_is_the_transparency_of_a_tiff(tmp_path, where, planar, top):
    kinds, place = EXTRA_BANDS[where]
    values = noise(6, 9, 3 + len(kinds), top=top)
    alpha = values[..., 3 + place : 4 + place]
    if kinds[place] == "assocalpha":
        values[..., :3] = np.minimum(values[..., :3], alpha)
        expected = values[..., :3] / top + 1 - alpha / top
    else:
        expected = over_white(np.concatenate([values[..., :3], alpha], -1), top)
    stack = values.transpose(2, 0, 1) if planar == "separate" else values
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="rgb", extrasamples=kinds, planarconfig=planar)
    x = read_image(tmp_path / "a.tif")
    torch.testing.assert_close(x, rgb(expected), rtol=0, atol=1.01 / 255 if top == 255 else 1e-6)


BOMBS = {"many bands": (3000, 3000, 100, 16), "one photo": (6000, 5000, 3, 16), "8 bits": (6000, 5000, 3, 8)}


@pytest.mark.parametrize("compression", [1, 8, 50000], ids=["plain", "deflate", "zstd"])
@pytest.mark.parametrize("shape", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("read", [open_image, read_image])
def test_a_tiff_without_its_strips_is_refused_before_memory_is_taken(tmp_path, capfd, read, shape, compression):
    (tmp_path / "a.tif").write_bytes(tiff_header(*shape, compression=compression))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"1 of its 1 strips or tiles are missing .*damaged; get a fresh copy"):
            read(tmp_path / "a.tif")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    assert capfd.readouterr() == ("", "")


def test_a_tiff_is_bounded_by_all_its_bands_and_by_what_its_bytes_can_hold(tmp_path):
    data = zlib.compress(bytes(2000))
    for name, shape, reason in (
        ("bands.tif", (9000, 9000, 100, 16), r"larger than Pillow opens: .*16200000000 bytes.* exceeds limit of 28633"),
        ("pixels.tif", (20000, 20000, 3, 8), "larger than Pillow opens: .*400000000 pixels"),
        ("empty.tif", (3000, 3000, 100, 16), "could not be decoded: its pixels take 17[0-9]+ bytes or more, .*damaged"),
    ):
        head = tiff_header(*shape, offset=8, count=len(data), compression=8)
        head = tiff_header(*shape, offset=len(head), count=len(data), compression=8)
        (tmp_path / name).write_bytes(head + data)
        with pytest.raises(ValueError, match=reason):
            read_image(tmp_path / name)


def test_a_photo_of_48_megapixels_and_16_bits_is_not_too_large(tmp_path):
    head = tiff_header(8000, 6000, 3, 16, offset=1024, count=8000 * 6000 * 6)
    with (tmp_path / "a.tif").open("wb") as file:
        file.write(head)
        file.truncate(1024 + 8000 * 6000 * 6)  # a hole
    assert open_image(tmp_path / "a.tif").shape == (1, 3, 6000, 8000)


LOSSES = {  # of the first of the strips: its offset, its length
    "neither": (0, 0),
    "no offset": (0, None),
    "no length": (None, 0),
    "beyond the end": (2**30, None),
}


@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("top", [255, 65535])
def test_a_tiff_that_lacks_one_of_its_strips_says_so(tmp_path, capfd, lost, compression, top):
    path, values = tmp_path / "a.tif", noise(40, 9, 3, top=top)
    tifffile.imwrite(path, values, photometric="rgb", compression=compression, rowsperstrip=8)
    with tifffile.TiffFile(path) as file:
        tags = [file.pages[0].tags[name] for name in ("StripOffsets", "StripByteCounts")]
        places = [(tag.valueoffset, {3: 2, 4: 4}[int(tag.dtype)]) for tag in tags]
    data = bytearray(path.read_bytes())
    for (place, width), value in zip(places, LOSSES[lost], strict=True):
        if value is not None:
            data[place : place + width] = value.to_bytes(width, "little")
    path.write_bytes(data)
    if lost == "no length" and compression is None and top == 255:  # Pillow needs none
        read_equals(path, values / top)
    else:
        with pytest.raises(ValueError, match=r"a\.tif could not be decoded: 1 of its 5 strips or tiles are missing"):
            read_image(path)
    assert capfd.readouterr() == ("", "")


def test_a_tga_and_a_jpeg_2000_that_declare_transparency_have_it(tmp_path):
    values = np.full((6, 9, 4), (0, 0, 0, 51), np.uint8)
    for name in ("a.tga", "a.jp2"):
        Image.fromarray(values).save(tmp_path / name)
        read_equals(tmp_path / name, over_white(values, 255))


@pytest.mark.parametrize(
    ("values", "options", "reason"),
    [
        (
            noise(6, 9, 5),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "has 5 bands, of which it does not say which are colours",
        ),
        (noise(6, 9, 4, top=255), {"photometric": "minisblack", "planarconfig": "contig"}, "has 4 bands"),
        (noise(6, 9, 3, top=255), {"photometric": "cielab"}, "a photo is grey, RGB or CMYK; .* is CIELAB"),
        (noise(6, 9).astype(np.int16), {}, "holds int16, of which no value is known to be black or white"),
        (noise(6, 9, top=100).astype(np.int8), {}, "holds int8"),
        (noise(6, 9).astype(np.uint32), {}, "holds uint32"),
        (noise(6, 9).astype(np.int32), {}, "holds int32"),
        (noise(6, 9).astype(np.complex64), {}, "holds complex64"),
        (np.full((6, 9, 3), 255, np.float32), {"photometric": "rgb"}, "or to 1 in floats; .* has 255 to 255. Scale it"),
        (np.full((6, 9), np.nan, np.float32), {}, "has nan to nan"),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, np.ndarray) else "",
)
def test_a_tiff_without_defined_colours_is_refused_and_not_called_damaged(tmp_path, values, options, reason):
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    with pytest.raises(ValueError, match=reason) as caught:
        read_image(tmp_path / "a.tif")
    assert "damaged" not in str(caught.value)


@WITH_CODECS
@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits"])
def test_deep_tiffs_however_they_are_compressed(tmp_path, compression):
    values = noise(6, 9, 3)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression=compression)
    read_equals(tmp_path / "a.tif", values / 65535)


@pytest.mark.needs("imagecodecs")
def test_a_tiff_that_pillow_takes_for_damaged_is_read_or_refused_as_what_it_is(tmp_path):
    values = noise(16, 16, 3, top=255)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", compression="webp")
    read_equals(tmp_path / "a.tif", values / 255)
    tifffile.imwrite(tmp_path / "b.tif", values, photometric="ycbcr")
    with pytest.raises(ValueError, match=r"b\.tif is YCBCR\. Save it as RGB"):
        read_image(tmp_path / "b.tif")


def test_12_bits_that_are_packed_in_a_tiff(tmp_path):
    grey = noise(6, 8, top=4095)
    first, second = grey.reshape(-1, 2).T.astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()
    tags = {256: 8, 257: 6, 258: 12, 259: 1, 262: 1, 273: 122, 277: 1, 278: 6, 279: len(packed)}  # 273: where they are
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + packed)
    read_equals(tmp_path / "a.tif", grey[..., None] / 4095)


def upright_from(stored, orientation):
    """What a stored array shows, by the definition of each EXIF orientation."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: np.rot90(a, 2),
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a),
    }[orientation](stored)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_upright(tmp_path, orientation):
    values = noise(5, 7, 3)
    block = exif(orientation)
    (tmp_path / "a.png").write_bytes(png16(values, before=[(b"eXIf", block)]))
    (tmp_path / "late.png").write_bytes(png16(values, after=[(b"eXIf", block)]))
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extratags=[tag])
    for name in ("a.png", "late.png", "a.tif"):
        read_equals(tmp_path / name, upright_from(values, orientation) / 65535)
    for name, grey in {"grey8.tif": noise(5, 7, 1, top=255), "grey16.tif": values[..., :1]}.items():
        tifffile.imwrite(tmp_path / name, grey[..., 0], photometric="minisblack", extratags=[tag])
        read_equals(tmp_path / name, upright_from(grey, orientation) / np.iinfo(grey.dtype).max)


@WITH_CODECS
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [4, 8, 10, 12, 16])
def test_jpeg_2000_of_any_precision(tmp_path, bits, bands):
    import imagecodecs

    values = noise(24, 32, bands, top=2**bits - 1)
    data = imagecodecs.jpeg2k_encode(values, level=0, bitspersample=bits, codecformat="jp2")
    (tmp_path / "a.jp2").write_bytes(data)
    read_equals(tmp_path / "a.jp2", values[..., : 3 if bands > 2 else 1] / (2**bits - 1))  # no band is declared


@WITH_CODECS
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_of_any_precision(tmp_path, bits):
    import imagecodecs

    values = noise(24, 32, 3, top=2**bits - 1)
    data = imagecodecs.avif_encode(values, level=100, bitspersample=bits, pixelformat="444")
    (tmp_path / "a.avif").write_bytes(data)
    read_equals(tmp_path / "a.avif", values / (2**bits - 1))


@WITH_CODECS
@pytest.mark.parametrize("bands", [1, 3])
def test_a_jpeg_of_12_bits(tmp_path, bands):
    import imagecodecs

    y, x = np.mgrid[:24, :32]
    values = np.stack([x * 100, y * 100, (x + y) * 50][:bands], -1).astype(np.uint16)
    data = imagecodecs.jpeg8_encode(values, level=100, bitspersample=12, subsampling="444")
    (tmp_path / "a.jpg").write_bytes(data[:2] + _app1(6) + data[2:])
    found = read_image(tmp_path / "a.jpg")
    expected = rgb(np.rot90(values, -1) / 4095)
    torch.testing.assert_close(found, expected, rtol=0, atol=4 / 4095)  # lossy, and finer than 8 bits
    assert open_image(tmp_path / "a.jpg").shape == found.shape


def _app1(orientation):
    block = b"Exif\0\0" + exif(orientation)
    return b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block


@WITH_CODECS
@pytest.mark.parametrize(("name", "encoder"), [("a.jp2", "jpeg2k"), ("a.avif", "avif"), ("a.jpg", "jpeg8")])
def test_a_format_that_needs_imagecodecs_says_so(tmp_path, monkeypatch, name, encoder):
    import imagecodecs

    encode = getattr(imagecodecs, f"{encoder}_encode")
    (tmp_path / name).write_bytes(encode(noise(24, 32, 3, top=4095), bitspersample=12))
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ImportError, match=rf"{name} is .* of 12 bits, .*pip install 'wavelens\[codecs\]'"):
        read_image(tmp_path / name)


@WITH_CODECS
def test_a_compression_that_needs_imagecodecs_says_so(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(6, 9, 3), photometric="rgb", compression="lzw")
    code = "import sys; sys.modules['imagecodecs'] = None; import wavelens as wl; wl.frontends.read_image(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "a.tif")]  # tifffile looks for it once
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ImportError: " in done.stderr
    assert "a.tif is compressed in a way that needs imagecodecs" in done.stderr
    assert "pip install 'wavelens[codecs]'" in done.stderr


def test_a_psd_of_16_bits_is_refused(tmp_path):
    (tmp_path / "a.psd").write_bytes(psd(noise(4, 4, 3), bits=16))
    with pytest.raises(ValueError, match=r"a PSD is read with 8 bits per channel; .*a\.psd has 16"):
        read_image(tmp_path / "a.psd")


def test_the_stored_numbers_of_a_picture_keep_their_depth(tmp_path):
    values = np.zeros((4, 4, 3), np.uint16)
    values[1, 2, 0] = 200  # of an instance, say, which 8 bits would lose
    (tmp_path / "a.png").write_bytes(png16(values, before=[(b"eXIf", exif(6))]))
    assert np.array_equal(stored(tmp_path / "a.png"), np.rot90(values, -1))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_is_white_at_any_depth(tmp_path, bits):
    grey = np.random.default_rng(0).integers(0, 2**bits, (5, 7))
    places = [(row.astype(np.uint8)[:, None] >> np.arange(bits - 1, -1, -1, dtype=np.uint8)) & 1 for row in grey]
    rows = b"".join(b"\0" + np.packbits(row.reshape(-1)).tobytes() for row in places)
    head = struct.pack(">IIBBBBB", 7, 5, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"tRNS", struct.pack(">H", 1)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path = tmp_path / "grey.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks)
    )
    expected = np.where(grey == 1, 1, grey / (2**bits - 1))
    assert np.abs(read_image(path)[0].numpy() - expected).max() < 1e-6


@pytest.mark.parametrize(("most", "white"), [(256, 255), (257, 65535), (65536, 65535)])
def test_a_palette_of_16_bits_keeps_them_and_one_of_8_has_8(tmp_path, most, white):
    """The tools of libtiff tell those apart by whether any entry is above 255."""
    source = np.random.default_rng(0)
    index, colours = source.integers(0, 256, (5, 7), np.uint8), source.integers(0, most, (3, 256), np.uint16)
    colours[0, 5] = most - 1
    tifffile.imwrite(tmp_path / "p.tif", index, photometric="palette", colormap=colours)
    assert np.abs(read_image(tmp_path / "p.tif")[0].numpy() - colours[:, index] / white).max() < 1e-6
