"""Bands of several resolutions as several signals of one input: one account, panel, report, and maps of each."""

import json
import shlex
import sys
from pathlib import Path

import pytest
import torch

import raster_files as files
import wavelens as wl
from wavelens.cli import main
from wavelens.frontends import read_raster, read_resolutions
from wavelens.frontends.raster import open_scene
from wavelens.grid import Grid, Grids
from wavelens.models import Bands, Resolutions

pytestmark = pytest.mark.needs("rasterio")

OWN = """
import torch
import wavelens as wl
from wavelens.models import Bands, Resolutions


class Net(torch.nn.Module):
    def forward(self, m10, m20, m60):
        fine = torch.nn.functional.avg_pool2d(m10, 2)[:, :1] * m20
        score = fine.square().mean((1, 2, 3)) + m60.mean((1, 2, 3)) + m10[:, 1].mean((1, 2))
        return torch.stack([score, -score], 1)


TAKES = Resolutions(
    ("m10", "m20", "m60"),
    (Bands((2, 24, 24), scale=1e-3), Bands((1, 12, 12), scale=1e-3), Bands((1, 4, 4), scale=1e-3)),
)


def net():
    return wl.models.LoadedModel(Net().eval(), ("wet", "dry"), TAKES, "own:net")


def bare():
    return Net().eval()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text(OWN)
    files.write_sentinel(tmp_path / "T35")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


def test_the_command_explains_all_resolutions_on_one_account(folder, capsys):
    words = ["explain", "T35", "--model", "own:net", "--device", "cpu", "--no-interventions"]
    assert main([*words, "--out", "out", "--report"]) == 0
    assert "m20 B05" in capsys.readouterr().out
    summary = json.loads(Path("out/T35.json").read_text())
    scales = {row["scale"]: row for row in summary["profile"]}
    assert scales["m10 d1"]["extent"] == "10–20 m"
    assert scales["m60 a2"]["extent"] == "> 240 m"
    rise = summary["score"] - summary["baseline_score"]
    assert sum(row["signed"] for row in scales.values()) + summary["gap"] == pytest.approx(rise, rel=1e-4)
    channels = {f"{row['signal']} {row['channel']}": row for row in summary["by_channel"]}
    assert list(channels) == ["m10 B02", "m10 B04", "m20 B05", "m60 B09"]
    assert sum(sum(row["signed"]) for row in channels.values()) + summary["gap"] == pytest.approx(rise, rel=1e-4)
    model, signals, domains = _by_hand()
    method = wl.IntegratedGradients(tolerance=0.02)
    expected = wl.attribute(model, signals, summary["target"]["index"], domain=domains, method=method)
    torch.testing.assert_close(wl.Attributions.load("out/T35.safetensors")["m20"].data, expected["m20"].data)
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert page.count('class="block"') == 4
    assert all(f"{name} · DWT(" in page for name in ("m10", "m20", "m60"))
    command = page.partition("<code>")[2].partition("</code>")[0].replace("&#x27;", "'").replace("&#39;", "'")
    assert main([*shlex.split(command.replace("&quot;", '"').replace("&#34;", '"'))[1:], "--out", "again"]) == 0
    first, second = (wl.Attribution.load(f"{name}/T35.safetensors").data for name in ("out", "again"))
    assert torch.equal(first, second)


def _by_hand():
    """The same network, and the signals with their domains."""
    from own import Net

    signals = {name: one.data * 1e-3 for name, one in read_resolutions("T35").items()}
    domains = {name: wl.DWT("haar", levels=None) for name in signals}
    return Net().eval(), signals, domains


def test_each_resolution_has_maps_on_its_own_pixels(folder):
    one = wl.explain("T35", "own:net", device="cpu", interventions=False, domain=wl.DWT("haar", 1))
    one.save("out")
    for name, band in (("m10", "B04"), ("m20", "B05"), ("m60", "B09")):
        written = read_raster(f"out/T35-{name}-signed.tif")
        own = read_raster(f"T35/T35_20200601_{band}.tif").header
        assert (written.header.crs, written.header.transform, written.header.size) == (own.crs, own.transform, own.size)
        step = int(own.spacing[0])
        assert written.header.bands == ("all scales", f"a1 · > {2 * step} m", f"d1 · {step}–{2 * step} m")
        side = next(part for part in one.signals if part.name == name)
        assert float(written.data[0, 0].sum()) == pytest.approx(float(side.attribution.data.sum()), rel=1e-4)
    assert read_raster("out/T35-m10-bands.tif").header.bands == ("B02", "B04")
    assert one.entry().command.count("--domain") == 1
    several = wl.plots.resolutions(one.attribution, {part.name: part.x for part in one.signals})
    assert [ax.get_title(loc="left")[:5] for ax in several.axes if "γ" in ax.get_title(loc="left")] == [
        "m10 ·", "m20 ·", "m60 ·", "share",
    ]  # fmt: skip


def test_a_bare_network_is_told_its_resolutions_and_other_commands_take_them(folder, capsys):
    from own import TAKES

    value = repr(TAKES)
    assert wl.parse(value, also=[Resolutions, Bands]) == TAKES
    given = ["--model", "own:bare", "--preparation", value, "--device", "cpu", "--out", "out"]
    assert main(["minimal", "T35", *given, "--alpha", "0.1", "--steps", "2"]) == 0
    kept = json.loads(Path("out/T35-minimal.json").read_text())["scales"]
    assert [row["scale"] for row in kept][:3] == ["m10 a4", "m10 d4", "m10 d3"]
    measure = ["--metric", "Curves(steps=2)", "--method", "InputTimesGradient"]
    assert main(["evaluate", ".", "--model", "own:net", "--device", "cpu", "--out", "run", *measure]) == 0
    assert wl.runs.Run.open("run").read().names == ("T35",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lacking", "the network takes m10, m20, m60; T35 lacks m60 and has m10, m20. Name the resolutions"),
        (
            "file",
            "bands of several resolutions must be a folder of files with a band each; got T35/T35_20200601_B02.tif",
        ),
        ("levels", "m60: "),
        ("ground", "windows of all resolutions lie on the same ground; that of m60 does not. Give each a start"),
        ("bands", "the network takes 2 bands; the raster has 3: B02, B03, B04"),
    ],
)
def test_wrong_scenes_are_one_line(folder, capsys, change, message):
    words = ["explain", "T35", "--model", "own:net", "--device", "cpu"]
    if change == "lacking":
        Path("T35/T35_20200601_B09.tif").unlink()
    if change == "file":
        words[1] = "T35/T35_20200601_B02.tif"
    if change == "levels":
        words += ["--domain", "DWT('haar', levels=3)"]
    if change == "ground":
        Path("own.py").write_text(OWN.replace("Bands((1, 4, 4)", "Bands((1, 3, 3)"))
    if change == "bands":
        files.write_geotiff(Path("T35/T35_20200601_B03.tif"), files.scene(24, 24, 1), ())
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_preparation_and_grids_say_what_they_take(folder):
    with pytest.raises(ValueError, match=r"resolutions must be two or more, each with its Bands; got 1 names and 1"):
        Resolutions(("m10",), (Bands((1, 4, 4)),))
    with pytest.raises(ValueError, match=r"must be what the network calls it, such as 'm10'; got '10 m'"):
        Resolutions(("10 m", "m20"), (Bands((1, 4, 4)), Bands((1, 2, 2))))
    takes = Resolutions(("m20", "m10"), (Bands((1, 12, 12)), Bands((2, 24, 24))))
    scene = open_scene("T35")
    x = takes(scene)
    assert x.shape == (1, 1, 144 + 2 * 576)
    assert torch.equal(takes.unpacked(x)["m10"], read_resolutions("T35")["m10"].data)
    with pytest.raises(ValueError, match="a grid must have the signals of its layout; got m10 for"):
        Grids.of({"m10": Grid.plain(2)}).labels(wl.DWT("haar", 1).layout((4, 4)))
