"""Whether the words that decide get the largest attribution: captions with an animal against those with a vehicle.

    python benchmarks/text/captions.py

A linear head over MiniLM tells the captions of COCO photos that name an animal from those that name a vehicle. It is
trained on the captions of all other photos and asked about those of one in ten, ten times: every caption is explained
by a head that has not seen its photo, one caption of each photo. Which words decide is known, the names, and is
checked: the probability of the class is measured with the names masked, and with all other words masked.

Each order of a caption's words is judged by its first word, is it a name, and by its first k, how many are names, where
the caption has k. Intervals are over photos.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import torch
from harness import arguments, data, records
from harness.intervals import interval
from minilm_bert import Sentences, classifier, head_on, preparation

import wavelens as wl
from wavelens.frontends import Text
from wavelens.models import LoadedModel
from wavelens.models.preparations.text import Worded
from wavelens.words import WordAccount, partition_of

RESULTS = Path(__file__).parent / "results"
SMALL = {"steps": 32, "samples": 16, "permutations": 16, "each": 1, "folds": 10, "seed": 0}
LABELS = ("animal", "vehicle")
NAMES = (
    "bird cat dog horse sheep cow elephant bear zebra giraffe canary vulture kitten puppy goat duck seagull",
    "bicycle bike car motorcycle motorbike airplane plane jet bus buse train truck boat van taxi ship",
)
OTHERWISE = re.compile(r"teddy|hot dog|toy|stuffed|statue")  # names that are of no animal here


@dataclass(frozen=True)
class Caption:
    """A caption of a photo, its class, and which of its words are names of it."""

    photo: str
    text: str
    label: int
    names: frozenset[int]


def is_name(word: str, label: int) -> bool:
    bare = re.sub(r"\W", "", word.lower())
    return bare in NAMES[label].split() or bare.removesuffix("s") in NAMES[label].split()


def captions(worded: Callable[[str], Worded]) -> list[Caption]:
    """Those that name an animal or a vehicle, not both."""
    found = []
    for image in records.read(data.at("more/coco/coco_mini.json"))["images"]:
        for text in image["captions"]:
            if OTHERWISE.search(text.lower()):
                continue
            words = [word.text for word in worded(text).words]
            names = [{k for k, word in enumerate(words) if is_name(word, label)} for label in (0, 1)]
            if bool(names[0]) != bool(names[1]):
                label = int(bool(names[1]))
                found.append(Caption(image["file"], text, label, frozenset(names[label])))
    return found


def folds(photos: Sequence[str], count: int, seed: int) -> list[set[str]]:
    order = sorted(set(photos))
    random.Random(seed).shuffle(order)
    return [set(order[k::count]) for k in range(count)]


def orders(loaded: LoadedModel, one: Caption, worded: Worded, given: Any, number: int) -> dict[str, Any]:
    """For each method and control, a number per word: the larger, the more it says that the word decides.

    And what each scale of the caption has of the rise.
    """
    x, net, label = loaded.preprocess(Text(one.text)), loaded.module, one.label
    domains = [wl.Identity(), wl.TextHaar().of(worded.begins)]
    ig, by_scale = wl.attribute(net, x, label, domain=domains, method=wl.IntegratedGradients(steps=given.steps))
    noisy = {"samples": given.samples, "sigma": 0.1, "seed": number}
    made = {
        "IG": ig,
        "SG": wl.attribute(net, x, label, domain=wl.Identity(), method=wl.SmoothGrad(**noisy)),
        "gradient × input": wl.attribute(net, x, label, domain=wl.Identity(), method=wl.InputTimesGradient()),
    }
    accounts = {name: WordAccount(worded.words, worded.before, worded.after, a) for name, a in made.items()}
    found = {name: account.values for name, account in accounts.items()}
    found["SG × input"] = accounts["SG"].by_word((made["SG"].data * x).sum(1)[0])
    found["IG, size"] = [abs(value) for value in found["IG"]]
    rule = wl.ScaleShapley(exact_groups=7, max_permutations=given.permutations)
    groups = partition_of(worded.words, x.shape[-1])
    values = wl.shapley(net, x, label, domain=wl.Identity(), groups=groups, method=rule)
    found |= {"word Shapley": values.values[0].tolist(), "left out alone": values.last[0].tolist()}
    source = random.Random(given.seed + number)
    energy = x.square().sum(1)[0]
    found["random"] = [source.random() for _ in worded.words]
    found["longest word"] = [len(word.text) for word in worded.words]
    found["energy"] = [float(energy[word.start : word.stop].sum()) for word in worded.words]
    rise = float(ig.score - ig.baseline_score)
    names, sums = list(by_scale.layout.scales()), wl.maps.profile(by_scale).signed[0].tolist()
    return {
        "judged": {name: judged(values, one.names) for name, values in found.items()},
        "scales": {name: value / rise for name, value in zip(names, sums, strict=True)},
        "gap": abs(float(ig.gap) / rise),
    }


def judged(values: Sequence[float], names: frozenset[int]) -> tuple[float, float]:
    """Whether the first word is a name, and the share of names among as many words as there are names."""
    order = sorted(range(len(values)), key=lambda k: -values[k])
    return float(order[0] in names), len(names & set(order[: len(names)])) / len(names)


@torch.no_grad()
def masked(loaded: LoadedModel, one: Caption, worded: Worded) -> dict[str, float]:
    """The probability of the class: of the caption, with its names masked, and with all else masked."""
    x = loaded.preprocess(Text(one.text))
    kept = torch.zeros(x.shape[-1])
    for k in one.names:
        kept[worded.words[k].start : worded.words[k].stop] = 1
    texts = {"whole": x, "names masked": x * (1 - kept), "all but names masked": x * kept}
    return {name: float(loaded.probabilities(loaded.module(points))[0, one.label]) for name, points in texts.items()}


def by_photo(rows: Sequence[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> list[float | None]:
    """The mean over photos of the means over a photo's captions, with its 95 % interval."""
    photos: dict[str, list[float]] = {}
    for row in rows:
        photos.setdefault(row["photo"], []).append(value(row))
    return interval([sum(values) / len(values) for values in photos.values()])


