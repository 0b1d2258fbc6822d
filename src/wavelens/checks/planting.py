"""Whether a map finds a pattern that was planted in the input and that the model answers to."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from wavelens.checks.asking import BROKEN, evaluating, one_by_one, span, twin_of
from wavelens.checks.explanation import SAME, another_method, has_parameters, shared_ranks
from wavelens.checks.verdict import FAIL, NOT_APPLICABLE, PASS, WARN, Verdict
from wavelens.core import Coefficients, signal_axes
from wavelens.engine.copies import NoCopyError
from wavelens.engine.given import beside
from wavelens.engine.gradients import Model
from wavelens.masks.ranking import importance
from wavelens.methods.averages import generator
from wavelens.methods.paths import starting_points
from wavelens.metrics import energy_order
from wavelens.metrics.perturbation import single
from wavelens.metrics.randomization import reset
from wavelens.metrics.stability import Explainer, explained
from wavelens.planted import Truth, Wave, grid, truth
from wavelens.planted import scores as planted_scores
from wavelens.precision import rounding
from wavelens.targets import ByItem, Target, scores

PLACES = 2  # patterns of each wavelength, each at a place of its own
CELLS = 16  # a pattern's bell spans as much as one of so many equal parts of the signal
WIDTHS_PER_CELL = 4
SHORTEST_WAVELENGTH = 3.0  # samples; the longest is two widths of the bell
WAVELENGTHS = (1 / 8, 3 / 8, 5 / 8)  # of the way between the two, on a logarithmic scale
MIDDLE = (0.2, 0.8)  # where patterns are centred, as a fraction of each axis
STRENGTHS = (0.1, 0.2, 0.4)  # height of the crest, as a fraction of the item's range
PASSES = 2 + len(STRENGTHS) * PLACES * len(WAVELENGTHS)  # forward passes per item at most, without the explanation
STREAM = 3  # of random numbers; other checks use those before
NEIGHBOURS = 5  # other coefficients, next in energy, below and above each planted one, that it is compared with

# How far the outputs move, relative to how much they differ among themselves: by less they do not answer.
MOVED = 0.25
# How often a planted coefficient outranks another of equal energy: 0.5 by chance. The thresholds were chosen on some
# pairs of models and inputs and judged on others: benchmarks/paper/checks.py.
FINDS, MISSES = 0.6, 0.4
DEVIATIONS, RANK_DEVIATION = 2.0, 12**-0.5  # of a share of comparisons by chance, per planted coefficient

UNASKED = "The map is the same whatever the model has learnt: it shows where detail is."
REMEDY = "The map hardly prefers what the model answers to over coefficients of equal size."
# Of 15 sound pairs of model and input on which the thresholds were chosen 9 warn, of 13 others 3: docs/guides/check.md.
COMMON = "The warning is common: 12 of 28 sound pairs of model and input had it (docs/guides/check.md)."


class Answer(NamedTuple):
    """How a model answers to a pattern `(channel, *axes)` in an item: the change of its outputs, and its size."""

    pattern: Tensor
    change: Tensor
    moved: float


def finds_planted(
    model: Model, x: Tensor, target: Target, *, explainer: Explainer, baseline: Tensor | float = 0.0, seed: int = 0
) -> Verdict:
    """Whether the map of the model's answer to a planted pattern finds the pattern's scale and place.

    Six waves under a bell, of three wavelengths at two places each, are added to a copy of the input one at a time,
    with crests of a tenth, two tenths, four tenths of the item's range, until one moves the outputs by a quarter of
    their own spread. The map of that copy is made by `explainer`, a function `(model, x, target) -> Coefficients`; its
    target is the answer: the outputs, weighted by the change that the pattern made. The figures are how often one of
    the pattern's coefficients (the fewest with 90 % of its energy) has a larger `|γ|` than another of nearly equal
    energy over the baseline: any other, which tells scale and place, and one of the same scale, which tells the place.
    They are means over items, 0.5 by chance and for the energy order, whatever the pattern's size; the smaller decides,
    and differs from 0.5 by two of its standard deviations or more. A map that looks for detail finds a pattern without
    asking the model wherever nothing else has any. So the map of a copy with its layers reset is made too, and one that
    ranks as that does beyond the energy order, as `model_dependent` has it, does not pass. At most 20 forward passes
    and two explanations per item.

    "not applicable" where no pattern moves the outputs so far. Outputs that are no `(batch, classes)` are taken as
    `target` reads them, and their change is compared with the rise over the baseline.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.DWT("haar", levels=1), method=wl.IntegratedGradients())
    >>> wl.checks.finds_planted(model, x, 1, explainer=explain).check
    'finds_planted'
    """
    name, x = "finds_planted", x.detach()
    start = starting_points(x, baseline)
    with evaluating(model, x):
        answers = [_answer(model, row, start[item], item, single(target), seed) for row, item in one_by_one(x)]
        moved = torch.tensor([answer.moved for answer in answers], dtype=torch.float64, device=x.device)
        figures, answered = {"moved": float(moved.max())}, moved >= MOVED
        if not answered.any():
            finding = (
                f"no planted pattern moves the model's outputs by more than {figures['moved']:.0%} of their spread."
            )
            return Verdict(name, NOT_APPLICABLE, finding, figures=figures)
        patterns = torch.stack([answer.pattern for answer in answers])
        changes = torch.stack([answer.change for answer in answers])
        answer = ByItem(_Along(changes, single(target)))
        attribution = explainer(model, x + patterns, answer)
        again = partial(explained, explainer, x=x + patterns, target=answer, attribution=attribution)
        other = _of_reset_copy(model, x, target, seed, lambda twin: again(model=twin))
    known = truth(patterns, attribution.layout.domain)
    energy = energy_order(x + patterns, attribution.layout.domain, baseline=baseline)
    for key, ranked in {"map": attribution, "energy order": energy}.items():
        figures[key] = float(outranking(ranked, energy, known)[answered].nanmean())
        figures[f"{key}, of one scale"] = float(outranking(ranked, energy, known, by_scale=True)[answered].nanmean())
        figures[f"{key}, precision"] = float(planted_scores(ranked, known).precision[answered].mean())
    anywhere, within = figures["map"], figures["map, of one scale"]
    if math.isnan(anywhere + within):
        finding = "no other coefficient is as large as those of the planted pattern."
        return Verdict(name, NOT_APPLICABLE, finding, figures={"moved": figures["moved"]})
    some = "" if answered.all() else f" ({int(answered.sum())} of {len(x)} inputs could be told)"
    finding = (
        f"of equal energy, a coefficient of the planted pattern outranks another in {anywhere:.0%} of the cases, and "
        f"one of its own scale in {within:.0%}; chance is 50%{some}"
    )
    another = f"Take {another_method(explainer, model)}."
    worse, shared = min(anywhere, within), math.nan
    if other is not None:
        shared = figures["shared with a reset copy"] = float(shared_ranks(attribution, other, energy)[1].nanmean())
    doubt = DEVIATIONS * RANK_DEVIATION / math.sqrt(int(known.count[answered].sum()))
    if worse >= max(FINDS, 0.5 + doubt):
        if shared >= SAME:
            return Verdict(
                name, WARN, f"{finding}, for a copy with its layers reset as well.", f"{UNASKED} {another}", figures
            )
        return Verdict(name, PASS, f"{finding}.", figures=figures)
    if worse < min(MISSES, 0.5 - doubt):
        return Verdict(name, FAIL, f"{finding}.", f"{REMEDY} {another}", figures)
    return Verdict(name, WARN, f"{finding}.", f"{REMEDY} {COMMON} {another}", figures)


def _of_reset_copy(
    model: Model, x: Tensor, target: Target, seed: int, explain: Callable[[nn.Module], Coefficients]
) -> Coefficients | None:
    """The map of a copy with its layers reset; None of a model that cannot be copied, reset or explained then."""
    if not has_parameters(model):
        return None
    try:
        return explain(reset(twin_of(model, x, target), seed=seed))
    except (NoCopyError, *BROKEN):
        return None


def outranking(ranked: Coefficients, energy: Coefficients, known: Truth, *, by_scale: bool = False) -> Tensor:
    """How often a true coefficient has a larger `|γ|` than one of nearest energy that is not true, `(batch,)`.

    Energy is divided out: each is compared with as many others next below it in `|z|` as next above it, at most
    `NEIGHBOURS` of each. So an order by energy wins half of the comparisons, whatever the pattern's size, as a random
    order does. Equal values win half. With `by_scale` the others are of the same scale. NaN where no other is as large,
    or none as small.
    """
    pieces = [slice(None)]
    if by_scale:
        slices = ranked.layout.slices
        scales = ranked.layout.scales().values()
        pieces = [slice(slices[scale[0]].start, slices[scale[-1]].stop) for scale in scales]
    values, sizes = importance(ranked)[:, 0].double(), importance(energy)[:, 0].double()
    won, compared = torch.zeros_like(values[:, 0]), torch.zeros_like(values[:, 0])
    for item, planted in enumerate(known.mask[:, 0]):
        for piece in pieces:
            wins = _wins(values[item, piece], sizes[item, piece], planted[piece])
            won[item] += wins.sum()
            compared[item] += len(wins)
    return won / compared.where(compared > 0, torch.nan)


def _wins(values: Tensor, sizes: Tensor, planted: Tensor) -> Tensor:
    """1, 1/2 or 0 for each comparison of a planted coefficient with another."""
    others = sizes[~planted].sort()
    if not len(others.values) or not planted.any():
        return values[:0]
    ends = [torch.searchsorted(others.values, sizes[planted], right=right) for right in (False, True)]
    below = torch.stack(ends).sum(0) // 2  # of equal sizes one half counts as smaller
    reach = torch.minimum(below, len(others.values) - below).clamp_max(NEIGHBOURS)
    offsets = torch.arange(-NEIGHBOURS, NEIGHBOURS, device=values.device)
    near = (offsets >= -reach[:, None]) & (offsets < reach[:, None])
    places = (below[:, None] + offsets).clamp(0, len(others.values) - 1)
    theirs, own = values[~planted][others.indices][places], values[planted][:, None]
    return ((own > theirs).double() + (own == theirs).double() / 2)[near]


def _answer(model: Model, row: Tensor, start: Tensor, item: Tensor, target: Target, seed: int) -> Answer:
    """The model's answer to the pattern that moves it most, at the first strength at which one moves it enough."""
    waves = _patterns(signal_axes(row), seed).to(row)[:, None].expand(-1, *row.shape[1:])
    before, at_start = (_outputs(model, one, item, target)[0] for one in (row, start))
    spread = (before - before.mean()).norm() if len(before) > 1 else (before - at_start).norm()
    for strength in STRENGTHS:
        patterns = strength * span(row) * waves
        changes = torch.stack([_outputs(model, row + one, item, target)[0] for one in patterns.split(1)]) - before
        changes = changes - changes.mean(1, keepdim=True) if len(before) > 1 else changes
        largest = int(changes.norm(dim=1).argmax())
        moved = float(changes[largest].norm() / spread.clamp_min(rounding(row) * before.norm()).clamp_min(1e-300))
        if moved >= MOVED:
            break
    return Answer(patterns[largest], changes[largest] / changes[largest].norm().clamp_min(1e-300), moved)


