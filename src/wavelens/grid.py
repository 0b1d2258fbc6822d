"""Where the samples of a signal lie in the world, and so what a scale means in hertz, millimetres or seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, starmap
from typing import Any

from wavelens.core import Extent, Layout

Range = tuple[float, float]  # from, to, in an axis' unit; either may be open: 0 or infinity
NOTES = "C C♯ D D♯ E F F♯ G G♯ A A♯ B".split()
CONCERT_PITCH_HZ = 440.0  # of A4, which is note 69 of MIDI
LOWEST_NOTE = 12  # C0, 16 Hz: nobody hears lower ones
NAMES = {1: "samples", 2: "px"}  # of samples without a unit; voxels for more axes


@dataclass(frozen=True)
class Grid:
    """The distance between neighbouring samples along each axis, and the unit of it.

    A band from f₁ to f₂ cycles per sample responds to structures of 1 / 2f₂ to 1 / 2f₁ samples in size. The unit "Hz"
    is special: `spacing` is then 1 / rate in seconds, and the band is named by its frequencies, f₁ rate to f₂ rate.

    Samples that are `scattered`, as the points of a cloud, are not evenly spaced: frequencies per sample mean nothing
    for them, and the single spacing is the length of a step of their coordinates.

    `affine`, of scans, takes a voxel's indices to its place in the patient in mm, towards the right, the front and the
    head (RAS): the four rows of a 4 × 4 matrix, or None where the place is not known. See `wavelens.anatomy`.
    """

    spacing: tuple[float, ...]
    units: tuple[str, ...]
    scattered: bool = False
    affine: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        if len(self.spacing) != len(self.units):
            raise ValueError(
                f"a grid must have a spacing and a unit for each axis; got {self.spacing} and {self.units}."
            )
        if not all(math.isfinite(step) and step > 0 for step in self.spacing):
            raise ValueError(f"a spacing must be finite and above 0; got {self.spacing}. Take 1 where it is not known.")
        if self.affine is not None and [len(row) for row in self.affine] != [4] * 4:
            raise ValueError(f"affine must have the four rows of a 4 × 4 matrix, or be None; got {self.affine}.")

    @classmethod
    def plain(cls, axes: int) -> Grid:
        """Samples, pixels or voxels that lie one apart."""
        return cls((1.0,) * axes, (NAMES.get(axes, "voxels"),) * axes)

    @classmethod
    def sound(cls, rate: float) -> Grid:
        """Sound with `rate` samples per second, its scales in hertz."""
        return cls((1 / rate,), ("Hz",))

    def extents(self, layout: Layout) -> dict[str, tuple[Range, ...]]:
        """For each scale, coarsest first, what it spans along each axis, in the axis' unit.

        Empty where the domain does not know it, or has lengths on an axis in hertz, or frequencies of scattered
        samples. `ValueError` for a layout with another number of axes.
        """
        if len(layout.signal_shape) != len(self.spacing):
            raise ValueError(
                f"a grid must have the axes of its signal; got {len(self.spacing)} for a signal with shape "
                f"{layout.signal_shape}."
            )
        return {name: self._ranges(scale.extent) for name, scale in layout.scales().items()}

    def labels(self, layout: Layout) -> dict[str, str]:
        """The extents as texts: '1–2 px', '> 8 px', '689–1.38k Hz', '0.5–1 × 2–4 mm'; '' where they are not known.

        Scales of one semitone, as those of `ConstantQ(per_octave=12)`, have the nearest note: 'A4 (426–451 Hz)'.
        """
        return {name: self._label(ranges) for name, ranges in self.extents(layout).items()}

    def titles(self, layout: Layout) -> dict[str, str]:
        """Each scale with its label: 'd1 · 1–2 px'; the name alone where the domain does not know its extent."""
        return {name: f"{name} · {label}" if label else name for name, label in self.labels(layout).items()}

    def label(self, extent: tuple[Extent, ...]) -> str:
        """What a scale spans as text: '1–2 px'; '' where it is not known."""
        return self._label(self._ranges(extent))

    def label_along(self, axis: int, extent: Extent) -> str:
        """One extent as text: '0.04–0.08 s'."""
        return f"{_interval(self.span(axis, extent))} {self.units[axis]}"

    def rows(self, layout: Layout) -> list[dict[str, Any]]:
        """For JSON, each scale, coarsest first: its name, its label, and from where to where it spans each axis.

        An open end is None.
        """
        labels = self.labels(layout)
        return [
            {"scale": name, "extent": labels[name], "from_to": [[_finite(end) for end in ends] for ends in ranges]}
            for name, ranges in self.extents(layout).items()
        ]

    def edges(self, layout: Layout) -> list[float] | None:
        """Where the scales of a signal with one axis meet, in hertz, lowest first: one more than there are scales.

        None where they do not follow one another, from the coarsest up, or have no frequencies.
        """
        ranges = [ends[0] for ends in self.extents(layout).values() if ends]
        meeting = all(math.isclose(low[1], high[0]) for low, high in pairwise(ranges))
        if self.units != ("Hz",) or len(ranges) < len(layout.scales()) or not meeting:
            return None
        return [ranges[0][0], *(high for _, high in ranges)]

    def span(self, axis: int, extent: Extent) -> Range:
        """An extent along an axis in the axis' unit; all frequencies are those of single samples."""
        step, low, high = self.spacing[axis], extent.low, extent.high
        if extent.measure == "length":
            return (step * low, step * high)
        if self.units[axis] == "Hz":
            return (low / step, high / step)
        if (low, high) == (0.0, 0.5):
            return (step, step)
        return (step / (2 * high), step / (2 * low) if low else math.inf)

    def _ranges(self, extents: tuple[Extent, ...]) -> tuple[Range, ...]:
        if any(one.measure == "length" and unit == "Hz" for one, unit in zip(extents, self.units, strict=False)):
            return ()
        if self.scattered and any(one.measure == "frequency" for one in extents):
            return ()
        return tuple(starmap(self.span, enumerate(extents)))

    def _label(self, ranges: tuple[Range, ...]) -> str:
        """One text for all axes where they agree; units at the end of each run of axes that share one."""
        if not ranges:
            return ""
        pairs = list(zip(ranges, self.units, strict=True))
        if len(set(pairs)) == 1:
            text, note = f"{_interval(pairs[0][0])} {pairs[0][1]}", note_of(*pairs[0])
            return f"{note} ({text})" if note else text
        texts = []
        for k, (ends, unit) in enumerate(pairs):
            last = k + 1 == len(pairs) or pairs[k + 1][1] != unit
            texts.append(f"{_interval(ends)} {unit}" if last else _interval(ends))
        return " × ".join(texts)


