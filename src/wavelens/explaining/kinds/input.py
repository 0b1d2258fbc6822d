"""`Input`: one file as a model is given it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from wavelens.attribution import Attribution
from wavelens.grid import Grid
from wavelens.models import Preparation
from wavelens.outlines import Outline


@dataclass(frozen=True, eq=False)
class Input:
    """A file as a model is given it.

    `signal` is what the front end reads at `path`, `x` `(1, channel, *axes)` what the `preparation` makes of it, `grid`
    where the samples of `x` lie. `logits` `(classes,)` is the model's output; None for a model that is no classifier.
    `marks` are spans of samples that the target is of, where it is of a part of the input; `outlines` are lines around
    such parts of a picture, and around what stands beside them; `region` `(*axes)` is true in such a part.
    `positions` are those of the channels' electrodes, (x, y, z) in metres, where they are known.
    """

    path: Path
    signal: Any
    preparation: Preparation
    x: Tensor
    grid: Grid
    logits: Tensor | None = None
    marks: tuple[tuple[float, float], ...] = ()
    outlines: tuple[Outline, ...] = ()
    region: Tensor | None = None
    positions: tuple[tuple[float, float, float], ...] = ()


class SignalPart(NamedTuple):
    """One of the signals of an input of several: its side of the account, and the signal `(1, channel, *axes)` itself.

    `grid` says where its samples lie, `channels` what they are called.
    """

    name: str
    attribution: Attribution
    x: Tensor
    grid: Grid
    channels: tuple[str, ...]


def channel_names(shown: Input) -> tuple[str, ...]:
    """The names of an input's channels; by number where a preparation of one's own made other ones."""
    own = getattr(shown.preparation, "names", None)
    names = own(shown.signal) if own else getattr(shown.signal, "names", ())
    count = shown.x.shape[1]
    return tuple(names) if len(names) == count else tuple(f"channel {k + 1}" for k in range(count))
