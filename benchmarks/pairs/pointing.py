"""Does the account of a caption point at what its words name? COCO's photos, captions and masks, the pair at hand.

    python benchmarks/pairs/pointing.py                    # all photos with a named category; resumes
    python benchmarks/pairs/pointing.py --photos 8         # some, in an order that is drawn once

Every category of a photo that a caption names is a case, by the first caption that names it: does the largest place of
a map lie in the masks of its instances? Maps are read as they are and smoothed by 8 pixels:

    word       what the naming word and the picture share (`wavelens.pairs.word_maps`, 8 nodes), in wavelets and pixels
    caption    the picture's side of the account of the whole caption (IG, 8 nodes), in wavelets and pixels
    Grad-CAM   of the tower's last block, for the caption and for the direction of the word
    controls   energy |z| of the photo in wavelets, the centre, and a random place: the masks' part of the photo

|γ| and signed maps are kept apart. Figures are means over photos of the mean over a photo's cases, with 95 % intervals
by resampling photos: the cases of one photo depend on each other. `mass` is the part of a map's positive values that
lies in the masks.

Swaps: of the caption and one in which the naming word is another category's, which the photo does not show, the word
whose value changes most, and whether the picture's account of the difference of the two scores points at the masks.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import at_hand
import named
import numpy as np
import torch
from smoothing import smoothed
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
from harness import coco, records, rows
from harness.arguments import sized
from harness.intervals import interval

import wavelens as wl
from wavelens import maps
from wavelens.pairs import PairAccount, pair_accounts
from wavelens.pairs.maps import Along, SignalTower, word_directions
from wavelens.pairs.text import text_signal

RESULTS = Path(__file__).parent / "results"
SETTINGS = {"photos": 82, "nodes": 8, "smoothing": 8}
DOMAINS = {"wavelets": wl.DWT("haar", levels=5), "pixels": wl.Identity()}
CAM = wl.baselines.GradCAM(layer="vit.blocks.11.norm1")


@cache
def pair() -> Any:
    return at_hand.photo_text()


@cache
def photo(file: str) -> Tensor:
    return at_hand.photo(file)


def maps_of(file: str, cases: list[named.Named], nodes: int) -> list[dict[str, Tensor]]:
    """The maps of each case of a photo, `(224, 224)`, by their names."""
    net, x, targets = SignalTower(pair()), photo(file), []
    for one in cases:
        text = caption_of(one)
        signal = text_signal(pair(), [text])
        naming = signal._replace(words=(tuple(signal.words[0][k] for k in one.words),))
        with torch.no_grad():
            whole = pair().scale * pair().embed_text(signal.embeddings, signal.mask)[0]
        targets += [Along(text, word_directions(pair(), naming, nodes).sum(0)), Along(text, whole)]
    several, method = wl.targets.Several(*targets), wl.IntegratedGradients(steps=nodes)
    found: list[dict[str, Tensor]] = [{} for _ in cases]
    spaces = wl.attribute(net, x, several, domain=[*DOMAINS.values()], method=method)
    for k, one in enumerate(found):
        for place, of in ((2 * k, "word"), (2 * k + 1, "caption")):
            for space, a in zip(DOMAINS, spaces, strict=True):
                c = wl.Coefficients(a.data[place], a.layout)
                one[f"{of}, {space}, signed"] = maps.spatial_map(c, signed=True)[0]
                one[f"{of}, {space}, |γ|"] = maps.spatial_map(c)[0]
    cams = CAM(net, x, several)
    energy = maps.spatial_map(DOMAINS["wavelets"].analysis(x))[0]
    for k, one in enumerate(found):
        for place, of in ((2 * k, "word"), (2 * k + 1, "caption")):
            one[f"Grad-CAM, {of}"] = maps.spatial_map(wl.Coefficients(cams.data[place], cams.layout))[0]
        one["energy"] = energy
    return found


def caption_of(one: named.Named) -> str:
    caption: str = coco.image_of(one.file)["captions"][one.caption]
    return caption


def of_photo(file: str, cases: list[list[Any]], nodes: int, smoothing: float) -> list[dict[str, Any]]:
    """Of each case whether the largest place of each map lies in the masks, the mass inside, and what a swap does."""
    several = [named.Named(*one[:3], tuple(one[3])) for one in cases]
    swapped = swaps(file, several, nodes, smoothing)
    pairs = zip(several, maps_of(file, several, nodes), strict=True)
    return [judged(one, found, smoothing) | {"swap": swapped[k]} for k, (one, found) in enumerate(pairs)]


def judged(one: named.Named, found: dict[str, Tensor], smoothing: float) -> dict[str, Any]:
    inside = named.mask(one.file, one.category)
    hits = {name: hits_of(heat, inside, smoothing) for name, heat in found.items()}
    part, middle = float(inside.double().mean()), named.SIDE // 2
    mass = {name: float((heat.clamp_min(0) * inside).sum() / heat.clamp_min(0).sum()) for name, heat in found.items()}
    hits |= {"centre": [float(inside[middle, middle])] * 2, "random": [part] * 2}
    return {"file": one.file, "category": one.category, "hits": hits, "mass": mass | {"random": part}}


def hits_of(heat: Tensor, inside: Tensor, smoothing: float) -> list[float]:
    """Whether the largest place lies inside, as the map is and smoothed."""
    return [float(inside.flatten()[one.argmax()]) for one in (heat, smoothed(heat, smoothing))]


def swaps(file: str, cases: list[named.Named], nodes: int, smoothing: float) -> list[dict[str, Any] | None]:
    """What changes where the naming word becomes another category's; None of names of several words."""
    texts: dict[int, tuple[str, str, str]] = {}
    for k, one in enumerate(cases):
        words = caption_of(one).split()
        if len(one.words) == 1 and len(pair().tokenize([caption_of(one)]).words[0]) == len(words):
            other = another(file, one.category, words[one.words[0]])
            changed = [*words[: one.words[0]], other, *words[one.words[0] + 1 :]]
            texts[k] = (" ".join(words), " ".join(changed), other)
    if not texts:
        return [None] * len(cases)
    both = [text for own in texts.values() for text in own[:2]]
    x, method = photo(file).expand(len(both), -1, -1, -1), wl.IntegratedGradients(steps=nodes)
    found = pair_accounts(pair(), x, both, domain=DOMAINS["wavelets"], method=method)
    result: list[dict[str, Any] | None] = [None] * len(cases)
    for number, (k, own) in enumerate(texts.items()):
        result[k] = swap(cases[k], found[2 * number], found[2 * number + 1], smoothing) | {"other": own[2]}
    return result