@dataclass(frozen=True)
class Grids(Grid):
    """The grids of several signals of one input, `parts` by their names, which name the scales of a `Joint` domain.

    The scale 'm20 d1' is the scale 'd1' of the signal 'm20', on that signal's grid.
    """

    parts: tuple[tuple[str, Grid], ...] = ()

    @classmethod
    def of(cls, parts: Mapping[str, Grid]) -> Grids:
        """The grids of these signals."""
        return cls((1.0,), (next(iter(parts.values())).units[0],), parts=tuple(parts.items()))

    def extents(self, layout: Layout) -> dict[str, tuple[Range, ...]]:
        own = self._by_part(layout)
        return {f"{name} {scale}": ends for name, (grid, part) in own for scale, ends in grid.extents(part).items()}

    def labels(self, layout: Layout) -> dict[str, str]:
        own = self._by_part(layout)
        return {f"{name} {scale}": text for name, (grid, part) in own for scale, text in grid.labels(part).items()}

    def _by_part(self, layout: Layout) -> list[tuple[str, tuple[Grid, Layout]]]:
        """The grid and the layout of each signal; `ValueError` for a layout of other signals."""
        layouts = getattr(layout.domain, "layouts", {})
        grids = dict(self.parts)
        if layouts.keys() != grids.keys():
            raise ValueError(f"a grid must have the signals of its layout; got {', '.join(grids)} for {layout.domain}.")
        return [(name, (grids[name], part)) for name, part in layouts.items()]


def note_of(ends: Range, unit: str) -> str:
    """The note nearest to the middle of a semitone, equal temperament on A4 = 440 Hz; '' for other ranges.

    >>> note_of((440 / 2 ** (1 / 24), 440 * 2 ** (1 / 24)), "Hz")
    'A4'
    """
    low, high = ends
    if unit != "Hz" or low <= 0 or not math.isclose(12 * math.log2(high / low), 1, rel_tol=1e-6):
        return ""
    number = round(69 + 12 * math.log2(math.sqrt(low * high) / CONCERT_PITCH_HZ))
    return f"{NOTES[number % 12]}{number // 12 - 1}" if number >= LOWEST_NOTE else ""


def each_axis(spacing: Sequence[float], axes: int) -> tuple[float, ...]:
    """A spacing for each axis; a single one holds for all."""
    steps = tuple(float(step) for step in spacing)
    if len(steps) not in (1, axes):
        raise ValueError(f"a spacing must be one number, or one for each of {axes} axes; got {len(steps)}.")
    return steps if len(steps) == axes else steps * axes


def _finite(end: float) -> float | None:
    """For JSON, which knows no infinity."""
    return None if math.isinf(end) else end


def _interval(ends: Range) -> str:
    low, high = ends
    if low == high:
        return _number(low)
    if math.isinf(high):
        return f"> {_number(low)}"
    return f"{_number(low)}–{_number(high)}" if low else f"< {_number(high)}"


def _number(value: float) -> str:
    """Three digits; thousands as k."""
    return f"{value / 1000:.3g}k" if value >= 9999.5 else f"{value:.4g}" if value >= 999.5 else f"{value:.3g}"
