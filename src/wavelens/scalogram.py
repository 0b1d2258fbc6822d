"""Attributions of signals with one axis over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Extent, Layout
from wavelens.placing import boxes, placed, summed

ROWS = 512  # about: of more bins, neighbours are added up


@dataclass(frozen=True, eq=False)
class TimeFrequency:
    """|γ| for each sample over time, in rows that each span a range of frequencies.

    `values` has shape `(batch, rows, columns)`; a row belongs to the scale of its name in `scales` and spans its entry
    of `extents`, in cycles per sample, which is empty where the domain does not know it. Rows of different scales may
    overlap. The mean of a row, times the samples, is its Σ|γ|, so those of a scale add up to the scale's.
    """

    values: Tensor
    scales: tuple[str, ...]
    extents: tuple[Extent, ...]

    @property
    def spans(self) -> tuple[Extent, ...]:
        """The extents; where they are not known, rows of equal height in the order of their scales."""
        order = {name: k for k, name in enumerate(dict.fromkeys(self.scales))}
        return self.extents or tuple(Extent(order[name], order[name] + 1.0) for name in self.scales)

    def cells(self) -> tuple[Tensor, tuple[float, ...]]:
        """`(batch, cells, columns)` and the cells' edges in cycles per sample, from the lowest up.

        A cell spans what no row divides, and shows the sum of the rows over it: neighbouring rows are its neighbours.
        """
        edges = sorted({round(end, 12) for one in self.spans for end in (one.low, one.high)})
        covers = [
            [one.low <= low + 1e-9 and high <= one.high + 1e-9 for one in self.spans] for low, high in pairwise(edges)
        ]
        return self.values.new_tensor(covers) @ self.values, tuple(edges)


def time_frequency(
    c: Coefficients, columns: int = 800, *, signed: bool = False, by_channel: bool = False
) -> TimeFrequency:
    """|γ| for each sample over time and frequency, for signals with one axis: a row per band, and per bin of a band.

    Coefficients lie over the time around their centres, `Domain.centres`, and over the frequencies of their bin
    (`Domain.bins`) or of their scale. Bands of a scale that span the same are one row. |γ| is summed over channels;
    `signed=True` keeps the signs, `by_channel=True` the channels apart, `(batch, channel, rows, columns)`.

    >>> import torch, wavelens as wl
    >>> result = time_frequency(wl.STFT("hann", 8).analysis(torch.rand(1, 1, 32)), columns=4)
    >>> result.values.shape, result.scales, [one.high for one in result.extents]
    (torch.Size([1, 5, 4]), ('a2', 'a2', 'd2', 'd1', 'd1'), [0.0625, 0.1875, 0.3125, 0.4375, 0.5])
    """
    sums, layout = _of_one_axis(c, signed, by_channel), c.layout
    rows: dict[tuple[str, tuple[Extent, ...]], Tensor] = {}
    bins = {band: layout.domain.bins(band, layout) for band in layout.bands}
    step = max(1, sum(map(len, bins.values())) // ROWS)  # one for all bands, or neighbouring rows could not be compared
    for name, scale in layout.scales().items():
        for band in scale:
            own = bins[band]
            extents, values = _binned(sums, band, own, step) if own else (scale.extent, placed(sums, band))
            row = _in_columns(values, band, layout, columns, bool(own))
            rows[name, extents] = rows[name, extents] + row if (name, extents) in rows else row
    values = torch.cat(list(rows.values()), -2) * (columns / layout.signal_shape[0])
    names = tuple(name for (name, _), part in rows.items() for _ in range(part.shape[-2]))
    known = tuple(extent for _, extents in rows for extent in extents if extent.measure == "frequency")
    return TimeFrequency(values if by_channel else values.squeeze(-3), names, known if len(known) == len(names) else ())


def scalogram(c: Coefficients, columns: int = 800, *, signed: bool = False, by_channel: bool = False) -> Tensor:
    """|γ| for each sample over time, `(batch, scales, columns)`, coarsest scale first; for signals with one axis.

    |γ| is summed over channels. A coefficient lies over the time around its centre, over which it is spread evenly; a
    column shows the mean over its time. So the mean of a row, times the samples, is Σ|γ| of its scale. `signed=True`
    keeps the signs, and that product is the signed sum of `profile`. `by_channel=True` keeps the channels apart,
    `(batch, channel, scales, columns)`.

    >>> tone = torch.sin(torch.arange(64.0))[None, None]
    >>> wl.maps.scalogram(wl.DWT("haar", levels=3).analysis(tone), columns=16).shape
    torch.Size([1, 4, 16])
    """
    sums, layout = _of_one_axis(c, signed, by_channel), c.layout
    rows = [
        torch.cat([_in_columns(placed(sums, band), band, layout, columns) for band in bands], -2).sum(-2)
        for bands in layout.scales().values()
    ]
    values = torch.stack(rows, -2) * (columns / layout.signal_shape[0])
    return values if by_channel else values.squeeze(-3)


def _of_one_axis(c: Coefficients, signed: bool, by_channel: bool) -> Coefficients:
    if len(c.layout.signal_shape) != 1:
        raise ValueError(f"a scalogram shows signals with one axis; got {c.layout.signal_shape}. Try scale_maps.")
    return summed(c, signed, by_channel)


def _binned(c: Coefficients, band: Band, bins: tuple[Extent, ...], step: int) -> tuple[tuple[Extent, ...], Tensor]:
    """What the rows of a band span, `step` bins each, and their values `(*batch, rows, places)`."""
    groups = [bins[k : k + step] for k in range(0, len(bins), step)]
    values = torch.nn.functional.pad(c[band], (0, 0, 0, -len(bins) % step)).unflatten(-2, (-1, step)).sum(-2)
    return tuple(Extent(group[0].low, group[-1].high) for group in groups), values


def _in_columns(values: Tensor, band: Band, layout: Layout, columns: int, binned: bool = False) -> Tensor:
    """`(*batch, rows, columns)` sums in equal times of a band's values: `(*batch, places)`, or `binned` in rows."""
    n = layout.signal_shape[0]
    centres = layout.domain.centres(band, layout)[0]
    if not binned and (own := layout.domain.spread(values, band, layout)) is not None:
        values, centres = own, torch.arange(n, dtype=torch.float64, device="cpu")
    values, edges = boxes(values if binned else values.unsqueeze(-2), centres.to(values.device), n)
    running = torch.nn.functional.pad(values.cumsum(-1, dtype=torch.float64), (1, 0))
    ends = torch.linspace(0, n, columns + 1, dtype=torch.float64, device=values.device)
    box = (torch.searchsorted(edges, ends, right=True) - 1).clamp(0, len(edges) - 2)
    width = edges[box + 1] - edges[box]
    part = ((ends - edges[box]) / width.where(width > 0, 1)).clamp(0, 1)
    return (running[..., box] + part * values[..., box]).diff(dim=-1)