def swap(one: named.Named, before: PairAccount, after: PairAccount, smoothing: float) -> dict[str, Any]:
    """Whether the account changes most on the word, and whether the difference of the pictures' sides points right."""
    inside, change = named.mask(one.file, one.category), (before.values - after.values).abs()
    a, b = (account.attributions[0]["signal"] for account in (before, after))
    c = wl.Coefficients(a.data - b.data, a.layout)
    return {
        "word": float(int(change.argmax()) == one.words[0]),
        "random word": 1 / len(change),
        "part of the words' change": float(change[one.words[0]] / change.sum()),
        "fall": before.score - after.score,
        "hits": {
            "signed": hits_of(maps.spatial_map(c, signed=True)[0], inside, smoothing),
            "|γ|": hits_of(maps.spatial_map(c)[0], inside, smoothing),
        },
    }


def another(file: str, category: str, word: str) -> str:
    """A category of one word that the photo does not show, drawn by the file and the category."""
    names, there = coco.annotations()["categories"], coco.categories(file)
    choices = [name for name in names.values() if " " not in name and name not in there]
    seed = [int(Path(file).stem), list(names.values()).index(category)]
    chosen = choices[int(np.random.default_rng(seed).integers(len(choices)))]
    plural = named.plain(word).endswith("s") and not chosen.endswith("s")
    return f"{chosen}s" if plural else chosen


def by_photo(table: list[dict[str, Any]], read: Any) -> list[float | None]:
    """The mean over photos of the mean over a photo's cases, with its interval."""
    photos: dict[str, list[float]] = {}
    for row in table:
        if (value := read(row)) is not None:
            photos.setdefault(row["file"], []).append(value)
    return interval([float(np.mean(values)) for values in photos.values()])


def summary(table: list[dict[str, Any]]) -> dict[str, Any]:
    first, swaps = table[0], [row for row in table if row["swap"]]
    gain = {
        f"{a} less {b}": by_photo(table, lambda row, a=a, b=b: row["hits"][a][1] - row["hits"][b][1])
        for a in ("word, wavelets, signed",)
        for b in first["hits"]
        if b != a
    }
    return {
        "photos": len({row["file"] for row in table}),
        "cases": len(table),
        "hits": {
            name: {
                "as it is": by_photo(table, lambda row, name=name: row["hits"][name][0]),
                "smoothed": by_photo(table, lambda row, name=name: row["hits"][name][1]),
            }
            for name in first["hits"]
        },
        "mass": {name: by_photo(table, lambda row, name=name: row["mass"][name]) for name in first["mass"]},
        "smoothed, less": gain,
        "swaps": {
            "cases": len(swaps),
            "photos": len({row["file"] for row in swaps}),
            **{
                name: by_photo(swaps, lambda row, name=name: row["swap"][name])
                for name in ("word", "random word", "part of the words' change", "fall")
            },
            "hits": {
                name: {
                    "as it is": by_photo(swaps, lambda row, name=name: row["swap"]["hits"][name][0]),
                    "smoothed": by_photo(swaps, lambda row, name=name: row["swap"]["hits"][name][1]),
                }
                for name in ("signed", "|γ|")
            },
            "energy": by_photo(swaps, lambda row: row["hits"]["energy"][1]),
            "random": by_photo(swaps, lambda row: row["hits"]["random"][1]),
            "centre": by_photo(swaps, lambda row: row["hits"]["centre"][1]),
        },
    }


def main() -> None:
    options = sized(__doc__, SETTINGS, {}, RESULTS)
    cases: dict[str, list[named.Named]] = {}
    for one in named.every(pair()):
        cases.setdefault(one.file, []).append(one)
    order = np.random.default_rng(0).permutation(len(cases))[: options.photos]
    keys = [{"file": file, "cases": [list(one) for one in cases[file]]} for file in (list(cases)[k] for k in order)]
    settings = {name: getattr(options, name) for name in ("nodes", "smoothing")}
    settings |= {"domains": {name: repr(domain) for name, domain in DOMAINS.items()}}

    def compute(**key: Any) -> dict[str, Any]:
        return {"judged": of_photo(**key, nodes=options.nodes, smoothing=options.smoothing)}

    photos = rows.each(rows.place("pairs-pointing"), settings, keys, compute)
    record = settings | {"called": named.ALSO} | summary([case for row in photos for case in row["judged"]])
    print("wrote", records.write(options.results / "pointing.json", record))


if __name__ == "__main__":
    main()
