"""Scenes tile by tile: weights are 1 together, each tile's account adds up, and stitched maps have no seams."""

import json
from pathlib import Path

import pytest
import torch

import raster_files as files
import wavelens as wl
from test_fifth_kind import data_of
from wavelens.explaining.stitched import Stitched, stitched_attribution
from wavelens.explaining.tiling import tile_starts, tile_weights
from wavelens.frontends import read_raster
from wavelens.models import Bands, LoadedModel, Regions

pytestmark = pytest.mark.needs("rasterio")


class Local(torch.nn.Module):
    """The mean of squares, so that γ of the samples is known: x² / (rows × columns)."""

    def forward(self, x):
        score = (x * x).mean((1, 2, 3))
        return torch.stack([-score, score], 1)


def model(tile=(4, 16, 16), **more):
    return LoadedModel(Local().eval(), ("bare", "green"), Bands(tile, scale=1e-4, **more), "local")


@pytest.fixture
def scene(tmp_path):
    return files.write_geotiff(tmp_path / "scene.tif", files.scene(40, 56))


@pytest.mark.parametrize(("n", "side", "step"), [(40, 16, 8), (37, 16, 8), (16, 16, 4), (50, 16, 16)])
def test_weights_are_one_together_at_every_pixel(n, side, step):
    starts, total = tile_starts(n, side, step), torch.zeros(n, dtype=torch.float64)
    for start, weight in zip(starts, tile_weights(n, side, starts), strict=True):
        assert weight.min() > 0
        total[start : start + side] += weight
    torch.testing.assert_close(total, torch.ones_like(total))


def test_every_tile_has_its_account_and_without_overlap_the_map_has_all_of_it(scene, tmp_path):
    explained = wl.explain_tiles(scene, model((4, 8, 8)), target="green", overlap=0, domain=wl.DWT("haar", 2))
    assert len(explained.accounts) == 5 * 7
    values = read_raster(scene).data * 1e-4
    for one in explained.accounts:
        tile = values[..., one.row : one.row + 8, one.column : one.column + 8]
        assert one.score == pytest.approx(float((tile * tile).mean()), rel=1e-5)
        assert sum(one.signed) + one.gap == pytest.approx(one.score - one.baseline_score, abs=1e-6)
    total = sum(sum(one.signed) for one in explained.accounts)
    assert float(torch.stack(list(explained.signed.values())).sum()) == pytest.approx(total, rel=1e-5)
    assert float(explained.bands.sum()) == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("overlap", [0, 0.5])
def test_stitched_maps_have_no_seams(scene, overlap):
    """Pixel by pixel the model's γ is x² over the tile's pixels, wherever tiles lie: no edge of a tile may be seen."""
    explained = wl.explain_tiles(scene, model(), target=1, overlap=overlap, domain=wl.Identity())
    values = read_raster(scene).data[0].double() * 1e-4
    expected = values.square() / (4 * 16 * 16)
    torch.testing.assert_close(explained.bands.double(), expected, rtol=2e-2, atol=1e-9)
    edges = (explained.bands.double() / expected - 1).abs()
    assert edges.max() < 2e-2


def test_maps_are_written_over_the_scene(scene, tmp_path):
    import rasterio

    explained = wl.explain_tiles(scene, model(), target=1, domain=wl.DWT("haar", 3))
    assert [one.row for one in explained.accounts[:1]] == [0]
    assert {one.row % 8 for one in explained.accounts} == {0}  # on the grid of the coarsest wavelet
    paths = explained.save(tmp_path / "out", "scene")
    with rasterio.open(tmp_path / "out/scene-signed.tif") as file, rasterio.open(scene) as own:
        assert (file.crs, file.transform, file.shape) == (own.crs, own.transform, own.shape)
        assert file.descriptions == ("all scales", "a3 · > 80 m", "d3 · 40–80 m", "d2 · 20–40 m", "d1 · 10–20 m")
        written = torch.from_numpy(file.read())
    torch.testing.assert_close(written[1:], torch.stack(list(explained.signed.values())))
    assert paths[0].name == "scene-tiles.png"
    assert len(json.loads(paths[1].read_text())["tiles"]) == len(explained.accounts)
    assert read_raster(tmp_path / "out/scene-bands.tif").header.bands == files.BANDS


def test_tiles_without_data_are_left_out_and_wrong_scenes_are_one_line(tmp_path):
    values = files.scene(32, 32)
    values[:, :16] = 0
    path = files.write_geotiff(tmp_path / "gap.tif", values, nodata=0)
    explained = wl.explain_tiles(path, model(), target=1, overlap=0)
    assert (explained.empty, len(explained.accounts)) == (2, 2)
    assert not explained.bands[:, :16].any()
    values[:] = 0
    path = files.write_geotiff(tmp_path / "empty.tif", values, nodata=0)
    with pytest.raises(ValueError, match=r"no tile of .* has data"):
        wl.explain_tiles(path, model(), target=1, overlap=0)
    with pytest.raises(ValueError, match="got 32 pixels for tiles of 64"):
        wl.explain_tiles(path, model((4, 64, 64)), target=1)
    with pytest.raises(ValueError, match="explained for the same target"):
        wl.explain_tiles(files.write_geotiff(tmp_path / "one.tif", files.scene(16, 16)), model(), target=None)


