"""The pointing game on COCO's photos and masks, with four networks, in the place of WAM's table 8 (appendix D.2).

    python benchmarks/paper/pointing_coco.py            # all photos: resumes
    python benchmarks/paper/pointing_coco.py --photos 8

For some of COCO's categories ImageNet has classes (CLASSES). Of the classes of a photo's categories the one with the
largest logit is explained, and the highest place of the map should lie in the union of that category's masks. Photo and
masks go through the same Geometry. Categories whose masks cover more than LARGEST of what the network sees, where most
maps hit, or less than SMALLEST, which it hardly sees, are left out; both bounds were set before any map was made.

    hits        the game (Zhang et al., 2018) without tolerance
    smoothed    the same of the map under a Gaussian of SMOOTHING pixels, so that no single place decides
    mass        the part of the map inside the masks (Arras et al., 2022)

Controls: the energy |z| of the wavelet coefficients, a random order of them, the centre of the photo, and `area`, the
part of the photo that the masks cover, which is what a place by chance hits. Intervals are over photos (BCa); of all
networks a photo's value is their mean. Differences to the energy order are paired, photo by photo. "named rightly" are
the photos alone of which the network names a class of the category first.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import at_hand
import judging
import numpy as np
import record
import torch
from harness import coco
from record import rows
from torch import Tensor

import wavelens as wl
from wavelens.masks import Blur
from wavelens.models import Geometry, imagenet_labels

SMALL = {"photos": 82}
DOMAINS = {"wavelets": wl.DWT("haar", levels=5), "pixels": wl.Identity()}
GEOMETRY = Geometry((256, 256), (224, 224))
LARGEST, SMALLEST = 0.6, 0.01  # of the prepared photo
SMOOTHING = 8.0  # pixels
CENTRE, AREA, ENERGY = "centre", "area", "energy order"
MEASURES = ("hits", "smoothed", "mass")
OVER = ", less the energy order's"
CLASSES = {  # a category: first names of the classes that are it or kinds of it, as COCO uses the word; A..B: A to B
    "airplane": "airliner, warplane",
    "apple": "Granny Smith",
    "backpack": "backpack",
    "banana": "banana",
    "bear": "brown bear..sloth bear",
    "bed": "four-poster",
    "bench": "park bench",
    "bicycle": "bicycle-built-for-two, mountain bike",
    "bird": "cock..great grey owl, black grouse..black swan, white stork..albatross",
    "boat": "canoe, catamaran, fireboat, gondola, lifeboat, speedboat, trimaran, yawl",
    "book": "comic book",
    "bottle": "beer bottle, pill bottle, pop bottle, water bottle, water jug, whiskey jug, wine bottle",
    "bowl": "mixing bowl, soup bowl",
    "broccoli": "broccoli",
    "bus": "minibus, school bus, trolleybus",
    "car": "ambulance, beach wagon, cab, convertible, jeep, limousine, minivan, Model T, racer, sports car",
    "cat": "tabby..Egyptian cat",
    "cell phone": "cellular telephone",
    "chair": "barber chair, folding chair, rocking chair, throne",
    "clock": "analog clock, digital clock, wall clock",
    "couch": "studio couch",
    "cow": "ox",
    "cup": "coffee mug, cup",
    "dining table": "dining table",
    "dog": "Chihuahua..Mexican hairless",
    "elephant": "tusker, Indian elephant, African elephant",
    "hair drier": "hand blower",
    "handbag": "purse",
    "horse": "sorrel",
    "hot dog": "hotdog",
    "keyboard": "computer keyboard",
    "knife": "cleaver, letter opener",
    "laptop": "laptop, notebook",
    "microwave": "microwave",
    "motorcycle": "moped, motor scooter",
    "mouse": "mouse",
    "orange": "orange",
    "oven": "stove",
    "parking meter": "parking meter",
    "pizza": "pizza",
    "refrigerator": "refrigerator",
    "remote": "remote control",
    "sandwich": "cheeseburger",
    "sheep": "ram, bighorn",
    "sink": "washbasin",
    "skis": "ski",
    "spoon": "wooden spoon",
    "sports ball": "baseball, basketball, croquet ball, golf ball, rugby ball, soccer ball, tennis ball, volleyball",
    "teddy bear": "teddy",
    "tennis racket": "racket",
    "tie": "bolo tie, bow tie, Windsor tie",
    "toaster": "toaster",
    "traffic light": "traffic light",
    "train": "bullet train, electric locomotive, passenger car, steam locomotive",
    "truck": "fire engine, garbage truck, moving van, pickup, police van, tow truck, trailer truck",
    "tv": "monitor, screen, television",
    "umbrella": "umbrella",
    "vase": "vase",
    "wine glass": "goblet",
    "zebra": "zebra",
}


def methods() -> dict[Any, Any]:
    return {
        ("saliency, wavelets", "saliency, pixels"): wl.Saliency(),
        ("SG, wavelets", "SG, pixels"): wl.SmoothGrad(samples=25),
        ("IG, wavelets", "IG, pixels"): wl.IntegratedGradients(tolerance=judging.TOLERANCE),
        "Grad-CAM": wl.baselines.GradCAM(),
        "Grad-CAM++": wl.baselines.GradCAMPlusPlus(),
    }


@cache
def classes(category: str) -> tuple[int, ...]:
    """The indices of a category's classes, none of a category that ImageNet has no classes for."""
    first = [names.split(", ")[0] for names in imagenet_labels()]
    chosen: list[int] = []
    for part in filter(None, CLASSES.get(category, "").split(", ")):
        a, b = (first.index(name) for name in (part.split("..") * 2)[:2])
        chosen += range(a, b + 1)
    return tuple(chosen)


