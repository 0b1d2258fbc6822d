"""The pair of networks that tell photovoltaic panels in aerial crops, with standard and with adversarial training.

In this folder the command takes them by name:

    D="$WAVELENS_DATA/pv/pv_fresno300"
    wavelens profile pv:standard pv:adversarial --data "$D" --labels "$D/labels.csv" --out runs/pv

Needs the folder WAVELENS_DATA (weights/pv_resnet18w16_*.safetensors, pv/pv_fresno300). A crop has 101 × 101 pixels of
0.3 m (Bradbury et al., 2016); the networks see it at 128 × 128, so their scales are multiples of 0.237 m.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from record import at
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

import wavelens as wl
from wavelens.models import Geometry, LoadedModel, Normalized

WIDTHS = (16, 32, 64, 128)
SIZE = 128
METRES = 0.3  # between the pixels of a crop
GEOMETRY = Geometry((SIZE, SIZE), (SIZE, SIZE), squash=True, interpolation="bicubic", spacing=(METRES,) * 2, unit="m")
LABELS = ("no panel", "panel")
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETWORKS = {"standard": "pv_resnet18w16_std", "adversarial": "pv_resnet18w16_adv"}


class Narrow(ResNet):
    """A ResNet-18 (He et al., 2016) with a quarter of its channels."""

    def __init__(self) -> None:
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=2)
        self.inplanes = WIDTHS[0]
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        for stage, width in enumerate(WIDTHS, 1):
            setattr(self, f"layer{stage}", self._make_layer(BasicBlock, width, 2, stride=1 if stage == 1 else 2))
        self.fc = nn.Linear(WIDTHS[-1], 2)


def network(name: str) -> LoadedModel:
    net = Narrow()
    stored = load_file(at(f"weights/{NETWORKS[name]}.safetensors"))
    net.load_state_dict({key: value.float() for key, value in stored.items()})
    return LoadedModel(Normalized(net, MEAN, DEVIATION).eval(), LABELS, GEOMETRY, name)


def standard() -> LoadedModel:
    return network("standard")


def adversarial() -> LoadedModel:
    return network("adversarial")


def crops() -> tuple[Tensor, Tensor]:
    """All crops as the networks see them, `(300, 3, 128, 128)`, and their labels, 1 where there is a panel."""
    folder = at("pv/pv_fresno300")
    with (folder / "labels.csv").open(newline="") as file:
        rows = [(row["filename"], int(row["label"])) for row in csv.DictReader(file)]
    x = torch.cat([GEOMETRY(wl.frontends.read_image(folder / name)) for name, _ in rows])
    return x, torch.tensor([label for _, label in rows])


def spread(labels: Tensor, count: int) -> Tensor:
    """So many crops with and as many without a panel, evenly spread; all of a label where it has fewer."""
    places = [(labels == label).nonzero()[:, 0] for label in (0, 1)]
    few = [
        own[(torch.arange(min(count, len(own))) + 0.5).mul(len(own) / min(count, len(own))).long()] for own in places
    ]
    return torch.cat(few).sort().values


def kept(name: str, make: Callable[[], dict[str, Tensor]], **given: Any) -> dict[str, Tensor]:
    """What `make` gives, from the cache folder where it was made before ($XDG_CACHE_HOME/wavelens/pv).

    `given` is all that it depends on: tensors by their bytes, the rest by its text. With another it is made anew.
    """
    versions = {"wavelens": wl.__version__, "torch": torch.__version__}
    digest = _digest(json.dumps(given | versions, sort_keys=True, default=_text).encode())
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wavelens" / "pv"
    path = folder / f"{name}-{digest}.safetensors"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in make().items()}, beside)
        beside.replace(path)
        print(name, flush=True)
    return load_file(path)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _text(value: Any) -> str:
    return _digest(value.contiguous().numpy().tobytes()) if isinstance(value, Tensor) else repr(value)
