"""Files of clouds: what each format gives, against trimesh and laspy, and one line for each that is wrong."""

import re
import sys

import numpy as np
import pytest
import torch

import wavelens as wl
from cloud_files import as_rows, bumpy
from wavelens.explaining.kinds import kind_of
from wavelens.frontends import Cloud, read_cloud, write_cloud
from wavelens.frontends.clouds import cloud_cost

TRIANGLE = "0 0 0\n1 0 0\n0 2 0\n0 0 3\n"


def test_what_is_written_as_ply_is_read(tmp_path):
    cloud = Cloud(bumpy().data, "m", (500_000.0, 4_649_776.0, 12.0), torch.tensor([[0, 1, 2], [5, 4, 3]]))
    values = {"red": torch.arange(80, dtype=torch.uint8), "attribution": torch.linspace(-1, 1, 80)}
    write_cloud(tmp_path / "a.ply", cloud, values)
    read = read_cloud(tmp_path / "a.ply")
    assert read.unit == "m"
    assert torch.equal(read.faces, cloud.faces)
    assert np.abs(as_rows(read) - as_rows(cloud)).max() < 1e-6  # metres, half a million of them from 0
    assert max(map(abs, read.origin)) > 1e5
    assert read.data.abs().max() < 10
    assert cloud_cost(tmp_path / "a.ply") == 12 * 80


@pytest.mark.needs("trimesh")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.ply", {}),
        ("a.ply", {"encoding": "ascii"}),
        ("a.off", {}),
        ("a.obj", {}),
        ("a.stl", {}),
        ("a.stl", {"file_type": "stl_ascii"}),
    ],
    ids=str,
)
def test_meshes_are_those_that_trimesh_writes(tmp_path, name, options):
    import trimesh

    mesh = trimesh.creation.icosphere(1, radius=2.5)
    mesh.export(tmp_path / name, **options)
    read = read_cloud(tmp_path / name)
    assert read.points == len(mesh.vertices)
    expected = Cloud(torch.from_numpy(mesh.vertices.T.copy()).float()[None])
    assert np.abs(as_rows(read) - as_rows(expected)).max() < 1e-5
    corners = read.data[0].T[read.faces].double()
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=1).sum() / 2
    assert float(area) == pytest.approx(mesh.area, rel=1e-4)


@pytest.mark.needs("laspy", "lazrs")
@pytest.mark.parametrize("name", ["a.las", "a.laz"])
def test_a_survey_keeps_its_millimetres(tmp_path, name):
    import laspy

    points = np.array([500_000.123, 4_649_776.5, 31.0]) + bumpy(50).data[0].T.double().numpy()
    header = laspy.LasHeader(point_format=3, version="1.4")
    header.scales, header.offsets = [0.001] * 3, points.min(0).round()
    las = laspy.LasData(header)
    las.x, las.y, las.z = points.T
    las.write(str(tmp_path / name))
    read = read_cloud(tmp_path / name)
    assert read.unit == "m"
    assert np.abs(as_rows(read) - points[np.lexsort(points.round(4).T)]).max() < 2e-3
    assert cloud_cost(tmp_path / name) == 12 * 50


FOOT, SURVEY_FOOT = 0.3048, 1200 / 3937
NEW_YORK = (
    'COMPD_CS["a (b)",PROJCS["New York",GEOGCS["NAD83",UNIT["degree",0.0174532925199433]],'
    'UNIT["US survey foot",0.304800609601219]],VERT_CS["NAVD88",UNIT["metre",1]]]'
)
IN_FEET = (
    'PROJCRS["x",BASEGEOGCRS["NAD83",DATUM["d",ELLIPSOID["GRS",6378137,298.257,LENGTHUNIT["metre",1]]]],'
    'CONVERSION["c",PARAMETER["p",0,LENGTHUNIT["metre",1]]],CS[Cartesian,2],AXIS["e",east,LENGTHUNIT["foot",0.3048]]]'
)


def survey(path, *records):
    """A LAS file of three points 10 apart along each axis, with these records in its header."""
    laspy = pytest.importorskip("laspy")
    header = laspy.LasHeader(point_format=6, version="1.4")
    header.vlrs.extend(records)
    las = laspy.LasData(header)
    las.x, las.y, las.z = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 10]]).T
    las.write(str(path))
    return path


