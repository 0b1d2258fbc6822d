"""Groups that partition the coefficients of a layout: scales, bands, blocks or cells of places, channels, signals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelens.core import Band, Layout
from wavelens.methods.octaves import joined_by_octave

GROUPS = ("scales", "octaves", "bands", "blocks", "cells", "channels", "signals")


@dataclass(frozen=True, eq=False)
class Partition:
    """To which of the groups `names` each coefficient belongs: `labels`, integers `(1 or channel, size)`."""

    names: tuple[str, ...]
    labels: Tensor

    def __post_init__(self) -> None:
        count = len(self.names)
        integers = not (self.labels.is_floating_point() or self.labels.is_complex())
        if not integers or self.labels.ndim != 2 or not self.labels.numel():
            raise ValueError(
                f"labels must be integers (1 or channel, size); got {tuple(self.labels.shape)} of {self.labels.dtype}."
            )
        if int(self.labels.min()) < 0 or int(self.labels.max()) >= count:
            raise ValueError(
                f"labels of {count} groups must lie between 0 and {count - 1}; got {int(self.labels.min())} to "
                f"{int(self.labels.max())}."
            )

    def check(self, channels: int, size: int) -> None:
        """`ValueError` unless it is of so many channels and coefficients."""
        if self.labels.shape[1] != size or self.labels.shape[0] not in (1, channels):
            raise ValueError(
                f"labels must be (1 or {channels}, {size}), one per coefficient; got {tuple(self.labels.shape)}."
            )


def check_groups(groups: str) -> None:
    """`ValueError` unless it is one of `GROUPS`."""
    if groups not in GROUPS:
        raise ValueError(f"groups must be one of {', '.join(GROUPS)}; got {groups!r}.")


def partition(layout: Layout, channels: int, groups: str, blocks: int = 2) -> Partition:
    """The groups called `groups`, coarsest scale first.

    "scales" are the domain's; "octaves" are these joined by octave, where the domain cuts octaves finer; "bands" are
    its scales by orientation or part; "blocks" are the scales by place, each axis cut into at most `blocks` equal
    parts; "cells" are the bands by place, cut so that an axis with as many places as the signal has samples would have
    `blocks`, and all cells have about the same number of coefficients: a grid over the mosaic; "channels" are those of
    the signal, "signals" those of a model of several. `ValueError` for other words, and for groups that the domain does
    not have.
    """
    if groups not in GROUPS:
        raise ValueError(f"groups must be one of {', '.join(GROUPS)}, or a Partition; got {groups!r}.")
    if groups in ("blocks", "cells", "channels") and hasattr(layout.domain, "parts"):
        raise ValueError(f"{groups} are groups of one signal; several signals have none in common.")
    if groups == "channels":
        labels = torch.arange(channels, device="cpu")[:, None].expand(channels, layout.size)
        return Partition(tuple(f"channel {k}" for k in range(channels)), labels)
    labels, names = torch.zeros(layout.size, dtype=torch.long, device="cpu"), dict[str, int]()
    for name, piece, inside in _signals(layout) if groups == "signals" else _pieces(layout, groups, blocks):
        labels[piece] += names.setdefault(name, len(names)) * inside
    return Partition(tuple(names), labels[None])


Piece = tuple[str, slice, Tensor | int]  # a group's name, coefficients, and 1 for each that belongs to the group


def _signals(layout: Layout) -> Iterator[Piece]:
    parts: dict[str, slice] | None = getattr(layout.domain, "parts", None)
    if parts is None:
        raise ValueError(f"groups='signals' needs a model of several signals; {layout.domain} is a domain of one.")
    return ((name, piece, 1) for name, piece in parts.items())


def _pieces(layout: Layout, groups: str, blocks: int) -> Iterator[Piece]:
    axes = len(layout.signal_shape)
    joined = joined_by_octave(layout) if groups == "octaves" else None
    for scale in (joined or layout).scales().values():
        for band in scale:
            piece, lengths = layout.slices[band], band.shape[-axes:]
            if groups == "blocks":
                for place, inside in places(band, [min(blocks, n) for n in lengths]):
                    yield f"{scale.name} {place}", piece, inside
            elif groups == "cells":
                pairs = zip(lengths, layout.signal_shape, strict=True)
                for place, inside in places(band, [min(n, max(1, round(blocks * n / whole))) for n, whole in pairs]):
                    yield f"{band} {place}", piece, inside
            else:
                yield str(band) if groups == "bands" else scale.name, piece, 1


def places(band: Band, counts: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    """A band cut into so many parts along each axis: each part's numbers, and 1 inside and 0 outside, `(size,)`."""
    numbers = [
        torch.arange(n, device="cpu") * count // n for n, count in zip(band.shape[-len(counts) :], counts, strict=True)
    ]
    for place in itertools.product(*map(range, counts)):
        inside = torch.ones((), dtype=torch.long, device="cpu")
        for along, number in zip(numbers, place, strict=True):
            inside = inside[..., None] * (along == number).long()
        yield f"({', '.join(map(str, place))})", inside.expand(band.shape).flatten()
