"""Rasters: what files say of bands and ground is kept, whatever the format, and what is wrong is one line."""

from pathlib import Path

import numpy as np
import pytest
import torch

import raster_files as files
import wavelens as wl
from wavelens.explaining import kind_of
from wavelens.frontends import Raster, RasterHeader, open_raster, read_raster, read_resolutions, write_raster
from wavelens.frontends.raster import composites, is_raster, raster_files
from wavelens.models import Bands

pytestmark = pytest.mark.needs("rasterio", "xarray", "zarr", "netCDF4")

VIRTUAL = """<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>
<SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def header(bands=("B02", "B08"), size=(8, 8), **more):
    return RasterHeader(bands, size, **more)


def raster(values=None, **more):
    data = torch.arange(128.0).reshape(1, 2, 8, 8) if values is None else values
    return Raster(data, header(tuple(f"B{k + 1:02}" for k in range(data.shape[1])), tuple(data.shape[2:]), **more))


def test_a_geotiff_gives_all_bands_with_names_and_metres(tmp_path):
    values = files.scene()
    one = read_raster(files.write_geotiff(tmp_path / "scene.tif", values))
    assert torch.equal(one.data[0], torch.from_numpy(values.astype(np.float32)))
    assert one.header.bands == files.BANDS
    assert (one.header.crs, one.grid.spacing, one.grid.units) == (files.UTM, (10.0, 10.0), ("m", "m"))
    assert one.header.transform == (10.0, 0.0, files.EAST, 0.0, -10.0, files.NORTH)
    part = open_raster(tmp_path / "scene.tif").read(slice(3, 9), slice(5, 15))
    assert torch.equal(part.data, one.data[..., 3:9, 5:15])
    assert part.header.transform == (10.0, 0.0, files.EAST + 50, 0.0, -10.0, files.NORTH - 30)


def test_no_data_scales_and_transparency_are_as_the_file_says(tmp_path):
    import rasterio

    values = files.scene(bands=2)
    values[0, 2, 3] = 0
    path = files.write_geotiff(tmp_path / "gap.tif", values, ("B02", "B08"), nodata=0)
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (1e-4, 1e-4), (0.0, -0.1)
    data = read_raster(path).data[0]
    assert data.isnan().nonzero().tolist() == [[0, 2, 3]]
    expected = values[1].astype(np.float64) * 1e-4 - 0.1
    torch.testing.assert_close(data[1].double(), torch.from_numpy(expected), atol=1e-6, rtol=1e-6)
    colours = np.full((4, 4, 4), 255, np.uint8)
    colours[3, :2] = 0
    path = files.write_geotiff(tmp_path / "rgba.tif", colours, (), photometric="RGB", alpha="YES")
    one = read_raster(path)
    assert one.header.bands == ("red", "green", "blue")
    assert one.data[0].isnan().all(0)[:2].all()
    assert not one.data[0, :, 2:].isnan().any()


@pytest.mark.parametrize(
    ("crs", "step", "row", "column"),
    [
        ("EPSG:32635", (10.0, 20.0), 20.0, 10.0),
        ("EPSG:2263", (10.0, 10.0), 3.048, 3.048),  # feet
        ("EPSG:4326", (0.001, 0.001), 111.2, 71.7),  # degrees at 50° north: 111.2 km, and 71.7 km along the parallel
        ("EPSG:3857", (10.0, 10.0), 6.43, 6.44),  # Web Mercator at 50° north: cos 50° = 0.643
    ],
)
def test_ground_sampling_is_in_metres_whatever_the_system(tmp_path, crs, step, row, column):
    from rasterio.transform import from_origin

    corner = {"EPSG:4326": (10.0, 50.0), "EPSG:3857": (1_113_194.9, 6_446_275.8), "EPSG:2263": (1e6, 2e5)}
    place = from_origin(*corner.get(crs, (files.EAST, files.NORTH)), *step)
    path = files.write_geotiff(tmp_path / "scene.tif", files.scene(8, 8), crs=crs, transform=place)
    assert read_raster(path).grid.spacing == pytest.approx((row, column), rel=3e-3)


def test_what_is_written_lies_where_it_was(tmp_path):
    import rasterio

    one = read_raster(files.write_geotiff(tmp_path / "scene.tif", files.scene()))
    write_raster(tmp_path / "again.tif", one)
    again = read_raster(tmp_path / "again.tif")
    assert torch.equal(again.data, one.data)
    assert again.header == one.header
    with rasterio.open(tmp_path / "again.tif") as file:
        assert (file.crs.to_epsg(), file.transform.a, file.transform.f) == (32635, 10.0, files.NORTH)
    with pytest.raises(ValueError, match="says where it lies; the raster"):
        write_raster(tmp_path / "nowhere.tif", raster())


def test_a_folder_of_bands_is_one_raster_on_the_finest_grid(tmp_path):
    folder = files.write_sentinel(tmp_path / "T35")
    one = read_raster(folder)
    assert one.header.bands == ("B02", "B04", "B05", "B09")
    assert one.header.own_spacing == (10.0, 10.0, 20.0, 60.0)
    assert one.shape == (1, 4, 24, 24)
    apart = read_resolutions(folder)
    assert {name: part.shape for name, part in apart.items()} == {
        "m10": (1, 2, 24, 24),
        "m20": (1, 1, 12, 12),
        "m60": (1, 1, 4, 4),
    }
    assert torch.equal(one.data[:, 3:], apart["m60"].data.repeat_interleave(6, -1).repeat_interleave(6, -2))
    window = open_raster(folder).read(slice(5, 14), slice(7, 22))
    assert torch.equal(window.data, one.data[..., 5:14, 7:22])
    assert [path.name[-7:] for path in raster_files(folder)] == ["B02.tif", "B04.tif", "B05.tif", "B09.tif"]
    assert kind_of([str(folder)]).inside(folder) == [folder]
    files.write_geotiff(folder / "T35_20200601_B11.tif", files.scene(12, 12, 1), (), 10)  # half the ground
    assert not is_raster(folder)
    with pytest.raises(ValueError, match=r"lie on the same ground; T35_20200601_B11.tif .* has other corners"):
        read_raster(folder)


def test_microscopy_has_channels_and_micrometres(tmp_path):
    import tifffile

    values = files.scene(bands=2)
    one = read_raster(files.write_ome(tmp_path / "cells.ome.tif", values))
    assert one.header.bands == ("DAPI", "GFP")
    assert (one.grid.spacing, one.grid.units) == ((0.25, 0.5), ("µm", "µm"))
    assert torch.equal(one.data[0], torch.from_numpy(values.astype(np.float32)))
    path = tmp_path / "imagej.tif"
    more = {"axes": "CYX", "unit": "nm"}
    tifffile.imwrite(path, values, imagej=True, resolution=(0.01, 0.02), metadata=more)
    assert read_raster(path).grid.spacing == pytest.approx((0.05, 0.1))
    tifffile.imwrite(tmp_path / "deep.ome.tif", np.zeros((3, 2, 8, 8), "u2"), metadata={"axes": "ZCYX"})
    with pytest.raises(ValueError, match=r"channels over two axes; .* has 3 along Z besides"):
        read_raster(tmp_path / "deep.ome.tif")


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_variables_over_two_axes_are_bands(tmp_path, suffix):
    values, path = files.scene(6, 8), tmp_path / f"climate{suffix}"
    stored = files.dataset(values)
    stored.to_netcdf(path) if suffix == ".nc" else stored.to_zarr(path)
    one = read_raster(path)
    names = ["ndvi", "lst", "level depth=1", "level depth=5"]
    assert list(one.header.bands) == (names if suffix == ".nc" else [*names[2:], "lst", "ndvi"])
    data = one.data[0, [one.header.bands.index(name) for name in names]]
    assert data.isnan().nonzero().tolist() == [[0, 0, 0]]
    assert torch.equal(data[1:], torch.from_numpy(values[1:].astype(np.float32)))
    assert one.header.crs == "EPSG:4326"
    assert one.grid.spacing == pytest.approx((1112.0, 716.8), rel=3e-3)
    assert one.header.transform == pytest.approx((0.01, 0, 9.995, 0, -0.01, 50.005))
    assert kind_of([str(path)]).name == "raster"
    uneven = stored.assign_coords(lat=np.array([0.0, 1, 2, 4, 5, 6]))
    uneven.to_netcdf(tmp_path / "uneven.nc")
    with pytest.raises(ValueError, match=r"lie evenly; those of .*uneven.nc do not along lat"):
        read_raster(tmp_path / "uneven.nc")


@pytest.mark.parametrize("name", ["virtual.bil", "virtual.bsq", "virtual.jp2"])
def test_only_a_vrt_is_a_virtual_raster(tmp_path, name):
    scene = files.write_geotiff(tmp_path / "scene.tif", files.scene())
    (tmp_path / name).write_text(VIRTUAL.format(scene))
    with pytest.raises(ValueError, match="cannot be read as a raster"):
        read_raster(tmp_path / name)


@pytest.mark.parametrize(
    "source",
    ["/vsicurl/http://127.0.0.1:9/a.tif", "http://127.0.0.1:9/a.tif", "{0}/service.tif", "{0}/inner.vrt", "{0}/a.vrt"],
)
def test_a_virtual_raster_names_rasters_of_this_machine_alone(tmp_path, source):
    (tmp_path / "service.tif").write_text("<GDAL_WMS><Service name='TMS'/></GDAL_WMS>")
    (tmp_path / "inner.vrt").write_text(VIRTUAL.format("/vsicurl/http://127.0.0.1:9/a.tif"))
    (tmp_path / "a.vrt").write_text(VIRTUAL.format(source.format(tmp_path)))
    with pytest.raises(ValueError, match=r"a virtual raster names (files of this machine|rasters)"):
        open_raster(tmp_path / "a.vrt")


def test_raw_bands_are_read_with_the_header_beside_them(tmp_path):
    import rasterio

    for name, driver in (("a.bil", "EHdr"), ("b.bsq", "ENVI")):
        with rasterio.open(
            tmp_path / name, "w", driver=driver, width=3, height=2, count=1, dtype="float32",
            transform=rasterio.Affine(10, 0, 0, 0, -10, 0),
        ) as file:  # fmt: skip
            file.write(np.full((1, 2, 3), 7, dtype="float32"))
        assert read_raster(tmp_path / name).data.unique().tolist() == [7]


def test_a_window_of_a_microscopes_tiff_costs_all_of_it(tmp_path, monkeypatch):
    import tifffile

    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((2, 8, 8), "u2"), metadata={"axes": "CYX"})
    monkeypatch.setattr("wavelens.frontends.raster.raster.MAX_VALUES", 100)
    with pytest.raises(ValueError, match=r"at most 100 values of a raster are read at once; .* 2 bands of 8 × 8"):
        open_raster(tmp_path / "a.ome.tif").read(slice(0, 4), slice(0, 4))


def test_rows_go_north_and_columns_east_in_any_sequence_of_axes(tmp_path):
    stored = files.dataset(files.scene(6, 8))
    for name, axes in (("usual.nc", ("depth", "lat", "lon")), ("turned.nc", ("lon", "lat", "depth"))):
        stored[["level"]].transpose(*axes).to_netcdf(tmp_path / name)
    usual, turned = (read_raster(tmp_path / name) for name in ("usual.nc", "turned.nc"))
    assert turned.header == usual.header
    assert torch.equal(turned.data, usual.data)


def test_bands_of_several_resolutions_lie_on_the_same_ground(tmp_path):
    for name, size, step, left in (("B02", 8, 10.0, 5e5), ("B05", 4, 20.0, 6e5)):
        place = (step, 0.0, left, 0.0, -step, 6e6)
        one = Raster(torch.zeros(1, 1, size, size), header((name,), (size, size), transform=place, crs="EPSG:32635"))
        write_raster(tmp_path / f"T35_{name}.tif", one)
    with pytest.raises(ValueError, match="files of one scene lie on the same ground"):
        read_resolutions(tmp_path)


def test_photo_or_raster(tmp_path):
    from PIL import Image

    photo = tmp_path / "photo.tif"
    Image.new("RGB", (8, 8)).save(photo)
    many = tmp_path / "many.tif"
    files.write_geotiff(many, files.scene(8, 8, 5), (), crs=None, transform=None)
    geo = files.write_geotiff(tmp_path / "geo.tif", files.scene(8, 8, 3), ())
    cells = files.write_ome(tmp_path / "cells.ome.tif", files.scene(8, 8, 2))
    kinds = {path.name: kind_of([str(path)]).name for path in (photo, many, geo, cells)}
    assert kinds == {"photo.tif": "photo", "many.tif": "raster", "geo.tif": "raster", "cells.ome.tif": "raster"}
    assert read_raster(photo).header.bands == ("red", "green", "blue")  # where a model of rasters takes it
    assert read_raster(many).header.spacing is None
    Path(tmp_path / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    assert kind_of([str(tmp_path / "broken.tif")]).name == "photo"


def test_bands_are_picked_scaled_and_cut():
    one = raster(spacing=(10.0, 10.0))
    x = Bands((1, 4, 6), bands=("b2",), scale=0.5, offset=1.0)(one)
    assert torch.equal(x, one.data[:, 1:, 2:6, 1:7] * 0.5 + 1)
    assert torch.equal(Bands((2, 8, 8), bands=("2", "1"))(one), one.data.flip(1))
    assert Bands((2, 8, 8), fit="whole").banded(["B02"]) == Bands((1, 8, 8), ("B02",), fit="whole")
    assert Bands((2, 8, 8)).grid(one).units == ("m", "m")
    value = Bands((1, 4, 6), ("B02",), 1e-4, 0.1, (1, 2), "window", 0.0, (3.0, 3.0), "m")
    assert wl.parse(repr(value), also=[Bands]) == value


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Bands((3, 8, 8)), r"takes 3 bands; the raster has 2: B01, B02\. Choose them .* --bands B04,B03,B02"),
        (Bands((1, 8, 8), ("B08",)), r"the raster lacks B08 and has B01, B02"),
        (Bands((2, 16, 8)), r"takes 16 × 8 pixels; the raster has 8 × 8"),
        (Bands((2, 4, 4), start=(6, 0)), r"takes 4 × 4 pixels from row 6 and column 0 on"),
        (Bands((2, 8, 8)), r"2 of 64 pixels have no data \(masked, NaN or infinite\).*fill=0.0"),
        (Bands((2, 2, 2), start=(0, 0)), r"rows 0 to 1 and columns 0 to 1; B01 has no data there"),
    ],
)
def test_what_a_raster_lacks_is_one_line(made, message):
    values = torch.rand(1, 2, 8, 8)
    values[0, 0, :2, :2] = torch.nan if made.shape == (2, 2, 2) else 1.0
    values[0, :, 3, 3:5] = torch.nan
    with pytest.raises(ValueError, match=message):
        made(raster(values))
    if "have no data" in message:
        filled = Bands((2, 8, 8), fill=-1.0)(raster(values))
        assert torch.equal(filled, values.nan_to_num(-1.0))


def test_a_spacing_is_given_only_where_the_raster_says_none():
    given = Bands((2, 8, 8)).spaced((10.0,), "m")
    assert given.grid(raster()).spacing == (10.0, 10.0)
    with pytest.raises(ValueError, match=r"this one says 5 × 5 m, and 10 × 10 m was given"):
        given.grid(raster(spacing=(5.0, 5.0)))


def test_composites_are_by_the_bands_names():
    x = torch.rand(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    looks = composites(x, ("B02", "B03", "B04", "B08"))
    assert list(looks) == ["true colour · B04 B03 B02", "false colour · B08 B04 B03"]
    low, high = torch.quantile(x[0, 3].flatten(), torch.tensor([0.02, 0.98]))
    torch.testing.assert_close(looks["false colour · B08 B04 B03"][0, 0], ((x[0, 3] - low) / (high - low)).clamp(0, 1))
    assert list(composites(x, ("a", "b1", "c", "d"))) == ["a b1 c"]
    assert list(composites(x[:, :2], ("DAPI", "GFP"))) == ["DAPI"]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"II*\0" + bytes(40)), "cannot be read as a raster"),
        (lambda path: path.write_bytes(b""), "is empty, so it is not a raster"),
        (lambda path: files.write_geotiff(path, np.zeros((1, 4, 4), np.complex64), ()), "holds complex ones"),
    ],
)
def test_files_that_are_none_are_one_line(tmp_path, write, message):
    write(tmp_path / "bad.tif")
    with pytest.raises(ValueError, match=message):
        read_raster(tmp_path / "bad.tif")
    with pytest.raises(FileNotFoundError, match="no such raster"):
        read_raster(tmp_path / "none.tif")


def test_a_file_of_text_is_no_geotiff_and_a_size_is_that_of_one_tiff(tmp_path):
    """GDAL would take a .tif for the virtual raster that it is, which names files elsewhere."""
    from wavelens.explaining import kind_called

    scene = files.write_geotiff(tmp_path / "scene.tif", files.scene())
    text = '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
    text += f"<SourceFilename>{scene}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    for name in ("virtual.vrt", "virtual.tif"):
        (tmp_path / name).write_text(text)
    assert read_raster(tmp_path / "virtual.vrt").shape == (1, 1, 4, 4)
    assert {path.name for path in raster_files(tmp_path / "virtual.vrt")} == {"virtual.vrt", "scene.tif"}
    with pytest.raises(ValueError, match="cannot be read as a raster"):
        read_raster(tmp_path / "virtual.tif")
    size = kind_called("raster").size
    assert size(scene, (4, 8, 8)).values == 4 * 32 * 40
    with pytest.raises(ValueError, match=r"a raster must be one TIFF here; got virtual\.vrt"):
        size(tmp_path / "virtual.vrt", (4, 8, 8))
