"""The pointing game by command: objects follow the photo into the model's input, and the numbers are the library's."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from wavelens import metrics, runs
from wavelens.cli import main
from wavelens.frontends.image import read_image
from wavelens.models import Geometry
from wavelens.runs.annotations import Boxes, annotated
from wavelens.runs.samples import samples

GEOMETRIES = [
    Geometry((24, 24), (16, 16)),
    Geometry((24, 24), (16, 16), interpolation="bilinear"),
    Geometry((20, 28), (20, 28), squash=True),
    Geometry((64, 64), (60, 44)),
]


def edges(region):
    """The first row of a region and that behind its last, and its columns alike."""
    rows, columns = (region.any(1 - axis).nonzero()[:, 0] for axis in (0, 1))
    return [int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=repr)
@pytest.mark.parametrize("shape", [(48, 48), (40, 75), (97, 33)], ids=str)
def test_a_box_lies_where_its_picture_lies(geometry, shape):
    """Against the box drawn into the photo and prepared with it, and against its corners: a resize, then a crop."""
    random = np.random.default_rng(shape[0])
    factor = max(r / n for r, n in zip(geometry.resize, shape, strict=True))
    full = geometry.resize if geometry.squash else [int(n * factor + 1e-9) for n in shape]
    shift = [round((f - c) / 2) for f, c in zip(full, geometry.crop, strict=True)]
    seen = 0
    for _ in range(30):
        corners = [sorted(random.choice(n + 1, 2, replace=False).tolist()) for n in shape]
        (top, bottom), (left, right) = corners
        region = geometry.region(Boxes((((left, top, right - left, bottom - top), None),)).region(shape, 0))[0]
        expected = [
            min(max(end * f / n - s, 0), c)
            for ends, f, n, s, c in zip(corners, full, shape, shift, geometry.crop, strict=True)
            for end in ends
        ]
        photo = torch.zeros(1, 3, *shape)
        photo[:, :, top:bottom, left:right] = 1
        drawn = geometry(photo)[0, 0] > 0.5
        assert not (geometry(photo)[0, 0] > 0.6)[~region].any()  # a bicubic line is 0.56 at its edge
        if expected[1] - expected[0] < 2 or expected[3] - expected[2] < 2:
            continue  # cut away, or all but
        assert np.abs(np.array(edges(region)) - expected).max() <= 1
        assert np.abs(np.array(edges(region)) - edges(drawn)).max() <= 1
        seen += 1
    assert seen > 5


def test_a_box_is_exact_where_pixels_are_whole():
    region = Geometry((24, 24), (16, 16)).region(Boxes((((12, 20, 6, 10), None),)).region((48, 48), 0))[0]
    assert region.sum() == 5 * 3
    assert edges(region) == [6, 11, 2, 5]  # halved, and 4 off


@pytest.mark.parametrize(("geometry", "size"), [(Geometry((8, 8), (8, 8)), 1), (Geometry((64, 64), (64, 64)), 2)])
def test_the_smallest_object_is_still_there(geometry, size):
    for place in range(0, 32, 5):
        region = geometry.region(Boxes((((place, place, 0.2, 0.2), None),)).region((32, 32), 0))[0]
        assert int(region.sum()) == size**2


def test_boxes_touch_pixels_and_know_their_class():
    boxes = Boxes((((1.5, 0, 1, 2), (3,)), ((-4, 3, 5, 90), (3, 4)), ((4, 4, 1, 1), None), ((90, 0, 1, 1), (3,))))
    assert boxes.region((5, 5), 3).nonzero().tolist() == [[0, 1], [0, 2], [1, 1], [1, 2], [3, 0], [4, 0], [4, 4]]
    assert boxes.region((5, 5), 4).nonzero().tolist() == [[3, 0], [4, 0], [4, 4]]
    assert boxes.region((5, 5), 5).nonzero().tolist() == [[4, 4]]


OWN = """
import torch
from wavelens.models import Geometry, LoadedModel, VideoGeometry