def main(argv: list[str] | None = None) -> None:
    given = arguments.sized(__doc__, SMALL, {}, RESULTS, argv)
    prepare, encode = preparation(), Sentences().eval()
    every = captions(lambda text: prepare.worded(Text(text)))
    with torch.no_grad():
        features = torch.cat([encode(prepare(Text(one.text))) for one in every])
    labels, rows = torch.tensor([one.label for one in every]), []
    for held in folds([one.photo for one in every], given.folds, given.seed):
        inside = torch.tensor([one.photo not in held for one in every])
        loaded = classifier(head_on(features[inside], labels[inside], 2), LABELS)
        for number, one in enumerate(every):
            if one.photo not in held or [other.photo for other in every[:number]].count(one.photo) >= given.each:
                continue
            worded = prepare.worded(Text(one.text))
            logits = loaded.module(prepare(Text(one.text)))[0]
            rows.append(
                {
                    "photo": one.photo,
                    "right": float(int(logits.argmax()) == one.label),
                    "words": len(worded.words),
                    "names": len(one.names),
                    "masked": masked(loaded, one, worded),
                    **orders(loaded, one, worded, given, number),
                }
            )
            print(len(rows), file=sys.stderr, flush=True)
    print(records.write(given.results / "captions.json", summary(rows, every, given)))


def summary(rows: Sequence[dict[str, Any]], every: Sequence[Caption], given: Any) -> dict[str, Any]:
    known = ("document", "phrases", "words", "pieces")
    return {
        "settings": {name: getattr(given, name) for name in SMALL},
        "captions that heads are trained on": len(every),
        "captions": len(rows),
        "photos": len({row["photo"] for row in rows}),
        "words": by_photo(rows, lambda row: row["words"]),
        "names": by_photo(rows, lambda row: row["names"]),
        "accuracy on photos that were not seen": by_photo(rows, lambda row: row["right"]),
        "probability": {name: by_photo(rows, lambda row, name=name: row["masked"][name]) for name in rows[0]["masked"]},
        "by chance": by_photo(rows, lambda row: row["names"] / row["words"]),
        "orders": {
            name: {
                "first is a name": by_photo(rows, lambda row, name=name: row["judged"][name][0]),
                "names among the first k": by_photo(rows, lambda row, name=name: row["judged"][name][1]),
            }
            for name in rows[0]["judged"]
        },
        "gap of IG, part of the rise": by_photo(rows, lambda row: row["gap"]),
        "share of the rise": {
            name: by_photo(rows, lambda row, name=name: row["scales"].get(name, 0.0)) for name in known
        },
    }


if __name__ == "__main__":
    main()