def keys(**numbers):
    """The keys of a GeoTIFF by their numbers: k3076=9002 says that lengths are feet."""
    from laspy.vlrs import known

    record = known.GeoKeyDirectoryVlr()
    record.geo_keys = [known.GeoKeyEntryStruct(int(key[1:]), 0, 1, value) for key, value in numbers.items()]
    record.geo_keys_header.number_of_keys = len(record.geo_keys)
    return record


def text(value):
    from laspy.vlrs.known import WktCoordinateSystemVlr

    return WktCoordinateSystemVlr(value)


@pytest.mark.needs("laspy")
@pytest.mark.parametrize(
    ("made", "across", "up", "note"),
    [
        (lambda: text(NEW_YORK), SURVEY_FOOT, 1, "turned into metres (from US survey foot and metre)"),
        (lambda: text(IN_FEET), FOOT, FOOT, "turned into metres (from foot)"),
        (lambda: text(IN_FEET.replace('"foot",0.3048', '"metre",1')), 1, 1, ""),
        (lambda: keys(k3076=9002), FOOT, FOOT, "turned into metres (from foot)"),
        (lambda: keys(k3076=9003, k4099=9001), SURVEY_FOOT, 1, "from US survey foot and metre"),
        (lambda: keys(k3076=9001), 1, 1, ""),
        (lambda: None, 1, 1, "names no coordinate system, so its lengths are taken for metres"),
    ],
)
def test_lengths_of_a_survey_become_metres(tmp_path, made, across, up, note):
    record = made()
    cloud = read_cloud(survey(tmp_path / "a.las", *([record] if record else [])))
    assert cloud.unit == "m"
    assert note in cloud.note
    assert bool(note) == bool(cloud.note)
    assert wl.explaining.kind_called("cloud").note(tmp_path / "a.las") == cloud.note
    side = (cloud.data.amax(2) - cloud.data.amin(2))[0].double()
    torch.testing.assert_close(side, torch.tensor([10 * across, 10 * across, 10 * up]).double(), rtol=1e-6, atol=0)


@pytest.mark.needs("laspy")
def test_a_survey_in_degrees_or_of_a_system_that_nobody_knows(tmp_path, monkeypatch):
    degrees = r"coordinates of a cloud are lengths; those of .*a\.las are degrees of longitude and latitude\. Project"
    for record in (text('GEOGCS["WGS 84",UNIT["degree",0.0174532925199433]]'), keys(k1024=2)):
        with pytest.raises(ValueError, match=degrees):
            read_cloud(survey(tmp_path / "a.las", record))
    monkeypatch.setitem(sys.modules, "rasterio.crs", None)
    cloud = read_cloud(survey(tmp_path / "a.las", keys(k3072=2263)))
    assert cloud.unit == ""
    assert "unit of its coordinate system (EPSG:2263) is not known (--spacing 0.3048 says feet)" in cloud.note


@pytest.mark.needs("laspy", "rasterio")
def test_a_numbered_system_has_the_unit_that_rasterio_knows(tmp_path):
    cloud = read_cloud(survey(tmp_path / "a.las", keys(k3072=2263)))
    assert (cloud.unit, cloud.note) == ("m", "its lengths were turned into metres (from US survey foot)")


