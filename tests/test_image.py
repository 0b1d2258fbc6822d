"""Every picture that Pillow decodes becomes pixels in [0, 1]; what is no intact picture says so."""

import numpy as np
import pytest
import torch
from PIL import Image

from wavelens.frontends.image import read_image


def ramp(height=6, width=8):
    """Colours that are all different, so that no flip, rotation or swap of channels goes unseen."""
    return np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)


def pixels(array):
    return torch.from_numpy(np.asarray(array, dtype=np.float32)).permute(2, 0, 1)[None]


def test_rgb_is_read_exactly(tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    torch.testing.assert_close(read_image(tmp_path / "a.png"), pixels(ramp() / 255), rtol=0, atol=1e-7)


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
    with pytest.raises(ValueError, match="a photo is a file; got the folder"):
        read_image(tmp_path)
    with pytest.raises(ValueError, match=r"got the empty file .*zero\.jpg"):
        read_image(tmp_path / "zero.jpg")
    with pytest.raises(ValueError, match=r"got .*text\.jpg, which is not an image"):
        read_image(tmp_path / "text.jpg")


def test_a_format_that_pillow_lacks_says_what_to_do(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(
        ValueError, match=r"a\.heic, which is not an image, or .* \(HEIC, raw\)\. .*save it as JPEG or PNG"
    ):
        read_image(tmp_path / "a.heic")


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
