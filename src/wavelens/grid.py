"""Where the samples of a signal lie in the world, and so what a scale means in hertz, millimetres or seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavelens.core import Band, Layout

Extent = tuple[float, float]  # from, to; either may be open: 0 or infinity
NAMES = {1: "samples", 2: "px"}  # of samples without a unit; voxels for more axes


@dataclass(frozen=True)
class Grid:
    """The distance between neighbouring samples along each axis, and the unit of it.

    A detail of level j sees what is 2^(j−1) to 2^j samples large. The unit "Hz" is special: `spacing` is then 1 / rate
    in seconds, and the scale is named by its octave, rate / 2^(j+1) to rate / 2^j.
    """

    spacing: tuple[float, ...]
    units: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.spacing) != len(self.units):
            raise ValueError(f"a grid has a spacing and a unit for each axis; got {self.spacing} and {self.units}.")
        if not all(math.isfinite(step) and step > 0 for step in self.spacing):
            raise ValueError(f"a spacing is finite and above 0; got {self.spacing}. Take 1 where it is not known.")

    @classmethod
    def plain(cls, axes: int) -> Grid:
        """Samples, pixels or voxels that lie one apart."""
        return cls((1.0,) * axes, (NAMES.get(axes, "voxels"),) * axes)

    @classmethod
    def sound(cls, rate: float) -> Grid:
        """Sound with `rate` samples a second, its scales in hertz."""
        return cls((1 / rate,), ("Hz",))

    def extents(self, layout: Layout) -> dict[str, tuple[Extent, ...]]:
        """For each scale, coarsest first, what it spans along each axis, in the axis' unit.

        `ValueError` for a layout with another number of axes.
        """
        if len(layout.signal_shape) != len(self.spacing):
            raise ValueError(
                f"a grid has the axes of its signal; got {len(self.spacing)} for a signal with shape "
                f"{layout.signal_shape}."
            )
        return {name: tuple(self._extent(a, bands, layout) for a in range(len(self.spacing)))
                for name, bands in layout.scales().items()}  # fmt: skip

    def labels(self, layout: Layout) -> dict[str, str]:
        """The extents as texts: '1–2 px', '> 8 px', '689–1.38k Hz', '0.5–1 × 2–4 mm'."""
        return {name: self._label(found) for name, found in self.extents(layout).items()}

    def rows(self, layout: Layout) -> list[dict[str, Any]]:
        """For JSON, each scale, coarsest first: its name, its label, and from where to where it spans each axis.

        An open end is None.
        """
        labels = self.labels(layout)
        return [
            {"scale": name, "extent": labels[name], "from_to": [[_finite(end) for end in extent] for extent in extents]}
            for name, extents in self.extents(layout).items()
        ]

    def _extent(self, axis: int, bands: tuple[Band, ...], layout: Layout) -> Extent:
        """Along `axis`; open where the scale's details leave that axis to its approximation."""
        step, hertz = self.spacing[axis], self.units[axis] == "Hz"
        level = bands[0].level
        if not bands[0].key:
            return (0.0, 0.5 / step) if hertz else (step, step)
        if not any(band.key[axis] == "d" for band in bands):
            level = max((b.level for b in layout.bands if b.key[axis] == "d"), default=0)
            return (0.0, 0.5 / step / 2**level) if hertz else (step * 2**level, math.inf)
        return (0.5 / step / 2**level, 1 / step / 2**level) if hertz else (step * 2 ** (level - 1), step * 2**level)

    def _label(self, extents: tuple[Extent, ...]) -> str:
        """One text for all axes where they agree; units at the end of each run of axes that share one."""
        pairs = list(zip(extents, self.units, strict=True))
        if len(set(pairs)) == 1:
            return f"{_interval(pairs[0][0])} {pairs[0][1]}"
        texts = []
        for k, (extent, unit) in enumerate(pairs):
            last = k + 1 == len(pairs) or pairs[k + 1][1] != unit
            texts.append(f"{_interval(extent)} {unit}" if last else _interval(extent))
        return " × ".join(texts)


def each_axis(spacing: Sequence[float], axes: int) -> tuple[float, ...]:
    """A spacing for each axis; a single one holds for all."""
    found = tuple(float(step) for step in spacing)
    if len(found) not in (1, axes):
        raise ValueError(f"a spacing is one number, or one for each of {axes} axes; got {len(found)}.")
    return found if len(found) == axes else found * axes


def _finite(end: float) -> float | None:
    """For JSON, which knows no infinity."""
    return None if math.isinf(end) else end


def _interval(extent: Extent) -> str:
    low, high = extent
    if low == high:
        return _number(low)
    if math.isinf(high):
        return f"> {_number(low)}"
    return f"{_number(low)}–{_number(high)}" if low else f"< {_number(high)}"


def _number(value: float) -> str:
    """Three digits; thousands as k."""
    return f"{value / 1000:.3g}k" if value >= 10_000 else f"{value:.4g}" if value >= 1000 else f"{value:.3g}"
