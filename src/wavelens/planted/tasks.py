"""Tasks whose truth is known: a pattern decides the class, and nothing else does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from wavelens.methods.averages import generator
from wavelens.planted.backgrounds import pink, rough_cloud
from wavelens.planted.patterns import Wave, grid
from wavelens.whole_numbers import check_seed, is_whole

LABELS, BACKGROUND, PATTERN, DISTRACTOR = range(4)  # streams of random numbers for each seed
CHANCE_OF_DISTRACTOR = 0.5
MARGIN = 1.5  # widths between a pattern's middle and the border
PURPOSES = ("choosing", "judging")


@dataclass(frozen=True, eq=False)
class PlantedSignals:
    """Signals and what they are made of, each `(batch, channel, *axes)`; `labels` are their classes, `(batch,)`."""

    labels: Tensor
    background: Tensor
    pattern: Tensor
    distractor: Tensor

    @property
    def x(self) -> Tensor:
        """The signals: background, pattern and distractor added up."""
        return self.background + self.pattern + self.distractor


@dataclass(frozen=True)
class PlantedTask:
    """A classification of signals by a planted pattern, as a value: `signals(count, seed)` are the same every time.

    `variants` has for each class the alternatives of what is planted, each a tuple of `Wave` that occur together at
    random places and phases. So a class "both" has one variant of two waves, a class "absent" one variant of none. A
    `distractor` is added to half of the signals, whatever the class. The background is 1/f noise, or for a `cloud`
    rough points `(batch, 3, points)` whose heights the waves change. `purpose` says whether methods may be chosen on
    the task or are judged on it; no task serves both.

    >>> task = wl.planted.TASKS["orientation"]
    >>> signals = task.signals(4, seed=0)
    >>> signals.x.shape, sorted(signals.labels.tolist()), task.classes
    (torch.Size([4, 1, 64, 64]), [0, 0, 1, 1], ('horizontal', 'vertical'))
    """

    name: str
    axes: tuple[int, ...]
    classes: tuple[str, ...]
    variants: tuple[tuple[tuple[Wave, ...], ...], ...]
    distractor: Wave
    purpose: Literal["choosing", "judging"] = "judging"
    cloud: bool = False

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.variants) or len(self.classes) < 2 or not all(self.variants):
            raise ValueError(
                f"variants must have at least one entry for each of at least two classes; got {len(self.variants)} for "
                f"{len(self.classes)} classes."
            )
        if self.purpose not in PURPOSES:
            raise ValueError(f"purpose must be one of {', '.join(PURPOSES)}; got {self.purpose!r}.")
        if not self.decisive:
            raise ValueError("a class has a truth if all its variants hold a pattern; got no such class.")

    @property
    def channels(self) -> int:
        return 3 if self.cloud else 1

    @property
    def decisive(self) -> tuple[int, ...]:
        """The classes that have a pattern: those without an empty variant, since absence has no place."""
        return tuple(k for k, variants in enumerate(self.variants) if all(variants))

    def signals(self, count: int, seed: int = 0, *, classes: tuple[int, ...] | None = None) -> PlantedSignals:
        """As many signals, all classes or those named equally often, in an order that the seed gives."""
        if not is_whole(count, 1):
            raise ValueError(f"count must be a whole number from 1; got {count!r}.")
        check_seed(seed)
        chosen = torch.tensor(range(len(self.classes)) if classes is None else classes, device="cpu")
        shuffled = torch.randperm(count, generator=_source(seed, LABELS), device="cpu")
        labels, background = chosen[shuffled % len(chosen)], self.backgrounds(count, seed)
        pattern = self.patterns(labels, seed, background)
        return PlantedSignals(labels, background, pattern, self.distractors(background, seed))

    def backgrounds(self, count: int, seed: int) -> Tensor:
        """What patterns are planted in, `(count, channel, *axes)`."""
        source = _source(seed, BACKGROUND)
        return rough_cloud(count, self.axes[0], source) if self.cloud else pink(count, self.axes, source)

    def patterns(self, labels: Tensor, seed: int, background: Tensor) -> Tensor:
        """The patterns of these classes, `(batch, channel, *axes)`, at places and phases that the seed gives."""
        source, slots = _source(seed, PATTERN), max(len(waves) for several in self.variants for waves in several)
        variant = torch.rand(len(labels), generator=source, device="cpu")
        u = torch.rand(len(labels), max(slots, 1), self._place_axes + 1, generator=source, device="cpu")
        planted = torch.zeros_like(background)
        for label, variants in enumerate(self.variants):
            for k, waves in enumerate(variants):
                rows = ((labels == label) & ((variant * len(variants)).long() == k)).nonzero()[:, 0]
                for slot, wave in enumerate(waves):
                    planted[rows, -1] += self._placed(wave, background[rows], u[rows, slot])
        return planted

    def distractors(self, background: Tensor, seed: int) -> Tensor:
        """The distractor in half of the signals, at places and phases that the seed gives."""
        source, count = _source(seed, DISTRACTOR), len(background)
        there = torch.rand(count, generator=source, device="cpu") < CHANCE_OF_DISTRACTOR
        u = torch.rand(count, self._place_axes + 1, generator=source, device="cpu")
        added = torch.zeros_like(background)
        values = self._placed(self.distractor, background, u)
        added[:, -1] = values * there.view(-1, *[1] * (values.ndim - 1))
        return added

    @property
    def _place_axes(self) -> int:
        return 2 if self.cloud else len(self.axes)

    def _placed(self, wave: Wave, background: Tensor, u: Tensor) -> Tensor:
        """A wave in each signal; `u` are uniform numbers, one per axis for its place and one for its phase."""
        positions = background[:, :2] if self.cloud else grid(self.axes)
        lengths = torch.ones(2, device="cpu") if self.cloud else torch.tensor(self.axes, device="cpu") - 1.0
        margin = (MARGIN * (wave.width or 0) * torch.ones_like(lengths)).minimum(lengths / 2)
        centres = margin + u[:, :-1] * (lengths - 2 * margin)
        return wave.at(positions, centres, 2 * math.pi * u[:, -1])


def _source(seed: int, stream: int) -> torch.Generator:
    return generator(seed, stream, torch.device("cpu"))
