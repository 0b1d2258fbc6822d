"""Table 2: does the mother wavelet change insertion and deletion of WAM-IG? Sounds, photos and volumes, in float64.

    python benchmarks/paper/table2.py              # 20 photos, 20 volumes, 20 clips
    FULL=1 python benchmarks/paper/table2.py       # 460 photos, 298 volumes, 400 clips: all; 64 steps

Two networks for each kind of signal. One set of gradients serves all wavelets, so that nothing but the wavelet differs;
paths have nodes until they miss 2 % of the rise. Among the wavelets are Haar's own filters under two other names (db1,
bior1.1), and db4 with another treatment of the border. For each wavelet there are both areas, how far they are from
Haar's item by item, and the sum of the attributions, which completeness fixes. Volumes are judged with many steps and
with few: they are mostly empty, and a first step that takes all that is there has no order. As in table 3, curves of
YAMNet follow the sigmoid of the class.
"""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import at_hand
import judging
import nets3d
import numpy as np
import record
import sound
import table3
import torch
from record import rows
from torch import Tensor, nn

import wavelens as wl
from wavelens.runs.evaluation import weights_digest

SMALL = {"photos": 20, "volumes": 20, "clips": 20, "steps": 16}
FULL = {"photos": 460, "volumes": 298, "clips": 400, "steps": 64}
LEVELS = {"photo": 3, "volume": 2, "volume, few steps": 2, "clip": 8}
STEPS = {"volume": 32, "volume, few steps": 8}  # where they are not those of the settings
NETWORKS = {
    "photo": ("SqueezeNet 1.1", "MobileNetV2"),
    "volume": ("residual", "inverted"),
    "clip": ("Micro-ACDNet", "YAMNet"),
}
WAVELETS = ("haar", "db1", "bior1.1", "db4", "sym4", "bior2.2", "bior4.4")
METHOD = wl.IntegratedGradients(tolerance=judging.TOLERANCE)
REFLECT = "db4, reflected border"


def domains(kind: str) -> dict[str, wl.DWT]:
    found = {name: wl.DWT(name, levels=LEVELS[kind]) for name in WAVELETS}
    return found | {REFLECT: wl.DWT("db4", levels=LEVELS[kind], mode="reflect")}


def signal_kind(kind: str) -> str:
    """Without what is said of its curves."""
    return kind.partition(",")[0]


@cache
def loaded(kind: str, name: str) -> nn.Module:
    net = {
        "photo": at_hand.image_network,
        "volume": lambda name: nets3d.network(name, "adrenal"),
        "clip": lambda name: table3.classifier(name.lower()).module,
    }[kind](name)
    return copy.deepcopy(net).double().eval()


def signal(kind: str, network: str, item: str) -> Tensor:
    if kind == "photo":
        return at_hand.photo(item).double()
    if kind == "volume":
        return at_hand.medmnist("adrenal")[0][int(item)][None].double()
    return table3.classifier(network.lower()).prepared(sound.waveform(item)).double()


def row(kind: str, network: str, item: str, *, steps: int) -> rows.Row:
    net, x = loaded(signal_kind(kind), network), signal(signal_kind(kind), network, item)
    with torch.no_grad():
        target = int(net(x).argmax(1))
    named = domains(kind)
    found = wl.attribute(net, x, target, domain=list(named.values()), method=METHOD)
    followed = table3.asked(network, target) if kind == "clip" else target
    scores, remembered = {}, judging.Remembered(net).eval()
    for name, a in zip(named, found, strict=True):
        curves = wl.metrics.curves(remembered, x, followed, a, steps=STEPS.get(kind, steps))
        areas = {"insertion": curves.insertion_area, "deletion": curves.deletion_area, "sum": a.data.sum()}
        scores[name] = {key: float(value) for key, value in areas.items()}
    return {"class": target, "gap": judging.gaps({"": found[0]})[""], "scores": scores}


def summary(mine: list[rows.Row], kind: str) -> list[dict[str, Any]]:
    found = []
    for name in domains(kind):
        cell: dict[str, Any] = {"wavelet": name, "items": len(mine)}
        cell["gap"] = record.interval([row["gap"] for row in mine], np.median)
        for measure in ("insertion", "deletion", "sum"):
            values = [row["scores"][name][measure] for row in mine]
            away = [abs(v - row["scores"]["haar"][measure]) for v, row in zip(values, mine, strict=True)]
            cell[measure] = record.interval(values)
            cell[f"{measure}, distance from haar"] = {
                "mean": float(f"{sum(away) / len(away):.3g}"),
                "most": float(f"{max(away):.3g}"),
            }
            paired = [v - row["scores"]["haar"][measure] for v, row in zip(values, mine, strict=True)]
            cell |= judging.paired(f"{measure}, less haar's", paired)
        found.append(cell)
    return found


def chosen(photos: int, volumes: int, clips: int) -> list[dict[str, str]]:
    numbers = [str(k) for k in at_hand.drawn(range(len(at_hand.medmnist("adrenal")[0])), volumes)]
    items = {
        "photo": at_hand.photo_names(photos),
        **dict.fromkeys(STEPS, numbers),
        "clip": at_hand.clip_names(clips),
    }
    return [
        {"kind": kind, "network": network, "item": item}
        for kind, names in items.items()
        for item in names
        for network in NETWORKS[signal_kind(kind)]
    ]


def main(argv: list[str] | None = None) -> None:
    given = record.options(__doc__, SMALL, FULL, argv)
    settings = {"steps": given.steps}
    keys = chosen(given.photos, given.volumes, given.clips)
    constants = {
        "networks": NETWORKS,
        "method": repr(METHOD),
        "domains": {kind: judging.texts(domains(kind)) for kind in LEVELS},
    }
    weights = {name: weights_digest(loaded("volume", name)) for name in NETWORKS["volume"]}
    made_with = settings | constants | {"steps of a kind": STEPS, "weights": weights}
    found = rows.each(rows.place("table2"), made_with, keys, lambda **key: row(**key, **settings))
    kinds = {
        kind: {
            network: mine
            for network in NETWORKS[signal_kind(kind)]
            if (mine := [one for one in found if (one["key"]["kind"], one["key"]["network"]) == (kind, network)])
        }
        for kind in LEVELS
    }
    whole = {
        "title": "Table 2: the mother wavelet",
        "data": f"photos, volumes and clips of tables 4, 7 and 3, {at_hand.DRAW}",
        "settings": settings | {f"steps, {kind}": count for kind, count in STEPS.items()},
        **constants,
        "items": {kind: len(mine) for kind, several in kinds.items() for mine in several.values()},
        "seconds": round(sum(one["seconds"] for one in found)),
        "kinds": {
            kind: {network: summary(mine, kind) for network, mine in several.items()} for kind, several in kinds.items()
        },
    }
    record.write("table2", whole, given.results)


if __name__ == "__main__":
    main()
