"""What metrics perturb: the coefficients of a signal over a baseline, in any domain, and the model asked about it.

Synthesis is linear: with `d = W(x - x₀)`, the signal that keeps the coefficients of a mask m is `x₀ + S(m ⊙ d)`, and
the one that drops them `x - S(m ⊙ d)`. So one synthesis serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout, signal_axes
from wavelens.engine.gradients import HALF, Gradients
from wavelens.maps import spatial_map
from wavelens.methods.paths import starting_points
from wavelens.targets import Against, ByItem, Contrast, Several, Target, scores

Rows = Tensor | tuple[slice, None]  # an item for each row, or some items and room for an axis behind them


@dataclass(frozen=True, eq=False)
class Features:
    """The coefficients that a metric perturbs.

    `x` and `start` are the untouched signal and the baseline `(batch, channel, *axes)`, `step` the coefficients
    `W(x - x₀)`, `(batch, channel, size)`, and `attribution` what they are ranked by, in the same layout.
    """

    x: Tensor
    start: Tensor
    step: Tensor
    attribution: Coefficients

    @property
    def layout(self) -> Layout:
        return self.attribution.layout

    @property
    def energy(self) -> Tensor:
        """The energy order as numbers with signs: the coefficients, and of complex ones the moduli."""
        return self.step.abs() if self.step.is_complex() else self.step

    def part(self, items: Rows, masks: Tensor) -> Tensor:
        """`S(m ⊙ d)` for rows of items, `(*rows, channel, *axes)`; masks `(*rows, 1 or channel, size)`, bool."""
        data = torch.where(masks, self.step[items], 0.0)
        parts = Coefficients(data.flatten(0, -3), self._layout(items, data.shape[:-2])).synthesis()
        return parts.reshape(*data.shape[:-1], *parts.shape[2:]).to(self.x.dtype)  # a complex domain's are wider

    def _layout(self, items: Rows, rows: Sequence[int]) -> Layout:
        """That of the rows, where the domain is bound to items."""
        if not self.layout.domain.bound_tensors():
            return self.layout
        return self.layout.at(torch.arange(len(self.x), device=self.x.device)[items].expand(rows).flatten())

    def kept(self, items: Tensor, masks: Tensor) -> Tensor:
        """The signals with the coefficients of the masks alone, `x₀ + S(m ⊙ d)`."""
        return self.start[items] + self.part(items, masks)

    def dropped(self, items: Tensor, masks: Tensor) -> Tensor:
        """The signals without the coefficients of the masks, `x - S(m ⊙ d)`."""
        return self.x[items] - self.part(items, masks)


def features(
    x: Tensor, attribution: Coefficients, domain: Domain | None = None, baseline: Tensor | float = 0.0
) -> Features:
    """The features of `domain`, or of the attribution's own; `ValueError` where signal and attribution do not fit."""
    check_attribution(x, attribution)
    x = x.detach()
    domain = attribution.layout.domain if domain is None else domain.bind(x)
    if domain != attribution.layout.domain:
        attribution = translate(attribution, domain)
    start = starting_points(x, baseline)
    step = attribution.layout.domain.analysis(x - start).data
    attribution = Coefficients(attribution.data.detach().to(x.device), attribution.layout)
    return Features(x, start, step, attribution)


def check_attribution(x: Tensor, attribution: Coefficients) -> None:
    """`ValueError` unless the attribution is one of this batch: `(batch, 1 or channel, size)`, same axes, finite."""
    axes = signal_axes(x)
    if not isinstance(attribution, Coefficients):
        raise TypeError(
            f"an attribution must be Coefficients, as attribute(…) gives them; got {type(attribution).__name__}. "
            "Give a heat map (batch, channel, *axes) as Identity().analysis(map)."
        )
    shape, layout = tuple(attribution.data.shape), attribution.layout
    if len(shape) != 3 or shape[0] != len(x) or shape[1] not in (1, x.shape[1]) or layout.signal_shape != axes:
        raise ValueError(
            f"an attribution of x {tuple(x.shape)} must be ({len(x)}, 1 or {x.shape[1]}, size) over the axes {axes}; "
            f"got {shape} over {layout.signal_shape}. Judge the attribution of this very batch, one target at a time."
        )
    if not attribution.data.isfinite().all():
        raise ValueError(
            "an attribution that is judged must be finite; got NaN or infinity. Look at the model's gradient."
        )


