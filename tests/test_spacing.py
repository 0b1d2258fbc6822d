"""Scales in the unit of the input's own pixels and voxels, whatever they are resized to."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens.cli import main
from wavelens.frontends import Volume
from wavelens.frontends.video import Video
from wavelens.grid import Grid, each_axis
from wavelens.models import Geometry, Voxels
from wavelens.models.preparations.video import VideoGeometry

GEOMETRIES = [
    Geometry((16, 16), (16, 16), squash=True),
    Geometry((16, 16), (12, 10)),
    Geometry((40, 40), (36, 38)),
    Geometry((96, 96), (96, 96), squash=True),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=repr)
@pytest.mark.parametrize("size", [(48, 48), (30, 60), (64, 32)])
def test_a_length_on_the_ground_is_as_long_on_the_prepared_photo(geometry, size):
    """Two marks a known way apart: the steps between them, times the prepared spacing, are that way."""
    marks = torch.zeros(1, 3, *size)
    ends = [(size[0] * 2 // 5, size[1] * 2 // 5), (size[0] * 3 // 5, size[1] * 3 // 5)]
    for row, column in ends:
        marks[..., row - 2 : row + 3, column - 2 : column + 3] = 1
    smooth = replace(geometry, interpolation="bilinear")
    x = smooth(marks)[0, 0].double()
    grid = geometry.spaced((0.3, 0.7), "m").grid(marks)
    places = [
        _middle_of_half(x.sum(1 - axis), upper) * grid.spacing[axis] for axis in (0, 1) for upper in (False, True)
    ]
    for axis, step in enumerate((0.3, 0.7)):
        ground = (ends[1][axis] - ends[0][axis]) * step
        assert places[2 * axis + 1] - places[2 * axis] == pytest.approx(ground, rel=0.03)
    assert grid.units == ("m", "m")


def _middle_of_half(profile, upper):
    """The centre of mass of the lower or upper half of a line."""
    middle = (profile * torch.arange(len(profile))).sum() / profile.sum()
    part = torch.arange(len(profile)) > middle
    weight = profile * (part if upper else ~part)
    return ((weight * torch.arange(len(profile))).sum() / weight.sum()).item()


def test_a_resized_crop_of_an_orthophoto_has_its_metres():
    """101 pixels of 0.3 m on 128 are 0.2367 m apart, so the finest details are 0.237 to 0.473 m large."""
    grid = Geometry((128, 128), (128, 128), squash=True, spacing=(0.3, 0.3), unit="m").grid(torch.zeros(1, 3, 101, 101))
    assert grid.spacing == pytest.approx((0.3 * 101 / 128,) * 2, rel=1e-12)
    layout = wl.DWT("haar", levels=2).analysis(torch.zeros(1, 1, 128, 128)).layout
    assert grid.labels(layout) == {"a2": "> 0.947 m", "d2": "0.473–0.947 m", "d1": "0.237–0.473 m"}


def test_without_a_spacing_pixels_lie_one_apart():
    assert Geometry((8, 8), (8, 8)).grid(torch.zeros(1, 3, 64, 64)) == Grid.plain(2)


def test_videos_have_seconds_and_metres():
    video = Video(torch.zeros(1, 3, 8, 32, 64), fps=4.0)
    prepared = VideoGeometry(4, picture=Geometry((16, 16), (16, 16), squash=True))
    assert prepared.grid(video) == Grid((0.5, 1.0, 1.0), ("s", "px", "px"))
    assert prepared.spaced((0.1,), "m").grid(video) == Grid((0.5, 0.2, 0.4), ("s", "m", "m"))


@pytest.mark.parametrize("orientation", [None, "SAR"])
def test_arrays_have_the_millimetres_that_are_given_along_their_own_axes(orientation):
    array = Volume(torch.zeros(1, 1, 8, 16, 32), np.eye(4), "voxel")
    voxels = Voxels((1, 8, 8, 8), orientation=orientation)
    assert voxels.grid(array) == Grid.plain(3)
    assert voxels.spaced((1, 1.5, 2), "mm").grid(array) == Grid((1.0, 3.0, 8.0), ("mm",) * 3)
    assert voxels.spaced((500,), "micron").grid(array) == Grid((0.5, 1.0, 2.0), ("mm",) * 3)


def test_a_volume_that_says_its_spacing_keeps_it():
    scan = Volume(torch.zeros(1, 1, 8, 8, 8), np.diag([2.0, 2.0, 3.0, 1.0]))
    with pytest.raises(ValueError, match=r"this one says \(2\.0, 2\.0, 3\.0\) mm\. Leave it out"):
        Voxels((1, 8, 8, 8)).spaced((1,), "mm").grid(scan)


def test_a_spacing_is_one_number_or_one_an_axis():
    assert each_axis([2], 3) == (2.0, 2.0, 2.0)
    assert each_axis([1, 2], 2) == (1.0, 2.0)
    with pytest.raises(ValueError, match="one number, or one for each of 3 axes; got 2"):
        each_axis([1, 2], 3)
    with pytest.raises(ValueError, match="a spacing must be finite and above 0; got"):
        Geometry().spaced((float("inf"),), "m")
    with pytest.raises(ValueError, match="one of mm, micron, meter; got 'mile'"):
        Voxels().spaced((1,), "mile")


OWN = """
import torch
from wavelens.models import Geometry, LoadedModel

class Halves(torch.nn.Module):
    def forward(self, x):
        return torch.stack([half.flatten(1).sum(1) for half in x.chunk(2, -1)], 1) / 10

def net():
    return LoadedModel(Halves(), ("left", "right"), Geometry((32, 32), (32, 32), squash=True), "net")
"""


def test_explain_names_its_scales_in_metres(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_nets.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save("field.png")
    usual = ["explain", "field.png", "--model", "own_nets:net", "--method", "Saliency", "--out", "."]
    assert main([*usual, "--spacing", "0.2"]) == 0
    found = json.loads((tmp_path / "field-2.json").read_text())
    assert found["units"] == ["m", "m"]
    assert found["profile"][-1]["extent"] == "0.4–0.8 m"
    assert found["profile"][-1]["from_to"] == [[0.4, 0.8]] * 2
    assert "spacing=(0.2, 0.2), unit='m'" in found["preprocess"]
    assert "0.4–0.8 m" in capsys.readouterr().out
    assert main([*usual, "--spacing", "wide"]) == 2
    assert "--spacing must be one value, or one per axis separated by commas; got 'wide'" in capsys.readouterr().err
