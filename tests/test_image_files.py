"""A photo on a disk is prepared as its tensor would be, a large JPEG from a fraction of its pixels."""

import io
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from picture_files import exif, png16
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.frontends.image import ImageFile, open_image, read_image
from wavelens.frontends.pictures import pillow, samples
from wavelens.models import Geometry
from wavelens.models.preparations.image import FILTERS

GEOMETRY = Geometry((24, 24), (16, 20))


def waves(height, width):
    """A smooth picture without symmetry, in which a shift, a flip or a turn is seen."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = [np.sin(9 * x + 4 * y), np.cos(3 * x * y + 7 * y), np.sin(5 * x - 8 * y * y)]
    return (127.5 + 120 * np.stack(planes, -1)).round().astype(np.uint8)


@pytest.fixture
def all_jpegs_are_large(monkeypatch):
    monkeypatch.setattr(pillow, "DRAFTED_FROM", 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.gif", "deep.png", "deep.pgm"])
def test_a_file_is_prepared_like_its_tensor(tmp_path, monkeypatch, name):
    monkeypatch.setattr(samples, "STRIP_PIXELS", 7 * 45)  # a part of the picture
    values = waves(61, 45)
    if name == "deep.png":
        (tmp_path / name).write_bytes(png16(values.astype(np.uint16) * 257, before=[(b"eXIf", exif(6))]))
    elif name == "deep.pgm":
        (tmp_path / name).write_bytes(b"P5 45 61 4095\n" + (values[..., 0] * 16).astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    for geometry in (GEOMETRY, Geometry((24, 24), (24, 24), squash=True), Geometry((90, 90), (80, 64))):
        photo = open_image(tmp_path / name)
        for filter in FILTERS:
            other = replace(geometry, interpolation=filter)
            assert torch.equal(other(photo), other(read_image(tmp_path / name)))
        spaced = geometry.spaced((0.5, 0.25), "m")
        assert spaced.grid(photo) == spaced.grid(read_image(tmp_path / name))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(400, 600), (403, 605), (397, 601)])
def test_a_large_jpeg_is_decoded_at_a_fraction_and_shows_the_same(tmp_path, all_jpegs_are_large, size, orientation):
    """Sides that are no multiple of 8 end within a pixel of the fraction, or begin within one where they are turned."""
    Image.fromarray(waves(*size)).save(tmp_path / "a.jpg", quality=98, exif=b"Exif\0\0" + exif(orientation))
    photo = open_image(tmp_path / "a.jpg")
    for geometry in (GEOMETRY, Geometry((24, 24), (24, 24), squash=True)):
        needed = tuple(2 * n for n in geometry._full(photo.height, photo.width))
        decoded = photo.decoded(needed).size
        assert all(n <= m < full for n, m, full in zip(needed, decoded, photo.shape[2:], strict=False))
        found, exact = geometry(photo), geometry(read_image(tmp_path / "a.jpg"))
        torch.testing.assert_close(found, exact, rtol=0, atol=5 / 255)  # a shift by half a pixel of it is above 10/255
        inner = (..., slice(2, -2), slice(2, -2))  # blocks that end in mid-pixel are filled up by the encoder
        torch.testing.assert_close(found[inner], exact[inner], rtol=0, atol=2 / 255)


def test_a_jpeg_with_further_pictures_is_decoded_at_a_fraction(tmp_path, all_jpegs_are_large):
    first, second = (Image.fromarray(waves(400, 600)[::step].copy()) for step in (1, -1))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=98)
    photo = open_image(tmp_path / "a.jpg")
    assert photo.decoded((48, 72)).size == (50, 75)
    exact = GEOMETRY(read_image(tmp_path / "a.jpg"))
    torch.testing.assert_close(GEOMETRY(photo), exact, rtol=0, atol=2 / 255)


def test_ordinary_jpegs_are_decoded_whole(tmp_path):
    Image.fromarray(waves(400, 600)).save(tmp_path / "a.jpg")
    assert open_image(tmp_path / "a.jpg").decoded((48, 72)).size == (400, 600)


def test_a_photo_is_never_in_memory_as_floats(tmp_path):
    side = 3000
    Image.fromarray(waves(side, side)).save(tmp_path / "a.png")
    photo = open_image(tmp_path / "a.png")
    tracemalloc.start()
    try:
        GEOMETRY(photo)
        peak = tracemalloc.get_traced_memory()[1] / side**2
    finally:
        tracemalloc.stop()
    assert peak < 4  # bytes a pixel: RGB, and strips as floats


class Own:
    """A preparation that takes tensors."""


def test_preparations_that_take_tensors_are_given_tensors(tmp_path):
    Image.fromarray(waves(8, 8)).save(tmp_path / "a.png")
    assert isinstance(PHOTO.signal_at(tmp_path / "a.png", GEOMETRY), ImageFile)
    assert isinstance(PHOTO.signal_at(tmp_path / "a.png", Own()), torch.Tensor)


def test_a_file_that_shrank_since_it_was_opened_is_named(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(waves(64, 64)).save(buffer, "JPEG")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    photo = open_image(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue()[:-300])
    with pytest.raises(ValueError, match=r"a\.jpg could not be decoded: .*truncated"):
        GEOMETRY(photo)