def _outputs(model: Model, rows: Tensor, item: Tensor, target: Target) -> Tensor:
    """The outputs `(rows, classes)`, or the scores `(rows, 1)` that `target` reads where they are no such tensor."""
    with torch.no_grad():
        return _read(model(rows, *beside(model, item)), target, item).double()


def _read(output: Any, target: Target, items: Tensor) -> Tensor:
    classes = isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] > 1
    return output if classes else scores(target, output, items)[0][:, None]


@dataclass(frozen=True, eq=False)
class _Along:
    """Reads outputs along the change `(batch, classes)` that each item's pattern made."""

    changes: Tensor
    target: Target

    def __call__(self, output: Any, items: Tensor) -> Tensor:
        read = _read(output, self.target, items)
        along: Tensor = (read * self.changes[items.to(self.changes.device)].to(read)).sum(1)
        return along

    def __repr__(self) -> str:
        return "the answer to a planted pattern"


def _patterns(axes: tuple[int, ...], seed: int) -> Tensor:
    """Waves under a bell with crests of 1, `(patterns, *axes)`: each wavelength at `PLACES` places."""
    width = (math.prod(axes) / CELLS) ** (1 / len(axes)) / WIDTHS_PER_CELL
    ratio = max(2 * width / SHORTEST_WAVELENGTH, 1.0)
    source = generator(seed, STREAM, torch.device("cpu"))
    low, high = MIDDLE
    waves = []
    for part in WAVELENGTHS:
        for _ in range(PLACES):
            direction = torch.randn(len(axes), generator=source, device="cpu")
            centre = low + (high - low) * torch.rand(1, len(axes), generator=source, device="cpu")
            phase = 2 * math.pi * torch.rand(1, generator=source, device="cpu")
            wave = Wave(SHORTEST_WAVELENGTH * ratio**part, tuple(direction.tolist()), width)
            waves.append(wave.at(grid(axes), centre * (torch.tensor(axes, device="cpu") - 1), phase))
    return torch.cat(waves)