@pytest.mark.parametrize(
    ("name", "text", "unit"),
    [
        ("a.xyz", TRIANGLE, ""),
        ("a.xyz", "# x y z r g b\n\n0 0 0 9 9 9\n1 0 0 9 9 9\n0 2 0 9 9 9\n0 0 3 9 9 9\n", ""),
        ("a.pts", "4\n" + TRIANGLE, ""),
        ("a.asc", TRIANGLE.replace(" ", ";"), ""),
        ("a.csv", "Z [mm],id,X [mm],Y [mm]\n0,7,0,0\n0,7,1,0\n0,7,0,2\n3,7,0,0\n", "mm"),
        ("a.obj", "mtllib /etc/passwd\nv 0 0 0\nv 1 0 0 0.5 0.5 0.5\nv 0 2 0\nv 0 0 3\nf 1/1/1 2/2/2 -2 -1\n", ""),
        ("a.off", "OFF4 1 0\n0 0 0\n1 0 0\n0 2 0 # apex\n0 0 3\n4 0 1 2 3\n", ""),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 4\nproperty uchar red\nproperty double x\nproperty double y\n"
         "property double z\nend_header\n" + "".join(f"9 {line}\n" for line in TRIANGLE.splitlines()), ""),
    ],
)  # fmt: skip
def test_texts(tmp_path, name, text, unit):
    (tmp_path / name).write_text(text)
    cloud = read_cloud(tmp_path / name)
    assert cloud.data[0].T.tolist() == [[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]
    assert cloud.unit == unit
    assert cloud.grid.units == (unit or "units",)
    if "f 1/1/1" in text or "4 0 1 2 3" in text:
        assert cloud.faces.tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize("name", ["a.npy", "turned.npy", "a.npz"])
def test_arrays(tmp_path, name):
    points = bumpy(30).data[0].T.numpy()
    path = tmp_path / name
    if path.suffix == ".npz":
        np.savez(path, colours=points, points=points)
    else:
        np.save(path, points.T if "turned" in name else points)
    assert torch.equal(read_cloud(path).data, bumpy(30).data)


def header(count):
    axes = "".join(f"property float {name}\n" for name in "xyz")
    return f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{axes}end_header\n"


WRONG = {
    "flat.xyz": ("0 0\n1 1\n2 2\n", "points have three coordinates; the first row of .* has 2: '0 0'. Give"),
    "flat.ply": (header(3).replace("property float z\n", ""), "have no x, y and z, but x, y; give a plane a z of 0"),
    "one.xyz": ("1 2 3\n", "a cloud has 2 points or more; .* has one point"),
    "none.xyz": ("# nothing\n", "a cloud has a row per point; .* has none"),
    "none.ply": (header(0), "a cloud has 2 points or more; .* has no point"),
    "same.xyz": ("1 2 3\n1 2 3\n1 2 3\n", "all 3 points of .* lie in one place"),
    "nan.xyz": ("0 0 0\n1 nan 0\n2 2 inf\n", "coordinates must be finite; 2 of 3 points of .* the first is point 2"),
    "empty.stl": ("", "is empty, so it is not a cloud"),
    "photo.ply": ("\x89PNG\r\n", "cannot be read as PLY: it does not begin with the line ply"),
    "short.ply": (header(9), "it ends before its 9 elements of vertex do"),
    "huge.ply": (header(10**15), "it ends before its 1000000000000000 elements of vertex do"),
    "text.stl": ("hello", "cannot be read as STL: it has neither the length that its header promises nor"),
    "text.obj": ("hello", "cannot be read as OBJ: it has no line that begins with v"),
    "faces.obj": ("v 0 0 0\nv 1 1 1\nv 2 2 0\nf 1 2 9\n", "faces name points of their file; .* 3 points and a face"),
    "text.off": ("hello", "cannot be read as OFF: its first line is not OFF"),
    "short.off": ("OFF\n9 0 0\n0 0 0\n", "it promises 9 vertices and 0 faces and has 1 lines"),
    "fewer.off": ("OFF\n3 2 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "promises 3 vertices and 2 faces and has 4 lines"),
    "lists.ply": (
        header(2).replace("binary_little_endian", "ascii").replace("property", "property list uchar int a\nproperty", 1)
        + "1 9 0 0 0\n1 9 1 1 1\n",
        "its vertices have lists",
    ),
    "mixed.csv": ("x (m),y (m),z (cm)\n0,0,1\n1,0,2\n", "x, y and z have one unit; those of .* are in m, m, cm"),
    "words.xyz": ("a b c\nd e f\n", "the columns of points are called x, y and z; those of .* are a, b, c"),
    "half.xyz": ("0 0 0\n1 0\n", "cannot be read as a table of points"),
    "cloud.doc": ("hello", "a cloud must be a file ending in .ply, .*; got"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(tmp_path, name):
    content, sentence = WRONG[name]
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=sentence) as caught:
        read_cloud(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_arrays_of_two_coordinates_and_missing_files(tmp_path):
    np.save(tmp_path / "flat.npy", np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"\(points, 3\) or \(3, points\); got \(5, 2\) in .*Give a plane a z of 0"):
        read_cloud(tmp_path / "flat.npy")
    with pytest.raises(FileNotFoundError, match="no such cloud"):
        read_cloud(tmp_path / "nothing.ply")
    with pytest.raises(ValueError, match=r"a cloud must be written as \.ply"):
        write_cloud(tmp_path / "a.obj", bumpy())
    for shape in ((1, 2, 9), (3, 9), (1, 3, 1), (2, 3, 9)):
        with pytest.raises(
            ValueError, match=re.escape(f"a cloud must be (1, 3, points) with 2 points or more; got {shape}")
        ):
            Cloud(torch.zeros(shape))


def test_which_files_are_clouds(tmp_path):
    np.save(tmp_path / "cloud.npy", np.zeros((20, 3)))
    np.save(tmp_path / "series.npy", np.zeros((3, 20)))
    (tmp_path / "cloud.csv").write_text("x,y,z\n" + TRIANGLE.replace(" ", ","))
    (tmp_path / "series.csv").write_text("time,a,b\n0,1,2\n1,2,3\n")
    (tmp_path / "cloud.ply").write_text("")
    for path in tmp_path.iterdir():
        assert kind_of([str(path)]).name == path.stem
    assert kind_of(["scan.las"]).name == "cloud"
    assert [path.name for path in wl.explaining.kind_called("cloud").inside(tmp_path)] == [
        "cloud.csv",
        "cloud.npy",
        "cloud.ply",
    ]


def test_points_that_are_taken_do_not_depend_on_their_sequence():
    cloud, takes = bumpy(300), wl.models.Points((3, 40), centre="box", scale="radius")
    shuffled = Cloud(cloud.data[:, :, torch.randperm(300, generator=torch.Generator().manual_seed(1))], "m")
    x = takes(cloud)
    assert torch.equal(x, takes(shuffled))
    assert float(x.norm(dim=1).max()) == pytest.approx(1)
    assert len(x[0].T.unique(dim=0)) == 40
    low, high = x.amin(2), x.amax(2)
    assert (low + high).abs().max() < 1e-6
    few = wl.models.Points((3, 500))(cloud)
    assert torch.equal(few[:, :, :300], cloud.data)
    assert torch.equal(few[:, :, 300:], cloud.data[:, :, :200])


def test_a_prepared_cloud_goes_back_to_its_place_and_scales_are_in_metres():
    cloud, takes = Cloud(bumpy(40).data + 5, "m", (1e6, 0, 0)), wl.models.Points((3, 40), "mean", "radius", "whole")
    back = takes.original(takes(cloud), cloud)
    assert (back.data - cloud.data).abs().max() < 1e-5
    assert back.origin == cloud.origin
    extents = takes.grid(cloud).extents(wl.TreeHaar().bind(takes(cloud)).layout((40,)))
    side = float((cloud.data.amax(2) - cloud.data.amin(2)).max())
    assert extents["a"][0][0] == pytest.approx(side, rel=1e-5)
    inches = takes.spaced((0.0254,), "m").grid(Cloud(cloud.data))
    assert inches.units == ("m",)
    assert inches.spacing[0] == pytest.approx(0.0254 * takes.grid(cloud).spacing[0])
    assert not any(takes.grid(cloud).labels(wl.DWT("haar", 2).layout((40,))).values())  # no order, no frequencies


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shape": (2, 40)}, r"shape must be \(3, points\) with 2 points or more; got \(2, 40\)"),
        ({"centre": "middle"}, "centre must be one of none, mean, box; got 'middle'"),
        ({"scale": "unit"}, "scale must be one of none, radius, box"),
        ({"fit": "crop"}, "fit must be one of even, whole"),
        ({"spacing": (1.0, 2.0)}, "spacing must be one length"),
    ],
)
def test_a_preparation_says_what_it_takes(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        wl.models.Points(**options)
    assert wl.baselines.parse(repr(wl.models.Points((3, 9), "box")), also=[wl.models.Points]).centre == "box"


def test_a_pointnet_by_name_takes_weights_and_its_classes_from_them(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ValueError, match="pointnet comes without weights: give a checkpoint of PointNet's layers"):
        wl.models.load("pointnet")
    torch.manual_seed(0)
    net = wl.models.PointNet(3).eval()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    loaded = wl.models.load("pointnet", weights=tmp_path / "net.safetensors")
    assert len(loaded.labels) == 3
    x = loaded.preprocess(bumpy(2000))
    assert torch.equal(loaded.module(x), net(x))
    assert (net(x)[0] - net(x[:, :, torch.randperm(1024)])[0]).abs().max() < 1e-5


def test_numbers_below_0_of_an_obj_count_from_the_vertices_before_the_face(tmp_path):
    part = "v {0} 0 0\nv {0} 1 0\nv {0} 0 1\nf -3 -2 -1\n"
    (tmp_path / "two.obj").write_text(part.format(0) + part.format(1))
    assert read_cloud(tmp_path / "two.obj").faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_ply_keeps_any_unit_and_any_whole_number(tmp_path):
    write_cloud(tmp_path / "a.ply", Cloud(bumpy(3).data, unit="µm"), {"label": torch.tensor([1, 300, -1])})
    assert read_cloud(tmp_path / "a.ply").unit == "µm"
    assert b"property int label" in (tmp_path / "a.ply").read_bytes()
