"""Scale profiles averaged over items, several models side by side, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.maps import Profile
from wavelens.methods.shapley import ShapleyValues
from wavelens.runs.statistics.comparison import RESAMPLES
from wavelens.runs.statistics.intervals import Estimate, bca, bootstrap

Array = NDArray[np.float64]
Values = ShapleyValues | Profile


@dataclass(frozen=True)
class ScaleRow:
    """One scale of one model, means over the items: its share of Σ|γ|, that less the first model's, its signed sum.

    `shapley` is the mean of its Shapley values, None where these were not given.
    """

    model: str
    scale: str
    share: Estimate
    difference: Estimate
    signed: Estimate
    shapley: Estimate | None = None


@dataclass(frozen=True)
class LevelRow:
    """How coarse a model looks, in levels: the mean of its scales' levels by their shares, and that less the first's.

    A detail counts as its level, 1 for the finest; the approximation as one more than the coarsest detail.
    """

    model: str
    level: Estimate
    difference: Estimate


@dataclass(frozen=True, eq=False)
class Average:
    """`rows` for each model and scale, coarsest first; `levels` for each model; the model that is first is compared to.

    `items` have a profile for every model; `left_out` are those that have none for some: nothing, or no number, was
    attributed to them.
    """

    models: tuple[str, ...]
    scales: tuple[str, ...]
    items: int
    left_out: int
    rows: tuple[ScaleRow, ...]
    levels: tuple[LevelRow, ...]

    def row(self, model: str, scale: str) -> ScaleRow:
        match = next((row for row in self.rows if (row.model, row.scale) == (model, scale)), None)
        if match is None:
            raise KeyError(
                f"a row must be of one of {self.models} and one of {self.scales}; got {model!r} and {scale!r}."
            )
        return match

    def level(self, model: str) -> LevelRow:
        return self.levels[self.models.index(model)]

    @property
    def has_shapley(self) -> bool:
        """Whether the rows have Shapley values."""
        return self.rows[0].shapley is not None


def average(
    profiles: Mapping[str, Profile | Sequence[Profile]],
    *,
    shapley: Mapping[str, Values | Sequence[Values]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Average:
    """The mean profile of each model over the same items, with 95 % intervals.

    `profiles` has for each model what `maps.profile` gave for the items, in one batch or several; each item counts
    alike, whatever its logit. `shapley` has for each model what `wl.shapley` gave for the same items by scale, or the
    profiles of attributions by `ScaleShapley()`. Intervals are those of a paired bootstrap, corrected for bias and
    skewness (Efron, 1987): items are drawn with replacement, the same for every model; fewer than six items have none.
    `ValueError` for models with other items or other scales, and where no item has a profile.

    >>> haar = wl.DWT("haar", levels=2)
    >>> a = wl.attribute(model, x, 1, domain=haar, method=wl.IntegratedGradients())
    >>> values = wl.shapley(model, x, 1, domain=haar)
    >>> average = wl.runs.average({"mine": [wl.maps.profile(a)] * 2}, shapley={"mine": [values] * 2})
    >>> average.models, average.items, average.row("mine", "d1").shapley.value == values.values[0, 2].item()
    (('mine',), 2, True)
    """
    names, shares, signed = _tables(profiles)
    added = None if shapley is None else _added(shapley, tuple(profiles), names, signed.shape[1])
    whole = np.isfinite(shares).all((0, 2)) & np.isfinite(signed).all((0, 2)) & (shares.sum(2) > 0).all(0)
    whole &= True if added is None else np.isfinite(added).all((0, 2))
    if not whole.any():
        raise ValueError(
            f"profiles are averaged over items that have one for every model; of {len(whole)} none has. Nothing, or no "
            "number, was attributed to them: look at one with wavelens explain."
        )
    shares, signed = shares[:, whole], signed[:, whole]
    added = None if added is None else added[:, whole]
    levels = shares @ _levels(len(names))

    def estimates(table: Array) -> tuple[list[Estimate], list[Estimate]]:
        """`(models, items)`: of each model, and of each less the first."""
        draws = bootstrap(table, np.mean, resamples, seed)
        return _estimates(table, draws), _estimates(table - table[:1], draws - draws[:1])

    models = tuple(profiles)
    return Average(
        models,
        names,
        int(whole.sum()),
        int((~whole).sum()),
        _rows(models, names, (shares, signed, added), estimates),
        tuple(LevelRow(*row) for row in zip(models, *estimates(levels), strict=True)),
    )


Estimates = Callable[[Array], tuple[list[Estimate], list[Estimate]]]


def _rows(
    models: Sequence[str], names: Sequence[str], tables: tuple[Array, Array, Array | None], estimates: Estimates
) -> tuple[ScaleRow, ...]:
    """Model by model, scale by scale."""
    shares, signed, added = tables
    rows = []
    for k, scale in enumerate(names):
        share, difference = estimates(shares[..., k])
        sums, _ = estimates(signed[..., k])
        values = None if added is None else estimates(added[..., k])[0]
        rows.append(
            [
                ScaleRow(model, scale, share[m], difference[m], sums[m], None if values is None else values[m])
                for m, model in enumerate(models)
            ]
        )
    return tuple(row for own in zip(*rows, strict=True) for row in own)


def _estimates(table: Array, draws: Array) -> list[Estimate]:
    return [bca(own.mean(), drawn, own, len(own)) for own, drawn in zip(table, draws, strict=True)]


def _tables(profiles: Mapping[str, Profile | Sequence[Profile]]) -> tuple[tuple[str, ...], Array, Array]:
    """The scales, and shares and signed sums `(models, items, scales)`."""
    if not profiles:
        raise ValueError("profiles must have one entry for each model; got none.")
    batches = {model: [own] if isinstance(own, Profile) else list(own) for model, own in profiles.items()}
    scales = {model: dict.fromkeys(batch.names for batch in own) for model, own in batches.items()}
    names = list(dict.fromkeys(name for own in scales.values() for name in own))
    if len(names) != 1 or not all(scales.values()):
        text = "; ".join(f"{model}: {' or '.join(map(' '.join, own)) or 'none'}" for model, own in scales.items())
        raise ValueError(f"profiles are averaged scale by scale; got {text}. Attribute all in one domain.")
    shares = {model: _items([batch.share for batch in own]) for model, own in batches.items()}
    counts = {model: len(table) for model, table in shares.items()}
    if len(set(counts.values())) != 1:
        raise ValueError(f"models must be compared over the same items; got {counts}. Give each the same ones.")
    signed = [_items([batch.signed for batch in own]) for own in batches.values()]
    return names[0], np.stack(list(shares.values())), np.stack(signed)


def _added(
    shapley: Mapping[str, Values | Sequence[Values]], models: tuple[str, ...], names: tuple[str, ...], items: int
) -> Array:
    """The Shapley values, `(models, items, scales)`, of the same models, scales and items as the profiles."""
    if set(shapley) != set(models):
        raise ValueError(
            f"shapley must have values for each model, {', '.join(models)}; got {', '.join(shapley) or 'none'}."
        )
    tables = []
    for model in models:
        own = shapley[model]
        batches: Sequence[Values] = [own] if isinstance(own, Profile | ShapleyValues) else list(own)
        if wrong := [batch.names for batch in batches if batch.names != names]:
            raise ValueError(
                f"shapley must have a value for each scale, {', '.join(names)}; got {', '.join(wrong[0])} for {model}."
            )
        tables.append(_items([one.values if isinstance(one, ShapleyValues) else one.signed for one in batches]))
        if len(tables[-1]) != items:
            raise ValueError(f"shapley must have values for the same {items} items; got {len(tables[-1])} for {model}.")
    return np.stack(tables)


def _items(batches: Sequence[Tensor]) -> Array:
    if wrong := [tuple(batch.shape) for batch in batches if batch.ndim != 2]:
        raise ValueError(
            f"a profile must be of one target: (batch, scales); got {wrong[0]}. Take one of several targets."
        )
    table: Array = torch.cat([batch.detach().cpu().double() for batch in batches]).numpy()
    return table


def _levels(count: int) -> Array:
    """Of scales, coarsest first: 1 for the finest of several, 0 for a single one, which has every size."""
    return np.arange(count, 0.0, -1) if count > 1 else np.zeros(1)
