"""The pointing game on COCO's masks: a closed form, masks that follow their photo, and the study on made-up photos."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import wavelens as wl

pytestmark = pytest.mark.slow
SIDE = 32
BOX = [[4, 8, 12, 8, 12, 20, 4, 20]]  # x 4 to 12, y 8 to 20, corners included


def runs(mask: np.ndarray) -> dict:
    """COCO's runs of a mask: down its columns, what is outside first."""
    flat = mask.T.flatten().astype(int)
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), len(flat)]
    counts = np.diff(edges).tolist()
    return {"counts": counts if not flat[0] else [0, *counts], "size": list(mask.shape)}


def instance(category: int, segmentation) -> dict:
    return {"category_id": category, "segmentation": segmentation}


class Looks(nn.Module):
    """A thousand classes over a convolution, so that class activation maps have a layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.look, self.relu, self.name = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Linear(4, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.name(8 * self.relu(self.look(x)).flatten(2).mean(2))


@pytest.fixture
def study(scripts, monkeypatch, tmp_path):
    """The study on three made-up photos of 32 x 32: a cat, a cat and a zebra, and a zebra that fills the photo."""
    monkeypatch.setenv("WAVELENS_OUT", str(tmp_path / "out"))
    monkeypatch.setenv("WAVELENS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("FULL", raising=False)
    importing = scripts("paper")
    monkeypatch.setattr(importing("harness.rows"), "BENCHMARKS", tmp_path / "stored")
    coco, pointing = importing("harness.coco"), importing("pointing_coco")
    right, whole = np.zeros((SIDE, SIDE), bool), np.ones((SIDE, SIDE), bool)
    right[10:30, 20:30] = True
    instances = {
        "one.jpg": [instance(17, BOX), instance(1, runs(whole))],  # a person has no class
        "two.jpg": [instance(17, BOX), instance(24, runs(right)), instance(17, runs(right))],
        "full.jpg": [instance(24, runs(whole))],
    }
    images = [{"file": name, "height": SIDE, "width": SIDE, "instances": own} for name, own in instances.items()]
    made = {"images": images, "categories": {"1": "person", "17": "cat", "24": "zebra"}}
    monkeypatch.setattr(coco, "annotations", lambda: made)
    folder = tmp_path / "data" / "more" / "coco" / "images"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in instances:
        Image.fromarray(random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / name)
    monkeypatch.setattr(pointing, "GEOMETRY", wl.models.Geometry((SIDE, SIDE), (SIDE, SIDE)))
    monkeypatch.setattr(pointing, "DOMAINS", {"wavelets": wl.DWT("haar", levels=2), "pixels": wl.Identity()})
    monkeypatch.setattr(pointing.at_hand, "image_network", lambda name: Looks().eval())
    monkeypatch.setattr(pointing.at_hand, "IMAGE_NETWORKS", {"A": "", "B": ""})
    for cached in (pointing.photo, pointing.region):
        cached.cache_clear()
    yield importing
    for cached in (pointing.photo, pointing.region):
        cached.cache_clear()


def test_classes_are_those_of_wordnet_and_no_class_is_of_two_categories(study):
    pointing, labels = study("pointing_coco"), wl.models.imagenet_labels()
    assert pointing.classes("cat") == tuple(range(281, 286))
    assert pointing.classes("dog") == tuple(range(151, 269))
    assert pointing.classes("bear") == tuple(range(294, 298))
    assert pointing.classes("elephant") == (101, 385, 386)
    assert pointing.classes("zebra") == (340,)
    assert pointing.classes("person") == ()
    every = [one for category in pointing.CLASSES for one in pointing.classes(category)]
    assert len(every) == len(set(every))
    first = [name.split(", ")[0] for name in labels]
    for names in pointing.CLASSES.values():
        assert all(first.count(name) == 1 for part in names.split(", ") for name in part.split(".."))


def test_polygons_and_runs_are_one_mask_and_categories_are_unions(study):
    coco = study("harness.coco")
    drawn = coco.instance(BOX, (SIDE, SIDE), (SIDE, SIDE))
    assert drawn[8:21, 4:13].all()
    assert drawn.sum() == 13 * 9
    np.testing.assert_array_equal(coco.instance(runs(drawn), (SIDE, SIDE), (SIDE, SIDE)), drawn)
    union = coco.mask("two.jpg", "cat")
    assert union.sum() == 13 * 9 + 20 * 10
    assert coco.mask("two.jpg", "zebra").nonzero().amin(0).tolist() == [10, 20]
    assert coco.mask("one.jpg", "zebra").sum() == 0
    assert coco.categories("two.jpg") == ["cat", "zebra"]
    half = coco.mask("two.jpg", "zebra", (SIDE // 2, SIDE // 2))
    assert half.shape == (16, 16)
    assert half.nonzero().amin(0).tolist() == [5, 10]


def test_a_photo_that_its_object_fills_asks_nothing(study):
    pointing = study("pointing_coco")
    assert pointing.asked("full.jpg") == {}
    assert list(pointing.asked("two.jpg")) == ["cat", "zebra"]
    assert sorted(pointing.files()) == ["one.jpg", "two.jpg"]


def test_scores_of_a_map_whose_places_are_known(study):
    """Two lone pixels, 3 and 1: the larger lies inside; under a Gaussian a dense patch outside is larger."""
    pointing = study("pointing_coco")
    inside = pointing.region("one.jpg", "cat")
    heat = torch.zeros(1, 1, SIDE, SIDE)
    heat[..., 15, 8], heat[..., 2, 25] = 3.0, 1.0
    x = torch.rand(1, 3, SIDE, SIDE)
    lone = pointing.scores(None, x, 0, {"lone": wl.Identity().bind(heat).analysis(heat)}, inside)
    assert lone["hits"] == {"lone": 1.0, "centre": 0.0, "area": pytest.approx(13 * 9 / SIDE**2, abs=1e-5)}
    assert lone["mass"]["lone"] == 0.75
    assert lone["smoothed"]["lone"] == 1.0
    heat[..., 22:32, 22:32] = 1.0
    patch = pointing.scores(None, x, 0, {"patch": wl.Identity().bind(heat).analysis(heat)}, inside)
    assert (patch["hits"]["patch"], patch["smoothed"]["patch"]) == (1.0, 0.0)


def test_the_study_on_made_up_photos_and_its_tables(study, monkeypatch, tmp_path):
    pointing = study("pointing_coco")
    pointing.main(["--results", str(tmp_path)])
    found = json.loads((tmp_path / "pointing-coco.json").read_text(encoding="utf-8"))
    assert found["classes"] == {name: pointing.CLASSES[name] for name in ("cat", "zebra")}
    whole = found["networks"]["all"]
    assert (whole["photos"], whole["questions"]) == (2, 4)
    cells = {cell["order"]: cell for cell in whole["cells"]}
    assert {"IG, wavelets", "SG, pixels", "Grad-CAM", "Grad-CAM++", "random order", "centre", "area"} <= cells.keys()
    assert cells["IG, pixels"]["gap"][0] <= 0.02
    energy = cells["energy order"]
    for measure in ("hits", "smoothed", "mass"):
        mine = cells["IG, wavelets"]
        assert mine[f"{measure}, less the energy order's"][0] == pytest.approx(
            mine[measure][0] - energy[measure][0], abs=2e-4
        )
    for cell in whole["wavelets, less pixels"]:
        both = [cells[f"{cell['order']}, {space}"]["mass"][0] for space in ("wavelets", "pixels")]
        assert cell["mass, less pixels'"][0] == pytest.approx(both[0] - both[1], abs=2e-4)
    rows = study("harness.rows").there(study("harness.rows").place("pointing-coco"))
    logits = Looks()(pointing.photo("two.jpg"))[0].detach()
    (row,) = [one for one in rows if (one["key"]["file"], one["key"]["network"]) == ("two.jpg", "A")]
    assert row["class"] == max((*range(281, 286), 340), key=lambda k: float(logits[k]))
    assert row["named"] == (int(logits.argmax()) in pointing.classes(row["category"]))
    monkeypatch.setattr(pointing, "row", lambda **key: pytest.fail("it is on record"))
    pointing.main(["--results", str(tmp_path)])
    made = study("pointing_tables").tables(tmp_path)
    assert "| 2 photos, 4 questions |" in made["pointing on masks"]
    assert "**" not in made["pointing, less energy"]  # two photos decide nothing
    assert made["pointing, wavelets less pixels"].count("\n") == 4
    assert made["pointing by network"].splitlines()[0] == "| hits | A | B |"


def test_a_difference_is_bold_after_holms_correction_of_its_table_alone(study):
    tables = study("pointing_tables")

    def cell(order: str, p: float, items: int = 40) -> dict:
        name = f"hits{tables.OVER}"
        return {"order": order, "items": items, "hits": [0.6, 0.5, 0.7], name: [0.2, 0.1, 0.3], f"{name}, p": p}

    def bold(*cells: dict) -> int:
        return tables.differences({"networks": {"all": {"cells": list(cells)}}}).count("**0.20 [0.10, 0.30]**")

    assert bold(cell("IG, wavelets", 0.03)) == 1
    assert bold(cell("IG, wavelets", 0.03), cell("SG, wavelets", 0.2)) == 0  # 2 x 0.03
    assert bold(cell("IG, wavelets", 0.001), cell("area", 0.001)) == 1  # chance is no order
    assert bold(cell("IG, wavelets", 0.001, items=19)) == 0


def test_the_tables_in_the_guide_are_what_the_record_gives(study):
    tables = study("pointing_tables")
    page = tables.PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- table: {name} -->" in page for name in tables.tables())
    assert tables.guides.filled(page, tables.tables()) == page
