"""The pointing game on two photos in one picture, in the place of WAM's table 8 (appendix D.2).

    python benchmarks/paper/pointing.py                 # 8 pictures: minutes on one thread; resumes
    FULL=1 python benchmarks/paper/pointing.py          # all the pairs there are, at most 230

PASCAL VOC is not at hand. So two Caltech-101 photos of different classes, each named rightly by the network, lie one
above the other (a grid pointing game, Böhle et al., 2021), and each of the two classes is explained: the highest place
of its map should lie in its box, that half. A map that knows nothing of the class hits one half. `energy` is the order
of |z|. results/pointing.json has the accuracies with 95 % intervals (bootstrap over pictures).
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import at_hand
import record
import torch
from record import rows
from torch import Tensor

import wavelens as wl

SMALL = {"pictures": 8, "network": "EfficientNet-lite0"}
FULL = {"pictures": 230}
DOMAINS = {"wavelets": wl.DWT("haar", levels=5), "pixels": wl.Identity()}
METHODS = {"saliency": wl.Saliency(), "SG": wl.SmoothGrad(samples=25), "IG": wl.IntegratedGradients(steps=25)}
CAMS = {"Grad-CAM": wl.baselines.GradCAM(), "Grad-CAM++": wl.baselines.GradCAMPlusPlus()}
HALF = wl.models.Geometry((112, 224), (112, 224))
HALVES = (((0, 112), (0, 224)), ((112, 224), (0, 224)))


@cache
def seen(network: str, name: str) -> int | None:
    """The class that the network names first of the half picture, if it is one of the photo's own."""
    accepted = json.loads(at_hand.at("images/caltech101_460.json").read_text("utf-8"))
    with torch.no_grad():
        named = int(at_hand.image_network(network)(torch.cat([half(name)] * 2, 2)).argmax())
    return named if named in classes(accepted, name) else None


def classes(accepted: Any, name: str) -> list[int]:
    """The ImageNet classes of a photo's category."""
    return list(accepted["accept"][name.rsplit("_", 1)[0]])


def half(name: str) -> Tensor:
    path = at_hand.at(f"images/caltech101_460/{name}")
    return HALF(wl.frontends.read_image(path))


def pairs(network: str, count: int) -> list[tuple[str, str]]:
    """So many pairs of photos whose classes differ, each photo used once."""
    found: list[tuple[str, str]] = []
    waiting: str | None = None
    for name in at_hand.photo_names(460):
        if seen(network, name) is None:
            continue
        if waiting is None or seen(network, waiting) == seen(network, name):
            waiting = waiting or name
        else:
            found.append((waiting, name))
            waiting = None
        if len(found) == count:
            break
    return found


def picture(network: str, above: str, below: str) -> tuple[Tensor, list[int]]:
    """The two photos in one, and the classes that the network names of them."""
    named = [seen(network, name) for name in (above, below)]
    return torch.cat([half(above), half(below)], 2), [target for target in named if target is not None]


def maps_of(network: str, x: Tensor, targets: list[int]) -> dict[str, list[wl.Coefficients]]:
    """Each explanation's maps, one a class."""
    net, several = at_hand.image_network(network), wl.targets.Several(*targets)
    found: dict[str, list[wl.Coefficients]] = {}
    for method, made in METHODS.items():
        for space, a in zip(
            DOMAINS, wl.attribute(net, x, several, domain=list(DOMAINS.values()), method=made), strict=True
        ):
            found[f"{method}, {space}"] = [wl.Coefficients(data, a.layout) for data in a.data]
    for name, cam in CAMS.items():
        a = cam(net, x, several)
        found[name] = [wl.Coefficients(data, a.layout) for data in a.data]
    z = DOMAINS["wavelets"].analysis(x)
    found["energy"] = [z, z]
    return found


def hits(network: str, above: str, below: str) -> dict[str, list[float]]:
    """For each explanation whether it hits, for the class above and the one below."""
    x, targets = picture(network, above, below)
    regions = [wl.metrics.boxes(x, [[box]]) for box in HALVES]
    net = at_hand.image_network(network)
    return {
        name: [
            float(wl.metrics.pointing_game(net, x, target, c, region=region))
            for target, c, region in zip(targets, both, regions, strict=True)
        ]
        for name, both in maps_of(network, x, targets).items()
    }


def main() -> None:
    options = record.options(__doc__, SMALL, FULL)
    found = pairs(options.network, options.pictures)
    keys = [{"network": options.network, "above": above, "below": below} for above, below in found]
    settings = {
        "methods": {name: repr(method) for name, method in METHODS.items()},
        "domain": repr(DOMAINS["wavelets"]),
    }
    table = rows.each(rows.place("pointing"), settings, keys, lambda **key: {"hits": hits(**key)})
    accuracy = {name: record.interval([sum(row["hits"][name]) / 2 for row in table]) for name in table[0]["hits"]}
    for name, three in accuracy.items():
        print(f"{name:20} {three}")
    text = {"network": options.network, "pictures": len(table), **settings, "accuracy": accuracy}
    print("wrote", record.write("pointing", text, options.results))


if __name__ == "__main__":
    main()