@cache
def photo(file: str) -> Tensor:
    return GEOMETRY(wl.frontends.read_image(coco.photo_path(file)))


@cache
def region(file: str, category: str) -> Tensor:
    """Where the category is in the prepared photo, `(1, 224, 224)`."""
    return GEOMETRY.region(coco.mask(file, category))


def asked(file: str) -> dict[str, str]:
    """The categories of a photo that have classes and are neither too small nor too large in it, with their classes."""
    share = {one: float(region(file, one).double().mean()) for one in coco.categories(file) if classes(one)}
    return {one: CLASSES[one] for one, part in share.items() if SMALLEST <= part <= LARGEST}


def files() -> list[str]:
    """The photos with such a category, in an order that is drawn once."""
    every = sorted(one["file"] for one in coco.annotations()["images"])
    return [file for file in at_hand.drawn(every, len(every)) if asked(file)]


def row(network: str, file: str, categories: dict[str, str]) -> rows.Row:
    """What is explained, whether the network names it first, and what each map hits."""
    net, x = at_hand.image_network(network), photo(file)
    with torch.no_grad():
        logits = net(x)[0]
    target, category = max(
        ((k, category) for category in categories for k in classes(category)), key=lambda one: float(logits[one[0]])
    )
    found, seconds, left_out = judging.explained(net, x, target, methods(), list(DOMAINS.values()))
    gaps = judging.gaps(found)
    found |= judging.controls(x, DOMAINS["wavelets"], seed=judging.seed(file))
    made = {"category": category, "class": target, "named": int(logits.argmax()) in classes(category)}
    made |= {"explaining": seconds, "left_out": left_out, "gaps": gaps}
    return made | {"scores": scores(net, x, target, found, region(file, category))}