class Net(torch.nn.Module):
    def forward(self, x):
        left, right = x.chunk(2, -1)
        return torch.stack([left.pow(2).sum((1, 2, 3)), right.pow(2).sum((1, 2, 3)), x.sum((1, 2, 3)) / 9], 1)

def net():
    return LoadedModel(Net(), ("left side, port", "right side", "Whole"), Geometry((24, 24), (16, 16)), "net")

class Film(torch.nn.Module):
    def forward(self, x):
        return x.mean((1, 3, 4))

def film():
    return LoadedModel(Film(), ("a", "b"), VideoGeometry(2, picture=Geometry((24, 24), (16, 16))), "film")
"""
SIZES = {"a.png": (40, 60), "b.png": (48, 48), "sub/c.jpg": (70, 50), "sub/d.png": (48, 48)}
BOXES = {"a.png": [(12, 3, 17, 30), (0, 0, 5, 5)], "b.png": [(24, 10, 16, 20)], "sub/c.jpg": [(0, 0, 50, 5)]}
OBJECT, PORT, SIDE = ({"id": n, "name": name} for n, name in ((7, "object"), (8, "Port"), (9, "right side")))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a model of its own and four photos of noise, of which `sub/d.png` has no annotation."""
    (tmp_path / "own_games.py").write_text(OWN)
    random = np.random.default_rng(1)
    (tmp_path / "photos/sub").mkdir(parents=True)
    for name, (height, width) in SIZES.items():
        noise = random.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "photos" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def write(categories=(), category=None, sizes=SIZES, boxes=BOXES):
    """boxes.json, in COCO's form."""
    images = [{"id": n, "file_name": k, "height": s[0], "width": s[1]} for n, (k, s) in enumerate(sizes.items())]
    named = {} if category is None else {"category_id": category}
    found = [
        {"id": 1, "image_id": i, "bbox": box, **named} for i, name in enumerate(sizes) for box in boxes.get(name, [])
    ]
    with open("boxes.json", "w") as file:
        json.dump({"images": images, "annotations": found, "categories": list(categories)}, file)


def draw(folder):
    """The same boxes as masks, each of another mode."""
    for (name, boxes), mode in zip(BOXES.items(), ("L", "1", "RGB"), strict=True):
        mask = np.zeros(SIZES[name], dtype=np.uint8)
        for left, top, width, height in boxes:
            mask[top : top + height, left : left + width] = 255
        path = (folder / "masks" / name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).convert(mode).save(path)


def evaluate(*arguments, model="net", metric="PointingGame", annotations="boxes.json", out="run"):
    usual = ["--model", f"own_games:{model}", "--method", "InputTimesGradient", "--device", "cpu", "--out", out]
    return main(["evaluate", "photos", *usual, "--metric", metric, "--annotations", annotations, *arguments])


def scores(out="run", name="pointing_game"):
    found = runs.Run.open(out).read()
    return dict(zip(found.names, found.values[name].tolist(), strict=True))


def said(capsys):
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("tolerance", [0, 2])
def test_the_command_plays_the_game_of_the_library(folder, capsys, tolerance):
    write()
    assert evaluate(metric=f"PointingGame(tolerance={tolerance})", annotations="boxes.json") == 0
    name = f"pointing_game(tolerance={tolerance})" if tolerance else "pointing_game"
    found = scores(name=name)
    assert "1 of 4 files has no object in boxes.json, such as sub/d.png: PointingGame leaves it out" in said(capsys)
    model = wl.models.load("own_games:net")
    left = {"a.png": ((0, 16), (0, 8)), "b.png": ((1, 11), (8, 16))}  # of × 0.6 less (4, 10), and of half less 4
    for photo, box in left.items():
        x = model.preprocess(read_image(folder / "photos" / photo))
        target = int(model.module(x).argmax())
        a = wl.attribute(model.module, x, target, domain=wl.DWT("haar"), method=wl.InputTimesGradient())
        region = metrics.boxes(x, [[box]])
        assert found[photo] == metrics.pointing_game(model.module, x, target, a, region=region, tolerance=tolerance)
    assert np.isnan(found["sub/c.jpg"])  # the crop has cut it away
    assert np.isnan(found["sub/d.png"])


