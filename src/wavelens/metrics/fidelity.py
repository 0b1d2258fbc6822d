"""Fidelity: whether what an attribution says of parts of the signal is what the model does without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout, real_product, with_sign
from wavelens.domains.joint import Joint
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.maps import has_mosaic, mosaic_slices
from wavelens.masks.ranking import Reduce, magnitude, top
from wavelens.methods.averages import check_effort, check_noise, generator, ranges
from wavelens.metrics.correlation import pearson, spearman
from wavelens.metrics.perturbation import Features, answers, every_pair, features, single
from wavelens.metrics.several import takes_signals
from wavelens.precision import full_precision
from wavelens.targets import ByItem, Target

CPU = torch.device("cpu")
CORRELATIONS = {"pearson": pearson, "spearman": spearman}


@takes_signals("baseline")
def mu_fidelity(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    subsets: int = 128,
    grid: int = 28,
    fraction: float = 0.2,
    correlation: str = "pearson",
    seed: int = 0,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """How `Σ_{i∈u} γ_i` correlates with `f(x) - f(x without u)` over random subsets u, `(batch,)`, from -1 to 1.

    (Bhatt et al., 2020; WAM's equation 16.) The subsets are made of cells: `grid` of them along each axis of the
    mosaic, which for samples is the signal (as many as fit a shorter axis), of which each subset takes the part
    `fraction`. Attributions are added up with their signs. `f` is the explained number itself, a logit for a class.
    `correlation` is "pearson" or "spearman"; it is NaN where the score or the attribution does not vary. The subsets
    depend on `seed` alone and are the same for every item. So is what chance does: an attribution that has nothing to
    do with the model has mean 0 and deviation `1 / √(subsets - 1)` over seeds, which a mean over items of one seed
    keeps and a mean over items with a seed each is rid of. `domain`, `baseline` and `batch_size` as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.mu_fidelity(model, x, 1, a, subsets=16, grid=4).tolist()]
    [0.994]
    """
    if correlation not in CORRELATIONS:
        raise ValueError(f"correlation is one of {', '.join(CORRELATIONS)}; got {correlation!r}.")
    model = with_given(model, given)
    parts = features(x, attribution, domain, baseline)
    predicted, done = _removals(model, parts, target, subsets, grid, fraction, seed, batch_size)
    return CORRELATIONS[correlation](predicted, done).to(done.dtype)


@takes_signals("baseline")
def infidelity(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    perturb: str = "noise",
    samples: int = 128,
    sigma: float = 0.1,
    grid: int = 28,
    fraction: float = 0.2,
    normalize: bool = False,
    seed: int = 0,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """The mean squared error of what an attribution says of a perturbation, `(batch,)`; less is better.

    (Yeh et al., 2019.) `perturb="noise"` is for gradients, such as `Saliency` and `SmoothGrad`: coefficients change by
    Gaussian noise I with a standard deviation of `sigma` times the item's range `max x - min x`, and the error is
    `<I, γ> - (f(x) - f(x - S I))`. `perturb="removal"` is for contributions, such as `IntegratedGradients`: random
    subsets u go to the baseline as in `mu_fidelity`, and the error is `Σ_{i∈u} γ_i - (f(x) - f(x without u))`.
    `normalize=True` takes the attribution times the factor that makes the error least, so that its unit does not
    matter. Perturbations depend on `seed` alone and are the same for every item. The rest as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.infidelity(model, x, 1, a, samples=16).tolist()]
    [0.001]
    """
    model = with_given(model, given)
    parts = features(x, attribution, domain, baseline)
    if perturb == "noise":
        predicted, done = _disturbances(model, parts, target, samples, sigma, seed, batch_size)
    elif perturb == "removal":
        predicted, done = _removals(model, parts, target, samples, grid, fraction, seed, batch_size)
    else:
        raise ValueError(f"perturb is 'noise', for gradients, or 'removal', for contributions; got {perturb!r}.")
    if normalize:
        square = predicted.square().sum(1, keepdim=True)
        predicted = predicted * ((predicted * done).sum(1, keepdim=True) / square.where(square > 0, 1))
    return (predicted - done).square().mean(1)


@takes_signals("reduce", "baseline")
def ff(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    fraction: float | Fraction = 0.5,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """The drop `f(x) - f(x without the top fraction)`, `(batch,)`; more is better, and a set is judged by its median.

    (Faithfulness on spectra, Parekh et al., 2022; WAM's equation 17.) `f` is the explained number itself, a logit for
    a class; `fraction` of the coefficients go to the baseline, the most important ones. The rest as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.ff(model, x, 1, a).tolist()]
    [0.833]
    """
    model = with_given(model, given)
    parts = features(x, attribution, domain, baseline)
    mask = top(parts.attribution, fraction, reduce=reduce).data.bool()
    with Gradients(model, x, single(target), batch_size=batch_size) as ask:
        without = _each(ask, lambda items: parts.dropped(items, mask[items]))
        return ask.values(parts.x)[0] - without


@takes_signals("reduce", "baseline")
def fid_in(
    model: Model,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    fraction: float | Fraction = 0.5,
    domain: Domain | None = None,
    baseline: Tensor | float = 0.0,
    reduce: Reduce = magnitude,
    given: Sequence[Tensor] = (),
    batch_size: int | None = None,
) -> Tensor:
    """1 where the model's class stays the same on the top fraction alone, else 0, `(batch,)`; the mean is the share.

    (Input fidelity, Paissan et al., 2023; WAM's equation 18.) The class is the largest of the outputs `(batch,
    classes)` for the untouched signal, whatever the `target`, which the ranking alone knows. The rest as in `curves`.

    >>> a = wl.attribute(model, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients())
    >>> [round(score, 3) for score in wl.metrics.fid_in(model, x, 1, a).tolist()]
    [1.0]
    """
    single(target)
    model = with_given(model, given)
    parts = features(x, attribution, domain, baseline)
    mask = top(parts.attribution, fraction, reduce=reduce).data.bool()
    with Gradients(model, x, ByItem(_class), batch_size=batch_size) as ask:
        alone = _each(ask, lambda items: parts.kept(items, mask[items]))
        return (ask.values(parts.x)[0] == alone).to(ask.dtype)


def _class(output: Tensor, _: Tensor) -> Tensor:
    if not isinstance(output, Tensor) or output.ndim != 2 or output.shape[1] < 2:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"fid_in compares classes, so the model's output is (batch, classes); got {got}.")
    return output.argmax(1).double()


def _each(ask: Gradients, points: Callable[[Tensor], Tensor]) -> Tensor:
    """`f` of one point an item, made chunk by chunk."""
    items = torch.arange(len(ask.x), device=ask.x.device)
    return answers(ask, items, lambda rows: points(items[rows]))


def _removals(
    model: Model,
    parts: Features,
    target: Target,
    subsets: int,
    grid: int,
    fraction: float,
    seed: int,
    batch_size: int | None,
) -> tuple[Tensor, Tensor]:
    """`Σ_{i∈u} γ_i` and `f(x) - f(x without u)`, `(batch, subsets)` each."""
    check_effort(grid=grid, subsets=subsets)
    if subsets < 2:
        raise ValueError(f"subsets are two or more, to be compared; got {subsets}.")
    cell = cells(parts.layout, grid).to(parts.x.device)
    count = int(cell.max()) + 1
    size = math.floor(Fraction(str(fraction)) * count) if 0 < fraction < 1 else 0
    if size == 0:
        raise ValueError(
            f"fraction lies between 0 and 1 and gives each subset a cell or more; got {fraction} of {count} cells."
        )
    chosen = torch.zeros(subsets, count, dtype=torch.bool, device="cpu")
    for k in range(subsets):
        chosen[k, torch.randperm(count, generator=generator(seed, k, CPU), device="cpu")[:size]] = True
    chosen = chosen.to(parts.x.device)
    items, number = every_pair(len(parts.x), subsets, parts.x.device)
    with Gradients(model, parts.x, single(target), batch_size=batch_size) as ask:
        without = answers(ask, items, lambda rows: parts.dropped(items[rows], chosen[number[rows]][:, None, cell]))
        done = ask.values(parts.x)[0][:, None] - without.view(-1, subsets)
    summed = with_sign(parts.attribution.data).sum(1).to(done.dtype)
    by_cell = summed.new_zeros(len(summed), count).index_add_(1, cell, summed)
    with full_precision(by_cell):
        return by_cell @ chosen.T.to(done.dtype), done


def _disturbances(
    model: Model, parts: Features, target: Target, samples: int, sigma: float, seed: int, batch_size: int | None
) -> tuple[Tensor, Tensor]:
    """`<I, γ>` and `f(x) - f(x - S I)`, `(batch, samples)` each."""
    check_effort(samples=samples)
    check_noise(sigma)
    x, device = parts.x, parts.x.device
    scale = sigma * _coefficient_ranges(parts)
    items, number = every_pair(len(x), samples, device)
    predicted = []

    def points(rows: slice) -> Tensor:
        numbers, which = number[rows].unique(return_inverse=True)
        draws = torch.stack([_noise(parts, seed, k) for k in numbers.tolist()])
        change = draws[which] * scale[items[rows]]
        predicted.append(real_product(change, parts.attribution.data[items[rows]]).sum((1, 2)))
        return x[items[rows]] - Coefficients(change, parts.layout.at(items[rows])).synthesis().to(x.dtype)

    with Gradients(model, x, single(target), batch_size=batch_size) as ask:
        values = answers(ask, items, points).view(-1, samples)
        done = ask.values(x)[0][:, None] - values
    return torch.cat(predicted).view(-1, samples).to(done.dtype), done


def _coefficient_ranges(parts: Features) -> Tensor:
    """Each item's range `max x − min x` beside its coefficients, `(batch, 1, 1)`, or that of each signal."""
    x, joint = parts.x, parts.layout.domain
    if not isinstance(joint, Joint):
        return ranges(x).reshape(-1, 1, 1)
    pieces = zip(joint.samples.values(), joint.parts.values(), strict=True)
    spans = [ranges(x[..., own]).expand(-1, 1, part.stop - part.start) for own, part in pieces]
    return torch.cat(spans, -1)


def _noise(parts: Features, seed: int, k: int) -> Tensor:
    source = generator(seed, k, parts.x.device)
    dtype = torch.complex64 if parts.step.is_complex() else torch.float32
    draw = torch.randn(parts.step.shape[1:], generator=source, device=parts.x.device, dtype=dtype)
    return draw.to(parts.step.dtype)


def cells(layout: Layout, grid: int) -> Tensor:
    """The cell of each coefficient, `(size,)`, from 0: `grid` cells along each axis of the mosaic, or all its places.

    Cells that lie in gaps of the mosaic, which padded modes leave, are not counted. In a domain without a mosaic, bands
    are cut into runs of equal length, as many in all as the mosaic would have cells.
    """
    if not has_mosaic(layout):
        return _runs(layout, grid ** len(layout.signal_shape))
    places = mosaic_slices(layout)
    lengths = [max(piece.stop for piece in along) for along in zip(*places.values(), strict=True)]
    indices = []
    for band in layout.bands:
        index = torch.zeros(band.shape, dtype=torch.long, device="cpu")
        for k, (piece, length) in enumerate(zip(places[band], lengths, strict=True)):
            parts = min(grid, length)
            along = torch.arange(piece.start, piece.stop, device="cpu") * parts // length
            index = index * parts + along.reshape(-1, *[1] * (len(lengths) - 1 - k))
        indices.append(index.flatten())
    numbered: Tensor = torch.cat(indices).unique(return_inverse=True)[1]
    return numbered


def _runs(layout: Layout, count: int) -> Tensor:
    """The run of each coefficient, `(size,)`: every band in runs of its own, about `count` in all."""
    runs, first = [], 0
    for band in layout.bands:
        own = max(1, round(min(count / layout.size, 1) * band.size))
        runs.append(first + torch.arange(band.size, device="cpu") * own // band.size)
        first += own
    return torch.cat(runs)