def translate(attribution: Coefficients, domain: Domain) -> Coefficients:
    """A heat map read in another domain: each coefficient's mean of it over its own place, `(batch, 1, size)`.

    The heat map is `maps.spatial_map`, `A |γ|` with channels summed: `A` spreads each coefficient over its place in
    the signal with total weight 1. A coefficient of `domain` is worth the mean of the map over its place, `Bᵀ A |γ|`
    with that domain's own `B`. From samples to samples nothing changes, and a constant map stays constant.

    Only places are carried over: a heat map of pixels says nothing about scales, so a wavelet attribution translated to
    one loses its scales. It is not the analysis of the map: the wavelet coefficients of a smooth, positive map are
    large where it changes, not where it is high. A signed gradient has an exact pullback instead, `domain.adjoint(g,
    layout)`, and `attribute(…, domain=[…])` gives any attribution in several domains at the price of one.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.metrics.translate(a, wl.Identity()).data.shape
    torch.Size([1, 1, 64])
    """
    with torch.inference_mode(False):
        heat = spatial_map(Coefficients(attribution.data.detach().clone(), attribution.layout))
        probe = torch.arange(heat[0].numel(), device=heat.device).to(heat).sin().view_as(heat[:1, None])
        probe = probe.expand(len(heat), *probe.shape[1:])  # a row for each item that a domain may be bound to
        read, own = domain.analysis(probe), attribution.layout.domain.analysis(probe)
        layout = read.layout
        if layout == own.layout:
            return attribution
        if layout.bands == own.layout.bands and torch.allclose(read.data, own.data, atol=1e-5):  # "db1", or levels=None
            return Coefficients(attribution.data, layout)
        empty = heat.new_zeros(len(heat), 1, layout.size).requires_grad_()
        with torch.enable_grad():
            spread = spatial_map(Coefficients(empty, layout), signed=True)
            (means,) = torch.autograd.grad(spread, empty, heat)
    return Coefficients(means, layout)


def single(target: Target) -> Target:
    """The target, if it is one; `ValueError` for several."""
    if isinstance(target, Several):
        raise ValueError(
            f"a metric judges one target at a time; got {target}. Call it for each, with the attribution of each."
        )
    return target


def probability(target: Target) -> Target:
    """The softmax probability of a class, or of one for each item (a lone logit's sigmoid); else the target itself.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> wl.metrics.insertion(model, x, wl.metrics.probability(1), a, steps=4).round(decimals=3).tolist()
    [0.67]
    """
    if target is None or callable(single(target)) or isinstance(target, ByItem | Contrast | Against):
        return target

    def read(output: Any, items: Tensor) -> Tensor:
        if isinstance(output, Tensor) and output.ndim == 2:
            output = output.float() if output.dtype in HALF else output
            output = output.softmax(1) if output.shape[1] > 1 else output.sigmoid()
        return scores(target, output, items)[0]

    return ByItem(read)


def answers(ask: Gradients, items: Tensor, points: Callable[[slice], Tensor]) -> Tensor:
    """`f` of rows that are made chunk by chunk, `(rows,)`; `points(rows)` belong to `items[rows]`."""
    pieces = [ask.values(points(piece), items[piece])[0] for piece in chunks(len(items), ask.rows)]
    return torch.cat(pieces) if pieces else ask.x.new_zeros(0, dtype=ask.dtype)


def chunks(count: int, rows: int) -> Iterator[slice]:
    """Slices of at most `rows` over `count` rows."""
    return (slice(start, min(start + rows, count)) for start in range(0, count, rows))


def every_pair(batch: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Item and number of each row where every item is asked `count` times, `(batch · count,)` each, items slowest."""
    rows = torch.arange(batch * count, device=device)
    return rows // count, rows % count