def test_both_outcomes_happen(folder):
    write(boxes={"a.png": [(0, 0, 60, 40)], "b.png": [(22, 22, 1, 1)]})
    assert evaluate() == 0
    assert list(scores().values())[:2] == [1, 0]
    assert evaluate(metric="PointingGame(tolerance=30)", out="near") == 0
    assert list(scores("near", "pointing_game(tolerance=30)").values())[:2] == [1, 1]


def test_masks_are_worth_their_boxes(folder):
    write()
    draw(folder)
    assert evaluate() == 0
    assert evaluate(annotations="masks", out="other") == 0
    assert scores() == pytest.approx(scores("other"), nan_ok=True)
    files = samples(folder / "photos", lambda path: sorted(p for p in path.iterdir() if p.is_file()))
    by_box, by_mask = (annotated(files, folder / name, lambda name: []) for name in ("boxes.json", "masks"))
    for one, other in zip(by_box, by_mask, strict=True):
        assert (one.objects is None) == (other.objects is None)
        if one.objects is not None:
            shape = SIZES[one.name]
            assert torch.equal(one.objects.region(shape, 0), other.objects.region(shape, 0))


def test_objects_of_a_turned_photo_lie_in_it_as_it_is_seen(folder, capsys):
    stored = np.zeros((40, 60, 3), dtype=np.uint8)
    stored[20:30, 25:35] = 255  # upright, a quarter to the right, rows 25 to 35 and columns 10 to 20
    mask = np.zeros((40, 60), dtype=np.uint8)
    mask[20:30, 25:35] = 1
    (folder / "masks").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(stored).save(folder / "photos/a.png", exif=exif)
    Image.fromarray(mask).save(folder / "masks/a.png", exif=exif)
    write(sizes={"a.png": (60, 40)}, boxes={"a.png": [(10, 25, 10, 10)]})
    for annotations in ("boxes.json", "masks"):
        assert evaluate(annotations=annotations, out=annotations[:4]) == 0
        assert scores(annotations[:4])["a.png"] == 1
    write(sizes={"a.png": (40, 60)}, boxes={"a.png": [(25, 20, 10, 10)]})
    assert evaluate(out="stored") == 1
    assert "in pixels of the photo, upright, which is 40 × 60; the file of boxes says 60 × 40" in said(capsys)


def test_a_box_counts_for_the_class_that_its_category_names(folder):
    write(boxes={name: [(0, 0, 60, 60)] for name in SIZES})
    assert evaluate("--labels", "labels.csv", "--out", "every") == 2
    (folder / "labels.csv").write_text("a.png,0\nb.png,1\nsub/c.jpg,2\nsub/d.png,port\n")
    for n, (category, seen) in enumerate(((None, SIZES), (8, ("a.png", "sub/d.png")), (9, ("b.png",)), (7, ()))):
        write([OBJECT, PORT, SIDE], category, boxes={name: [(0, 0, 60, 60)] for name in SIZES})
        assert evaluate("--labels", "labels.csv", out=f"run{n}") == 0
        assert {name for name, hit in scores(f"run{n}").items() if hit == 1} == set(seen)
        assert {name for name, hit in scores(f"run{n}").items() if hit == hit} == set(seen)


def test_runs_are_compared_by_the_game(folder, capsys):
    write(boxes={name: [(0, 0, 30, 60)] for name in ("a.png", "b.png", "sub/d.png")})
    assert evaluate() == 0
    assert evaluate("--method", "EnergyOrder", out="energy") == 0
    assert main(["compare", "run", "energy", "--out", "compared"]) == 0
    assert "left out of pointing_game: 1 item without a number" in " ".join(capsys.readouterr().out.split())
    rows = (folder / "compared/comparison.csv").read_text().splitlines()
    mean = np.mean([hit for hit in scores().values() if hit == hit])
    assert rows[1].startswith(f"pointing_game,run,3,{mean}")


