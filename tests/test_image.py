"""Every picture that Pillow decodes becomes pixels in [0, 1]; what is no intact picture says so."""

import subprocess

import numpy as np
import pytest
import tifffile
import torch
from PIL import EpsImagePlugin, Image

from wavelens.frontends.image import open_image, read_image
from wavelens.frontends.pictures import stored


def ramp(height=6, width=8):
    """Colours that are all different, so that no flip, rotation or swap of channels goes unseen."""
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def pixels(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float32)).permute(2, 0, 1)[None]


def test_rgb_is_read_exactly(tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    torch.testing.assert_close(read_image(tmp_path / "a.png"), pixels(ramp() / 255), rtol=0, atol=1e-7)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_an_orientation_that_says_nothing_turns_neither_the_picture_nor_its_shape(tmp_path, suffix, orientation):
    path, block = tmp_path / f"a.{suffix}", Image.Exif()
    block[0x0112] = orientation
    if suffix == "tif":
        deep, tag = ramp()[:5].astype(np.uint16), (274, "H", 1, orientation, True)
        tifffile.imwrite(path, deep, photometric="rgb", extratags=[tag])
    else:
        Image.fromarray(ramp()[:5]).save(path, exif=block)
    assert open_image(path).shape == read_image(path).shape == (1, 3, *ramp()[:5].shape[:2])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_all_show_the_same_picture(tmp_path, orientation):
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](ramp())
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    torch.testing.assert_close(read_image(tmp_path / "a.png"), pixels(ramp() / 255), rtol=0, atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_out_of_65535_and_keeps_its_precision(tmp_path, suffix):
    grey = np.array([[0, 1, 256], [30000, 65534, 65535]], dtype=np.uint16)
    Image.fromarray(grey).save(tmp_path / f"a{suffix}")
    expected = pixels(np.repeat(grey[..., None] / 65535, 3, axis=2))
    torch.testing.assert_close(read_image(tmp_path / f"a{suffix}"), expected, rtol=0, atol=1e-7)


def test_float_grey_is_out_of_1(tmp_path):
    grey = np.array([[0, 0.123456], [0.5, 1]], dtype=np.float32)
    Image.fromarray(grey).save(tmp_path / "a.tif")
    torch.testing.assert_close(read_image(tmp_path / "a.tif")[0, 0], torch.from_numpy(grey), rtol=0, atol=0)
    Image.fromarray(grey * 255).save(tmp_path / "b.tif")
    with pytest.raises(ValueError, match=r"to 1 in floats; .*b\.tif has .* Scale it first"):
        read_image(tmp_path / "b.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_over_white(tmp_path, mode):
    picture = Image.new(mode, (2, 1), (0, 0, 0, 51) if mode == "RGBA" else (0, 51))
    picture.save(tmp_path / "a.png")
    torch.testing.assert_close(read_image(tmp_path / "a.png"), torch.full((1, 3, 1, 2), 0.8))


def test_a_palette_gives_its_colours_and_its_transparent_entry_is_white(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 0, 255, 0, 255, 0])
    picture.putdata([0, 1, 2])
    picture.save(tmp_path / "a.png", transparency=1)
    expected = torch.tensor([[1.0, 1, 0], [0, 1, 1], [0, 1, 0]])[None, :, None]
    torch.testing.assert_close(read_image(tmp_path / "a.png"), expected)


@pytest.mark.parametrize(("mode", "colour"), [("L", 51), ("1", 1), ("CMYK", (0, 0, 0, 204)), ("RGB", (51, 51, 51))])
@pytest.mark.parametrize("size", [(1, 1), (16, 8)])
def test_other_modes_and_single_pixels_become_rgb(tmp_path, mode, colour, size):
    path = tmp_path / ("a.png" if mode == "1" else "a.jpg")
    Image.new(mode, size, colour).save(path, **({} if mode == "1" else {"quality": 100}))
    expected = 1.0 if mode == "1" else 0.2
    torch.testing.assert_close(read_image(path), torch.full((1, 3, size[1], size[0]), expected), rtol=0, atol=1.5 / 255)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, :, 0, 0].tolist() == [1, 0, 0]


def test_what_is_no_photo_says_so(tmp_path):
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.jpg").write_text("hello")
    with pytest.raises(FileNotFoundError, match=r"no such photo: .*none\.jpg"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="a photo must be a file; got the folder"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match=r"zero\.jpg is empty"):
        read_image(tmp_path / "zero.jpg")
    with pytest.raises(ValueError, match=r"text\.jpg is not an image file\. Supported: AVIF, BMP"):
        read_image(tmp_path / "text.jpg")


