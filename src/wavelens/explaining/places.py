"""Targets that are written as a class and a time, 'QRS@3.2s', or as a time ahead, '@+24h'."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavelens.frontends.series import SLOW_UNITS
from wavelens.grid import Grid
from wavelens.models import LoadedModel
from wavelens.targets import Target, horizon, window

TIME_UNITS = {"ms": 1e-3, **SLOW_UNITS, "d": SLOW_UNITS["days"]}  # seconds in each
FORM = "a class at a time is written CLASS@TIME, such as QRS@3.2s, P@10-12s or p(P)@800; a forecast @+24 or @+6h"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)"
PLACE = re.compile(
    rf"(?P<label>[^@]*)@(?P<ahead>\+?)(?P<start>{_NUMBER})(?:-(?P<stop>{_NUMBER}))?\s*(?P<unit>{'|'.join(TIME_UNITS)})?"
)


def is_place(text: object) -> bool:
    """Whether a target is written as a class and a time, or as a time ahead."""
    return isinstance(text, str) and PLACE.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class Placed:
    """A target at a place of one input, what its number is called, and the spans of samples that it is of.

    `text` names it where the input decided which it is, `objects` are all that a detector detects. A `region` is
    true inside, `(*axes)` of the input.
    """

    target: Target
    label: str
    marks: tuple[tuple[float, float], ...]
    number: str
    text: str = ""
    objects: tuple[Any, ...] = ()
    region: Tensor | None = None


@dataclass(frozen=True)
class Place:
    """A class, its logit or its `probability`, at a time or between two; or a series, `ahead` of the input's end.

    `start` and `stop` are in `unit`, or in samples of the input where that is empty.
    """

    text: str
    label: str
    probability: bool
    ahead: bool
    start: float
    stop: float | None
    unit: str

    def __call__(self, loaded: LoadedModel, x: Tensor, grid: Grid) -> Placed:
        """The target for the input `x` `(1, channel, samples)`; `ValueError` for a time that it does not have."""
        first, last = self._samples(self.start, grid), None if self.stop is None else self._samples(self.stop, grid)
        if self.ahead:
            return self._forecast(loaded, first)
        count = x.shape[-1]
        stop = round(first) + 1 if last is None else round(last)
        if not 0 <= round(first) < stop <= count:
            raise ValueError(
                f"--target {self.text} lies in the input, which has {count} samples{_span(count, grid)}; it asks for "
                f"{round(first)} to {stop}. Ask for an earlier time."
            )
        begin, end = self._of_output(loaded, x, round(first), stop)
        target = window(self._class(loaded), begin, end, probability=self.probability)
        number = "probability" if self.probability else "logit"
        return Placed(target, self._words(loaded), ((round(first), stop),), number)

    def _samples(self, time: float, grid: Grid) -> float:
        if not self.unit:
            return time
        base = "s" if grid.units == ("Hz",) else grid.units[0]
        if base not in TIME_UNITS:
            raise ValueError(
                f"--target {self.text} has a time in {self.unit}, and the rate of the input is not known. Give --rate, "
                "or the number of the sample."
            )
        return time * TIME_UNITS[self.unit] / (TIME_UNITS[base] * grid.spacing[0])

    def _class(self, loaded: LoadedModel) -> int:
        if not self.label:
            raise ValueError(f"--target {self.text} names no class. {FORM[0].upper()}{FORM[1:]}.")
        if not loaded.labels and self.label.isdecimal():
            return int(self.label)
        return loaded.index(self.label)

    def _forecast(self, loaded: LoadedModel, steps: float) -> Placed:
        if self.stop is not None or self.probability or round(steps) < 1 or abs(steps - round(steps)) > 1e-6:
            raise ValueError(f"--target {self.text} is one whole step ahead, from +1. Write @+24 or load@+24.")
        series = self._class(loaded) if self.label else 0
        name = loaded.labels[series] if series < len(loaded.labels) else f"series {series}"
        ahead = f"{self.start:g} {self.unit or 'samples'} ahead"
        return Placed(horizon(round(steps), series), f"{name}, {ahead}" if self.label else ahead, (), "value")

    @torch.no_grad()
    def _of_output(self, loaded: LoadedModel, x: Tensor, start: int, stop: int) -> tuple[int, int]:
        """The samples of the output over these of the input, which may be more."""
        output: Any = loaded.module(x)
        shape = getattr(output.get("out", output) if isinstance(output, dict) else output, "shape", None)
        if shape is None or len(shape) != 3:
            got = type(output).__name__ if shape is None else tuple(shape)
            raise ValueError(
                f"--target {self.text} asks for a class at a time of a model that gives (batch, classes, samples); "
                f"{loaded.name} gives {got}. Name a class alone, or package.module:function."
            )
        ratio = shape[2] / x.shape[-1]
        begin = min(int(start * ratio), shape[2] - 1)
        return begin, max(begin + 1, min(round(stop * ratio), shape[2]))

    def _words(self, loaded: LoadedModel) -> str:
        index = self._class(loaded)
        name = (loaded.labels[index] if index < len(loaded.labels) else f"class {index}").split(", ")[0]
        what = f"p({name})" if self.probability else name
        unit = f" {self.unit}" if self.unit else ""
        place = f"{self.start:g}{unit}" if self.stop is None else f"{self.start:g} to {self.stop:g}{unit}"
        return f"{what} at {'' if unit else 'sample '}{place}"


def place_of(text: str) -> Place:
    """What a text such as 'QRS@3.2s' means; `ValueError` for another."""
    match = PLACE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{FORM}; got {text!r}.")
    label = match["label"].strip()
    probability = label.startswith("p(") and label.endswith(")")
    stop = None if match["stop"] is None else float(match["stop"])
    return Place(
        text,
        label[2:-1].strip() if probability else label,
        probability,
        bool(match["ahead"]),
        float(match["start"]),
        stop,
        match["unit"] or "",
    )


def _span(count: int, grid: Grid) -> str:
    unit = "s" if grid.units == ("Hz",) else grid.units[0]
    return f", {count * grid.spacing[0]:.4g} {unit}" if unit in TIME_UNITS else ""