def test_other_annotations_are_another_run(folder, capsys):
    write()
    assert evaluate() == 0
    write(boxes=BOXES | {"a.png": [(12, 3, 17, 29)]})
    assert evaluate() == 2
    assert "run holds another run: dataset is" in said(capsys)
    draw(folder)
    assert evaluate(annotations="masks", out="masked") == 0
    Image.new("L", (60, 40), 1).save(folder / "masks/a.png")
    assert evaluate(annotations="masks", out="masked") == 2
    assert "masked holds another run: dataset is" in said(capsys)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "boxes.json is a COCO file with images (id, file_name) and annotations"),
        ("[1]", "is a COCO file with images (id, file_name)"),
        ('{"images": []}', "this one cannot be read (KeyError: 'annotations')"),
        ('{"images": [{"id": 1}], "annotations": []}', "this one cannot be read (KeyError: 'file_name')"),
        ('{"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 3]}]}', "this one cannot be read (ValueError"),
        ('{"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 0, 3]}]}', "and height above 0; got [1, 2, 0"),
        (
            '{"images": [{"id": 1, "file_name": "a.png", "height": 1e999, "width": 1}], "annotations": []}',
            "this one cannot be read (OverflowError",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}], "annotations": []}',
            "this one cannot be read (ValueError: two images have the same file_name)",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "annotations": []}',
            "this one cannot be read (ValueError: two images have the same id)",
        ),
        (
            '{"images": [], "annotations": [{"image_id": 1, "category_id": 5, "bbox": [1, 2, 3, 4]}]}',
            "this one cannot be read (KeyError: 5)",
        ),
        ('{"images": [], "annotations": []}', "has no object for 4 files, such as a.png. Files of boxes have"),
        ('{"images": [], "annotations": [], "categories": [{"id": 7, "name": "dog"}]}', "has the categories dog, and"),
    ],
)
def test_files_of_boxes_that_say_nothing(folder, capsys, content, sentence):
    (folder / "boxes.json").write_text(content)
    assert evaluate() == 2
    assert sentence in said(capsys)
    assert not (folder / "run/manifest.json").exists()


def test_what_does_not_go_together(folder, capsys):
    write()
    usual = ["evaluate", "photos", "--model", "own_games:net", "--out", "run"]
    for arguments, sentence in [
        (["--metric", "PointingGame"], "go together; got no --annotations"),
        (["--annotations", "boxes.json"], "go together; got no metric that takes a region"),
        (["--annotations", "absent", "--metric", "PointingGame"], "or a folder of masks; there is no absent"),
        (["--annotations", "photos/sub", "--metric", "PointingGame"], "photos/sub has no object for 4 files"),
    ]:
        assert main([*usual, *arguments]) == 2
        assert sentence in said(capsys)


def test_annotations_of_another_photo_are_that_file_s_failure(folder, capsys):
    write(sizes=SIZES | {"a.png": (60, 40)})
    assert evaluate() == 1
    assert "a.png: boxes are in pixels of the photo, upright, which is 60 × 40; the file of boxes says 40 × 60" in said(
        capsys
    )
    draw(folder)
    Image.new("L", (3, 4), 1).save(folder / "masks/b.png")
    assert evaluate(annotations="masks", out="other") == 1
    assert "b.png: a mask has the size of its photo, 48 × 48; masks/b.png is 3 × 4." in said(capsys)


def test_boxes_are_of_photos(folder, capsys):
    write()
    (folder / "photos/e.mp4").write_bytes(b"never read")
    assert evaluate(model="film") == 2
    assert "boxes and masks are of photos; VideoGeometry of own_games:film, which takes a video" in said(capsys)