UNREAD = {  # by its first bytes
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "raw photo": b"FUJIFILMCCD-RAW 0201",
    "JPEG XL": b"\xff\x0a\xfa\x1f",
    "OpenEXR": b"v/1\x01\x02\0\0\0",
    "PDF": b"%PDF-1.7\n",
    "SGI": b"\x01\xda\x01\1\0\3\0\7\0\5\0\3",
    "DDS": b"DDS |\0\0\0",
    "XBM": b"#define a_width 8\n#define a_height 1\n",
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n",
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_format_that_is_not_read_is_named(tmp_path, name):
    (tmp_path / "a.jpg").write_bytes(UNREAD[name] + bytes(200))
    with pytest.raises(ValueError, match=rf"a\.jpg has the format {name}, which is not supported.*as PNG or JPEG"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".tif"])
def test_a_truncated_file_is_a_value_error(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"a{suffix}"):
        read_image(path)


def test_a_picture_that_is_too_large_is_not_called_damaged(tmp_path, monkeypatch):
    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"large\.png is larger than Pillow opens: .* Make it smaller first"):
        read_image(tmp_path / "large.png")


@pytest.mark.parametrize("name", ["a.pgm", "a.tif", "a.jpg"])
def test_the_limit_holds_for_every_decoder(tmp_path, monkeypatch, name):
    deep = np.zeros((40, 40), np.float64)
    Image.new("L", (40, 40)).save(tmp_path / name)
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, deep)  # not one of Pillow's
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=rf"{name} is larger than Pillow opens: .* exceeds limit of 200 pixels"):
        read_image(tmp_path / name)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n0 0 9 9 rectfill\n%%EOF\n"


def in_iptc(data):
    """An IPTC file, of which Pillow opens what is in it by any of its formats."""
    fields = [(3, 60, b"\1\0"), (3, 20, b"\0\x09"), (3, 30, b"\0\x09"), (3, 120, b"\5"), (8, 10, data)]
    return b"".join(bytes([0x1C, *tag]) + len(value).to_bytes(2, "big") + value for *tag, value in fields)


@pytest.mark.parametrize("name", ["a.eps", "a.png", "a.jpg", "wrapped.tif"])
def test_postscript_starts_no_program(tmp_path, monkeypatch, name):
    started = []
    for call in ("check_call", "Popen", "run"):
        monkeypatch.setattr(subprocess, call, lambda command, **options: started.append(command))
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # not looked for yet
    path = tmp_path / name
    path.write_bytes(in_iptc(POSTSCRIPT) if name == "wrapped.tif" else POSTSCRIPT)
    with Image.open(path) as image:  # Pillow's own list has it
        assert image.format in ("EPS", "IPTC")
    for reads in (read_image, open_image):
        with pytest.raises(ValueError, match=r"has the format EPS|is not an image file"):
            reads(path)
    with pytest.raises(OSError, match="cannot identify"):
        stored(path)
    assert not started


def test_damage_is_named_where_there_is_some(tmp_path):
    Image.fromarray(ramp(64, 64)).save(tmp_path / "short.jpg")
    data = (tmp_path / "short.jpg").read_bytes()
    (tmp_path / "short.jpg").write_bytes(data[:-200])
    with pytest.raises(
        ValueError, match=r"could not be decoded: .*truncated.* The file is damaged; get a fresh copy\.$"
    ):
        read_image(tmp_path / "short.jpg")
    (tmp_path / "header.jpg").write_bytes(data[:30])
    with pytest.raises(
        ValueError, match=r"header\.jpg could not be .*Truncated.* The file is damaged; get a fresh copy"
    ):
        read_image(tmp_path / "header.jpg")
    (tmp_path / "strange.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    with pytest.raises(
        ValueError, match=r"strange\.png could not be decoded as PNG: .* damaged, or of a variant that is"
    ):
        read_image(tmp_path / "strange.png")
    arithmetic = data.replace(b"\xff\xc0", b"\xff\xc5", 1)  # a kind of JPEG that Pillow does not decode
    (tmp_path / "variant.jpg").write_bytes(arithmetic)
    with pytest.raises(ValueError, match=r"variant\.jpg could not .* damaged, or of a variant that is not supported"):
        read_image(tmp_path / "variant.jpg")


def test_a_picture_beyond_memory_is_not_called_damaged(tmp_path, monkeypatch):
    Image.fromarray(ramp()).save(tmp_path / "large.png")

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(Image.core, "new", full)
    with pytest.raises(MemoryError, match=r"large\.png is larger than free memory\. Make it smaller first"):
        read_image(tmp_path / "large.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_file_has_the_shape_of_its_picture_before_it_is_decoded(tmp_path, name):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(ramp()).save(tmp_path / name, exif=exif)
    file = open_image(tmp_path / name)
    assert file.shape == (1, 3, 8, 6)
    assert torch.equal(file.data, read_image(tmp_path / name))
    assert file.data.shape == file.shape
