"""Targets of models that answer sample by sample, or ahead of what they are given: a class at a time, a forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from wavelens.targets.regions import logits_of
from wavelens.targets.values import ByItem
from wavelens.whole_numbers import is_whole


def window(label: int, start: int, stop: int | None = None, *, probability: bool = False) -> ByItem:
    """The mean of a class's logits over samples `start` to `stop`: why does the model see this class then?

    `stop` is not included; without it the window is one sample. The model gives logits `(batch, classes, samples)`, or
    an object that holds them, as for `region`; samples are those of its output. `probability` is the mean of the
    class's softmax in place of its logit: a pick's probability in a window.

    >>> logits = torch.tensor([[[0.0, 4.0, 0.0], [1.0, 2.0, 3.0]]])
    >>> wl.targets.scores(wl.targets.window(1, 1, 3), logits, torch.tensor([0]))
    [tensor([2.5000])]
    """
    stop = start + 1 if stop is None else stop
    if not (is_whole(label, 0) and is_whole(start, 0) and is_whole(stop, 1) and start < stop):
        raise ValueError(
            f"a window must be of a class from 0 and of samples start < stop; got {label}, {start} to {stop}."
        )
    return ByItem(_Window(label, start, stop, probability))


def horizon(step: int, series: int = 0) -> ByItem:
    """A forecast `step` samples ahead, from 1, of one of several series: why this value then?

    The model gives `(batch, horizons)` or `(batch, series, horizons)`.

    >>> forecast = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> wl.targets.scores(wl.targets.horizon(2, series=1), forecast, torch.tensor([0]))
    [tensor([4.])]
    """
    if not (is_whole(step, 1) and is_whole(series, 0)):
        raise ValueError(f"a horizon must be a number of samples from 1, of a series from 0; got {step} of {series}.")
    return ByItem(_Horizon(step, series))


@dataclass(frozen=True)
class _Window:
    label: int
    start: int
    stop: int
    probability: bool

    def __call__(self, output: Any, items: Tensor) -> Tensor:
        logits = logits_of(output)
        if logits.ndim != 3 or self.label >= logits.shape[1] or self.stop > logits.shape[2]:
            raise ValueError(
                f"a window must be of the model's output (batch, classes, samples); got {tuple(logits.shape)} for "
                f"class {self.label}, samples {self.start} to {self.stop}. Ask for a class and a time that it has."
            )
        values = logits.softmax(1) if self.probability else logits
        mean: Tensor = values[:, self.label, self.start : self.stop].mean(-1)
        return mean

    def __repr__(self) -> str:
        of = ", probability=True" if self.probability else ""
        return f"window({self.label}, {self.start}, {self.stop}{of})"


@dataclass(frozen=True)
class _Horizon:
    step: int
    series: int

    def __call__(self, output: Any, items: Tensor) -> Tensor:
        values = logits_of(output)
        several = values[:, None] if values.ndim == 2 else values
        if several.ndim != 3 or self.series >= several.shape[1] or self.step > several.shape[2]:
            raise ValueError(
                f"a forecast must be (batch, horizons) or (batch, series, horizons); got {tuple(values.shape)} for "
                f"step {self.step} of series {self.series}. Ask for a step and a series that it has."
            )
        one: Tensor = several[:, self.series, self.step - 1]
        return one

    def __repr__(self) -> str:
        return f"horizon({self.step}, series={self.series})"