def scores(net: Any, x: Tensor, target: int, own: dict[str, wl.Coefficients], inside: Tensor) -> dict[str, Any]:
    """By measure, what each map scores on the region `inside`, and the controls that have no map."""
    part, middle = float(inside.double().mean()), float(inside[0, inside.shape[1] // 2, inside.shape[2] // 2])
    made: dict[str, dict[str, float]] = {measure: {} for measure in MEASURES}
    for name, a in own.items():
        heat = wl.maps.spatial_map(a)[None]
        smooth = DOMAINS["pixels"].bind(heat).analysis(Blur(SMOOTHING)(heat))
        made["hits"][name] = float(wl.metrics.pointing_game(net, x, target, a, region=inside))
        made["smoothed"][name] = float(wl.metrics.pointing_game(net, x, target, smooth, region=inside))
        made["mass"][name] = round(float(wl.metrics.relevance_mass(net, x, target, a, region=inside)), 5)
    for one in ("hits", "smoothed"):
        made[one] |= {CENTRE: middle, AREA: round(part, 5)}
    made["mass"][AREA] = round(part, 5)
    return made


def summary(table: list[rows.Row]) -> dict[str, Any]:
    """Of some rows: how many photos, how many questions and rightly named, and every map's figures."""
    rightly = [one for one in table if one["named"]]
    counts = {"photos": len({one["key"]["file"] for one in table}), "questions": len(table), "named": len(rightly)}
    return counts | {"cells": cells(table), "named rightly": cells(rightly), "wavelets, less pixels": spaces(table)}


def spaces(table: list[rows.Row]) -> list[dict[str, Any]]:
    """One cell for each method: what its map in wavelets scores above its map in pixels, photo by photo."""
    made = []
    for method in ("saliency", "SG", "IG"):
        cell: dict[str, Any] = {"order": method, "items": len({one["key"]["file"] for one in table})}
        for measure in MEASURES:
            scored = [one["scores"][measure] for one in table]
            ahead = [own[f"{method}, wavelets"] - own[f"{method}, pixels"] for own in scored]
            cell |= judging.paired(f"{measure}, less pixels'", _by_photo(table, ahead))
        made.append(cell)
    return made


def cells(table: list[rows.Row]) -> list[dict[str, Any]]:
    """One cell for each map: its means over photos, and their paired differences to the energy order's."""
    made = []
    for name in dict.fromkeys(name for one in table for name in one["scores"]["hits"]):
        mine = [one for one in table if name in one["scores"]["hits"]]
        cell: dict[str, Any] = {"order": name, "items": len({one["key"]["file"] for one in mine})}
        for measure in MEASURES:
            own = [one["scores"][measure].get(name) for one in mine]
            if None in own:
                continue
            cell[measure] = record.interval(_by_photo(mine, own))
            if name != ENERGY:
                ahead = [value - one["scores"][measure][ENERGY] for value, one in zip(own, mine, strict=True)]
                cell |= judging.paired(f"{measure}{OVER}", _by_photo(mine, ahead))
        if missed := [one["gaps"][name] for one in mine if name in one["gaps"]]:
            cell["gap"] = record.interval(missed, np.median)
        made.append(cell)
    return made


def _by_photo(table: list[rows.Row], values: list[float]) -> list[float]:
    return judging.by_item([one["key"]["file"] for one in table], values)


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, {}, argv)
    keys = [
        {"network": network, "file": file, "categories": asked(file)}
        for file in files()[: given.photos]
        for network in at_hand.IMAGE_NETWORKS
    ]
    settings = {
        "domains": judging.texts(DOMAINS),
        "methods": judging.texts(methods()),
        "geometry": repr(GEOMETRY),
        "smoothing": SMOOTHING,
    }
    found = rows.each(rows.place("pointing-coco"), settings, keys, row)
    networks = {
        name: summary([one for one in found if name in (one["key"]["network"], "all")])
        for name in [*at_hand.IMAGE_NETWORKS, "all"]
    }
    whole = {
        "data": f"photos of COCO, {at_hand.DRAW}",
        **settings,
        "bounds of the masks": [SMALLEST, LARGEST],
        "classes": {name: CLASSES[name] for name in sorted({c for one in keys for c in one["categories"]})},
        "left out": judging.left_out(found),
        "seconds": round(sum(one["seconds"] for one in found)),
        "networks": networks,
    }
    print("wrote", record.write("pointing-coco", whole, given.results))


if __name__ == "__main__":
    main()