def test_stitched_maps_are_one_attribution_for_figures_and_reports(scene):
    explained = wl.explain_tiles(scene, model(), target="green", overlap=0.5, domain=wl.DWT("haar", 2))
    a, profile = explained.attribution, wl.maps.profile(explained.attribution)
    assert profile.names == ("a2", "d2", "d1")
    for k, name in enumerate(profile.names):
        assert float(profile.signed[0, k]) == pytest.approx(float(explained.signed[name].sum()), rel=1e-4, abs=1e-7)
        torch.testing.assert_close(wl.maps.scale_maps(a)[name][0], explained.magnitude[name], rtol=1e-4, atol=1e-9)
    sizes = torch.stack([one.sum() for one in explained.magnitude.values()])
    torch.testing.assert_close(profile.share[0], sizes / sizes.sum(), rtol=1e-4, atol=1e-6)
    assert explained.picture.shape == (1, 3, 40, 56)
    assert explained.look == "true colour · B04 B03 B02"
    figure, entry = explained.panel(), explained.entry()
    assert [label.get_text() for label in figure.axes[-1].get_yticklabels()] == list(files.BANDS)
    assert "d2 · 20–40 m" in {ax.get_title(loc="left") for ax in figure.axes}
    assert entry.command.startswith("wl.explain_tiles(")
    assert "target='green', overlap=0.5, domain=wl.DWT(" in entry.command
    with pytest.raises(ValueError, match="has the maps of tiles and analyses no signal"):
        a.domain.analysis(explained.picture)


def test_a_large_scene_is_drawn_by_sums_over_blocks():
    maps = {"x": torch.arange(2.0 * 2050).reshape(2, 2050)}
    domain = Stitched(wl.Identity(), (2, 2))
    a = stitched_attribution(domain, maps, maps, 0.0)
    assert a.layout.signal_shape == (1, 684)
    assert float(a.data.sum()) == pytest.approx(float(maps["x"].sum()))
    assert float(a.data[0, 0, 0]) == float(maps["x"][:, :3].sum())


class Levels(torch.nn.Module):
    """Two classes per pixel: dark, and bright where the mean of the bands is above 0.2."""

    def forward(self, x):
        level = x.mean(1, keepdim=True)
        return torch.cat([0.2 - level, level - 0.2], 1)


def test_a_target_that_depends_on_the_input_is_asked_of_each_tile(tmp_path):
    values = files.scene(32, 16) // 4
    values[:, :16] += 3000  # bright above, so that the lower tile has no such region
    path = files.write_geotiff(tmp_path / "half.tif", values)
    takes = Bands((4, 16, 16), scale=1e-4)
    segmenter = LoadedModel(Levels().eval(), ("dark", "bright"), takes, "levels", answer=Regions())
    explained = wl.explain_tiles(path, segmenter, target="region:bright", overlap=0)
    assert (len(explained.accounts), explained.absent, explained.target) == (1, 1, "region:bright")
    tile = read_raster(path).data[..., :16, :] * 1e-4
    logits = Levels()(tile)
    assert explained.accounts[0].score == pytest.approx(float(logits[0, 1][logits.argmax(1)[0] == 1].sum()), rel=1e-5)
    assert not explained.bands[:, 16:].any()
    assert "1 without the target of 2 tiles are left out" in explained.entry().note
    with pytest.raises(ValueError, match="the network predicts the target nowhere in 2 tiles"):
        wl.explain_tiles(files.write_geotiff(tmp_path / "dark.tif", files.scene(32, 16) // 9), segmenter,
                         target="bright", overlap=0)  # fmt: skip


def test_the_command_writes_maps_over_the_scene(scene, tmp_path, monkeypatch, capsys):

    from wavelens.cli import main

    own = """
from test_tiles import model


def net():
    return model()
"""
    (tmp_path / "tiled_own.py").write_text(own)
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "scene.tif", "--model", "tiled_own:net", "--target", "green", "--tiles", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "green: 24 tiles" in printed
    written, own_scene = read_raster("wavelens-out/scene-signed.tif").header, read_raster("scene.tif").header
    assert (written.transform, written.crs, written.size) == (own_scene.transform, own_scene.crs, own_scene.size)
    given = ["explain", "scene.tif", "--model", "tiled_own:net", "--tiles", "0.5"]
    assert main([*given, "--target", "green", "--report"]) == 0
    (shown,) = data_of(Path("wavelens-out/report.html").read_text(encoding="utf-8"))
    assert (shown["view"], shown["size"], shown["maps"]["shape"]) == ("photo", [56, 40], [40, 56])
    assert main([*given, "--target", "green", "--against", "bare"]) == 2
    assert "--tiles writes maps; got --against or --decompose" in capsys.readouterr().err
    assert main(["explain", "scene.tif", "--model", "tiled_own:net", "--tiles", "0.5"]) == 2
    assert "explained for the same target" in capsys.readouterr().err
