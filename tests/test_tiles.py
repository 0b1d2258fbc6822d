"""Scenes tile by tile: weights are 1 together, each tile's account adds up, and stitched maps have no seams."""

import json

import pytest
import torch

import raster_files as files
import wavelens as wl
from wavelens.explaining.tiling import tile_starts, tile_weights
from wavelens.frontends import read_raster
from wavelens.models import Bands, LoadedModel

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
    assert len(json.loads(paths[0].read_text())["tiles"]) == len(explained.accounts)
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
    with pytest.raises(ValueError, match="no data in any of its 4 tiles"):
        wl.explain_tiles(path, model(), target=1, overlap=0)
    with pytest.raises(ValueError, match="got 32 pixels for tiles of 64"):
        wl.explain_tiles(path, model((4, 64, 64)), target=1)
    with pytest.raises(ValueError, match="explained for one target"):
        wl.explain_tiles(files.write_geotiff(tmp_path / "one.tif", files.scene(16, 16)), model(), target=None)


def test_the_command_writes_maps_over_the_scene(scene, tmp_path, monkeypatch, capsys):
    import sys

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
    assert main(["explain", "scene.tif", "--model", "tiled_own:net", "--tiles", "0.5", "--report"]) == 2
    assert "--tiles writes maps; got --against, --decompose or --report" in capsys.readouterr().err
    assert main(["explain", "scene.tif", "--model", "tiled_own:net", "--tiles", "0.5"]) == 2
    assert "explained for one target" in capsys.readouterr().err
    sys.modules.pop("tiled_own", None)
