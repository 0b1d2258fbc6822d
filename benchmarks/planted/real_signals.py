"""Planted patterns in real photos, sounds and scans: what is planted, in which items, and which items are for what.

An item (a photo, a clip, a scan) serves one purpose alone: to train on, to choose on, or to judge on. Nothing is
clipped: photos are brought to [0.2, 0.8] first, so background, pattern and distractor add up to the signal exactly.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

sys.path.insert(1, str(Path(__file__).parents[1] / "paper"))
import at_hand
import sound
from record import at

import wavelens as wl
from wavelens.frontends.audio import Clip
from wavelens.methods.averages import generator
from wavelens.models.preparations.audio import Sampling
from wavelens.models.preparations.image import Geometry
from wavelens.planted import PlantedTask, Wave

USES = ("training", "choosing", "judging")
CROPS = 11  # the stream of random numbers of crops; those of `PlantedTask` are smaller
CHANNELS = {"photo": 3, "sound": 1, "scan": 1}
DULL, CONTRAST = 0.2, 0.6  # photos fill [0.2, 0.8]
PHOTO = 256  # pixels of a side of what is cropped
RATE = 16000
LOUDNESS = 0.05  # root mean square of each clip
SILENT = 1e-3  # clips below it are left out


@dataclass(frozen=True)
class RealTask(PlantedTask):
    """A planted task in real signals of a `kind`, "photo", "sound" or "scan"; `use` says in which items.

    Signals of a seed begin at an item that the seed gives and go through all items of their use in one order.
    """

    kind: Literal["photo", "sound", "scan"] = "photo"
    use: Literal["training", "choosing", "judging"] = "judging"

    @property
    def channels(self) -> int:
        return CHANNELS[self.kind]

    def backgrounds(self, count: int, seed: int) -> Tensor:
        """Parts of real signals, `(count, channel, *axes)`."""
        items = names(self.kind, self.use)
        random = generator(seed, CROPS, torch.device("cpu"))
        start = int(torch.randint(len(items), (), generator=random))
        places = torch.rand(count, 3, generator=random).tolist()
        read = {"photo": photo, "sound": clip, "scan": scan}[self.kind]
        return torch.cat([read(items[(start + k) % len(items)], places[k], self.axes) for k in range(count)])

    def patterns(self, labels: Tensor, seed: int, background: Tensor) -> Tensor:
        """The patterns of these classes, the same in each channel."""
        return super().patterns(labels, seed, background[:, :1]).expand_as(background)

    def distractors(self, background: Tensor, seed: int) -> Tensor:
        """The distractor in half of the signals, the same in each channel."""
        return super().distractors(background[:, :1], seed).expand_as(background)


def split(items: Sequence[str], shares: tuple[float, float]) -> dict[str, list[str]]:
    """Disjoint items for each use, drawn with a fixed seed."""
    order = at_hand.drawn(items, len(items))
    ends = [round(shares[0] * len(order)), round(sum(shares) * len(order))]
    return dict(zip(USES, (order[: ends[0]], order[ends[0] : ends[1]], order[ends[1] :]), strict=True))


@cache
def names(kind: str, use: str) -> list[str]:
    """Items of a use. Photos to judge on are COCO's, to train and choose on Caltech's; scans have MedMNIST's splits."""
    if kind == "photo":
        folder = "more/coco/images" if use == "judging" else "images/caltech101_460"
        found = [f"{folder}/{path.name}" for path in sorted(at(folder).glob("*.jpg"))]
        return at_hand.drawn(found, len(found)) if use == "judging" else split(found, (0.85, 0.15))[use]
    if kind == "sound":
        clips = [row["filename"] for row in sound.index()]
        return split([name for name in sorted(clips) if sound.rms(sound.waveform(name)) >= SILENT], (0.6, 0.15))[use]
    part = dict(zip(USES, ("train", "val", "test"), strict=True))[use]
    return [f"{part} {number}" for number in at_hand.drawn(range(len(at_hand.medmnist("vessel", part)[0])), 10**6)]


@cache
def whole_photo(name: str) -> Tensor:
    """`(1, 3, 256, 256)` in bytes, which take a quarter of the memory."""
    x = Geometry((PHOTO, PHOTO), (PHOTO, PHOTO), squash=True)(wl.frontends.read_image(at(name)))
    return (255 * x).round().to(torch.uint8)


def photo(name: str, place: Sequence[float], axes: tuple[int, ...]) -> Tensor:
    """A crop of a photo, mirrored in half of the cases, in [0.2, 0.8]."""
    top, left = (int(part * (PHOTO - n + 1)) for part, n in zip(place, axes, strict=False))
    x = whole_photo(name)[..., top : top + axes[0], left : left + axes[1]].float() / 255
    return DULL + CONTRAST * (x.flip(-1) if place[2] < 0.5 else x)


@cache
def whole_clip(name: str) -> Tensor:
    """`(1, 1, samples)` at 16 kHz."""
    return Sampling(RATE)(Clip(sound.waveform(name), 44100)).float()


def clip(name: str, place: Sequence[float], axes: tuple[int, ...]) -> Tensor:
    """A part of a clip, brought to one loudness, so that the pattern is as loud in all."""
    x = whole_clip(name)
    start = int(place[0] * (x.shape[-1] - axes[0] + 1))
    part = x[..., start : start + axes[0]]
    return part * (LOUDNESS / max(sound.rms(part), SILENT))


def scan(name: str, place: Sequence[float], axes: tuple[int, ...]) -> Tensor:
    """A volume of MedMNIST, flipped along each axis in half of the cases."""
    part, number = name.split()
    return at_hand.medmnist("vessel", part)[0][int(number)][None].flip([k + 2 for k in range(3) if place[k] < 0.5])


DOWN, RIGHT = (1.0, 0.0), (0.0, 1.0)
TASKS = {
    task.name: task
    for task in (
        RealTask(
            "orientation in photos",
            (224, 224),
            ("horizontal", "vertical"),
            (((Wave(8.0, DOWN, 12.0, 0.2),),), ((Wave(8.0, RIGHT, 12.0, 0.2),),)),
            Wave(16.0, (1.0, 1.0), 12.0, 0.2),
            kind="photo",
        ),
        RealTask(
            "pitch in sounds",
            (30960,),
            ("low", "high"),
            (((Wave(RATE / 700, (1.0,), 800.0, 0.2),),), ((Wave(RATE / 1200, (1.0,), 800.0, 0.2),),)),
            Wave(RATE / 3000, (1.0,), 800.0, 0.2),
            kind="sound",
        ),
        RealTask(
            "orientation in scans",
            (28, 28, 28),
            ("first axis", "third axis"),
            (((Wave(7.0, (1.0, 0.0, 0.0), 3.5, 0.8),),), ((Wave(7.0, (0.0, 0.0, 1.0), 3.5, 0.8),),)),
            Wave(7.0, (0.0, 1.0, 0.0), 3.5, 0.8),
            kind="scan",
        ),
    )
}
