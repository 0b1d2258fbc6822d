"""`wavelens explain` on rasters: metres from the file, sums by band, maps over the scene, one line for wrong input."""

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import raster_files as files
import wavelens as wl
from wavelens.cli import main
from wavelens.frontends import read_raster

pytestmark = pytest.mark.needs("rasterio")

OWN = '''
import torch
from torch import nn
from wavelens.models import Bands, LoadedModel


class Greener(nn.Module):
    """Two logits: bare, and green from how far the last band is above the last but one."""

    def forward(self, x):
        green = ((x[:, -1] - x[:, -2]) * 1e-4).mean((1, 2))
        return torch.stack([-green, green], 1)


class Field(nn.Module):
    """The same from four bands alone, by a convolution."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 3, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.linspace(-1, 1, 72).reshape(2, 4, 3, 3))

    def forward(self, x):
        return self.conv(x * 1e-4).relu().mean((2, 3))


def net():
    return Greener().eval()


def four():
    return Field().eval()


def windowed():
    return LoadedModel(Field().eval(), ("bare", "green"), Bands((4, 16, 16), bands=NAMES), "own:windowed")


NAMES = ("B02", "B03", "B04", "B08")


def filled():
    return LoadedModel(Field().eval(), ("bare", "green"), Bands((4, 32, 40), fill=0.0), "own:filled")
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the user's models and a scene; Python finds them nowhere else."""
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    files.write_geotiff(Path("scene.tif"), files.scene())
    return tmp_path


def test_a_bare_network_takes_the_scene_as_it_is_and_scales_are_in_metres(folder, capsys):
    assert main(["explain", "scene.tif", "--model", "own:net", "--target", "1", "--out", "out", "--report"]) == 0
    printed = capsys.readouterr().out
    assert "its rise over a raster of zeros comes from these scales" in printed
    assert "B08" in printed
    summary = json.loads(Path("out/scene.json").read_text())
    assert summary["units"] == ["m", "m"]
    assert [row["extent"] for row in summary["profile"]][-1] == "10–20 m"
    rows = {row["channel"]: sum(row["signed"]) for row in summary["by_channel"]}
    assert list(rows) == list(files.BANDS)
    assert rows["B02"] == rows["B03"] == 0
    rise = summary["score"] - summary["baseline_score"]
    assert abs(sum(rows.values()) - rise) <= 0.02 * abs(rise)
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "B04 B03 B02" in page
    assert "B08 B04 B03" in page
    assert Path("out/scene.png").stat().st_size > 10_000
    assert "wavelens explain scene.tif --model own:net" in page


def test_maps_lie_over_the_window_of_the_scene(folder):
    import rasterio

    one = wl.explain("scene.tif", "own:windowed", device="cpu", interventions=False)
    a = one.attribution
    paths = list(one.request.kind.extras(a, one.input, one.target.label, Path("out")))
    assert [path.name for path in paths] == ["out-signed.tif", "out-magnitude.tif", "out-bands.tif"]
    with rasterio.open("out-signed.tif") as file, rasterio.open("scene.tif") as scene:
        signed = torch.from_numpy(file.read())
        assert file.crs == scene.crs
        assert tuple(file.transform)[:6] == (10, 0, files.EAST + 120, 0, -10, files.NORTH - 80)
        assert file.descriptions[0] == "all scales"
        assert file.descriptions[-1] == "d1 · 10–20 m"
    torch.testing.assert_close(signed[0], wl.maps.spatial_map(a, signed=True)[0])
    torch.testing.assert_close(signed[1:].sum((1, 2)), wl.maps.profile(a).signed[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(read_raster("out-magnitude.tif").data[0, 0], wl.maps.spatial_map(a)[0])
    bands = read_raster("out-bands.tif")
    assert bands.header.bands == files.BANDS
    torch.testing.assert_close(bands.data[0].sum((1, 2)), a.data[0].sum(1), rtol=1e-4, atol=1e-5)


def test_bands_are_chosen_in_the_networks_order(folder, capsys):
    files.write_geotiff(Path("five.tif"), files.scene(bands=5), (*files.BANDS, "B11"))
    words = ["explain", "five.tif", "--model", "own:four", "--domain", "Identity", "--out", "out", "--report"]
    assert main([*words, "--bands", "B11,b4,2,B08"]) == 0
    summary = json.loads(Path("out/five.json").read_text())
    assert [row["channel"] for row in summary["by_channel"]] == ["B11", "B04", "B03", "B08"]
    page = Path("out/report.html").read_text(encoding="utf-8")
    command = page.partition("<code>")[2].partition("</code>")[0].replace("&#x27;", "'").replace("&#39;", "'")
    again = shlex.split(command.replace("&#34;", '"').replace("&quot;", '"'))
    assert main([*again[1:], "--out", "again"]) == 0
    first, second = (wl.Attribution.load(f"{name}/five.safetensors").data for name in ("out", "again"))
    assert torch.equal(first, second)
    one = wl.explain("five.tif", "own:four", bands=("B11", "B04", "B03", "B08"), device="cpu", domain=wl.Identity())
    assert torch.equal(one.attribution.data, first)
    capsys.readouterr()
    assert main(words) == 2
    assert "to have 4 channels, but got 5 channels instead" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["five.tif", "--model", "own:filled"], "takes 4 bands; the raster has 5: B02, B03, B04, B08, B11"),
        (["gap.tif", "--model", "own:windowed"], "3 of 256 pixels have no data (masked, NaN or infinite)"),
        (["empty.tif", "--model", "own:filled"], "B02, B03, B04, B08 have no data there"),
        (["scene.tif", "--model", "own:net", "--spacing", "5"], "this one says 10 × 10 m, and 5 × 5 m was given"),
        (["scene.tif", "--model", "own:windowed", "--bands", "B99,B03,B04,B08"], "the raster lacks B99 and has B02"),
        (["cat.png", "--bands", "1,2"], "bands are chosen for models of rasters; efficientnet-lite0 takes a photo"),
    ],
)
def test_wrong_input_is_one_line(folder, capsys, words, message):
    if words[0] == "cat.png":
        pytest.importorskip("efficientnet_lite_pytorch")
    from PIL import Image

    Image.new("RGB", (8, 8)).save("cat.png")
    files.write_geotiff(Path("five.tif"), files.scene(bands=5), (*files.BANDS, "B11"))
    gap = files.scene()
    gap[:, 15, 18:21] = 0
    files.write_geotiff(Path("gap.tif"), gap, nodata=0)
    files.write_geotiff(Path("empty.tif"), np.zeros_like(gap), nodata=0)
    assert main(["explain", *words, "--out", "out"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert line.startswith("error: ")


def test_a_raster_without_a_system_is_explained_in_pixels_and_says_so(folder):
    files.write_geotiff(Path("plain.tif"), files.scene(bands=5), (), crs=None, transform=None)
    one = wl.explain("plain.tif", "own:net", device="cpu", interventions=False)
    assert one.note == "no georeference, so scales are named in pixels (--spacing 10 says metres)"
    assert one.input.grid.units == ("px", "px")
    assert not list(one.request.kind.extras(one.attribution, one.input, "", Path("out")))
    files.write_geotiff(Path("placed.tif"), files.scene(bands=5), (), crs=None)
    placed = wl.explain("placed.tif", "own:net", device="cpu", interventions=False)
    assert placed.note.startswith("no coordinate reference system, so scales are named in pixels")
    metres = wl.explain("plain.tif", "own:net", device="cpu", interventions=False, spacing=10)
    assert metres.profile[-1]["extent"] == "10–20 m"


def test_bands_of_several_resolutions_are_one_input_and_fine_scales_of_coarse_bands_are_empty(folder):
    files.write_sentinel(Path("T35"), (("B02", 10), ("B03", 10), ("B04", 10), ("B08", 20)), side=32)
    one = wl.explain("T35", "own:four", device="cpu", domain=wl.DWT("haar", levels=3), interventions=False)
    assert one.note == "bands of 20 m were repeated to 10 m"
    sums = {row["channel"]: row["signed"] for row in one.by_channel}
    assert sums["B08"][-1] == pytest.approx(0, abs=1e-7)  # 10 to 20 m, of a band at 20 m
    assert abs(sums["B02"][-1]) > 1e-5


def test_signals_of_several_resolutions_share_one_account(folder):
    signals = wl.frontends.read_resolutions(files.write_sentinel(Path("T35")))

    class Net(torch.nn.Module):
        def forward(self, m10, m20, m60):
            red = (m10 * m10).mean((1, 2, 3)) + (m20 * m20).mean((1, 2, 3)) + m60.mean((1, 2, 3))
            return torch.stack([red, -red], 1) * 1e-6

    x = {name: one.data for name, one in signals.items()}
    domain = {"m10": wl.DWT("haar", 3), "m20": wl.DWT("haar", 2), "m60": wl.DWT("haar", 1)}
    many = wl.attribute(Net().eval(), x, 0, domain=domain, method=wl.IntegratedGradients(steps=8))
    total = sum(float(a.data.sum()) for a in many.values())
    assert total == pytest.approx(float(many["m10"].score - many["m10"].baseline_score), rel=1e-4)
    labels = {name: list(signals[name].grid.labels(a.layout).values()) for name, a in many.items()}
    assert labels["m20"] == ["> 80 m", "40–80 m", "20–40 m"]
    assert labels["m60"] == ["> 120 m", "60–120 m"]


def own_module(name):
    import importlib

    sys.path.insert(0, ".")
    try:
        return getattr(importlib.import_module("own"), name)()
    finally:
        sys.path.remove(".")


@pytest.mark.needs("timm")
def test_a_network_of_timm_takes_bands(folder):
    files.write_geotiff(Path("wide.tif"), files.scene(64, 64, 5), ())
    loaded = wl.models.load("timm:resnet10t(in_chans=5, classes=3)", weights=_weights(), bands="5,4,3,2,1")
    assert loaded.preprocess.shape[0] == 5


def _weights():
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("resnet10t", in_chans=5, num_classes=3).state_dict(), "w.safetensors")
    return "w.safetensors"


def test_a_georeferenced_photo_says_its_own_metres(folder, capsys):
    loaded = wl.models.LoadedModel(own_module("net"), ("a", "b"), wl.models.Geometry((16, 16), (16, 16)), "photo")
    files.write_geotiff(Path("aerial.tif"), files.scene(32, 32, 3).astype("uint8"), (), photometric="RGB")
    one = wl.explain("aerial.tif", loaded)
    assert one.input.grid.spacing == (20.0, 20.0)  # 32 pixels of 10 m on 16
    assert one.note == "a georeferenced picture read as a photo, 10 × 10 m per pixel"
