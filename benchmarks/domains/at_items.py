"""Photos and clips of the studies as two windows that are a shift apart, and the networks that take them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(1, str(Path(__file__).parents[1] / "paper"))
import at_hand
import judging
import sound

import wavelens as wl
from wavelens.models.networks.acdnet import CROP
from wavelens.models.preparations.image import Geometry

RESULTS = Path(__file__).parent / "results"
SHAPES = {"photo": (3, 128, 128), "clip": (1, CROP)}
LARGER = 160  # pixels of the photo that the windows are taken from
LARGEST_SHIFT = {"photo": 15, "clip": 255}  # one less than the period of the coarsest scale
STEP = 2500  # samples between the places where a clip's loudest window may begin


@cache
def network(kind: str) -> nn.Module:
    """EfficientNet-lite0 on pixels, or Micro-ACDNet on a single crop."""
    if kind == "photo":
        return at_hand.image_network("EfficientNet-lite0")
    windowed = sound.classifier("micro-acdnet").module
    crop: nn.Module = windowed.module.module.eval()  # inside: all windows of a clip, ten crops of a window
    return crop


def names(kind: str, count: int) -> list[str]:
    """So many items, drawn with a fixed seed: fewer are the first of more. Clips without sound are left out."""
    if kind == "photo":
        return at_hand.photo_names(count)
    every = at_hand.clip_names(len(sound.index()))
    return [name for name in every[: count + 20] if sound.rms(sound.waveform(name)) >= 1e-3][:count]


def larger_photo(name: str, size: int) -> Tensor:
    """A photo of Caltech-101 resized to a square, `(1, 3, size, size)` in [0, 1]."""
    path = at_hand.at(f"images/caltech101_460/{name}")
    return Geometry((size, size), (size, size))(wl.frontends.read_image(path))


def windows(kind: str, item: str) -> Tensor:
    """A window of the item, and the same shifted by a draw of 1 to `LARGEST_SHIFT` along each axis, `(2, …)`."""
    shape, most = SHAPES[kind][1:], LARGEST_SHIFT[kind]
    source = torch.Generator().manual_seed(judging.seed(item))
    shift = torch.randint(1, most + 1, (len(shape),), generator=source).tolist()
    if kind == "photo":
        x = larger_photo(item, LARGER)
        start = [(LARGER - shape[0]) // 2] * 2
    else:
        x = sound.classifier("micro-acdnet").prepared(sound.waveform(item))
        start = [_loudest(x, shape[0], most)]
    return torch.cat([_window(x, start, shape), _window(x, [a + b for a, b in zip(start, shift, strict=True)], shape)])


def _window(x: Tensor, start: list[int], shape: tuple[int, ...]) -> Tensor:
    return x[(..., *(slice(a, a + n) for a, n in zip(start, shape, strict=True)))]


def _loudest(x: Tensor, length: int, margin: int) -> int:
    """Where the loudest window begins, on a grid."""
    energy = x[0, 0, : x.shape[-1] - margin].square().unfold(0, length, STEP).sum(1)
    return int(energy.argmax()) * STEP
