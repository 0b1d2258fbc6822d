"""Dependence on weights beyond what the signal alone says, and randomization that noise and complexity do not spoil."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wavelens.core import Coefficients
from wavelens.engine.frozen import frozen_model
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Model
from wavelens.masks.ranking import importance
from wavelens.methods.averages import check_effort, check_noise, generator
from wavelens.metrics.correlation import spearman
from wavelens.metrics.perturbation import check_attribution, single
from wavelens.metrics.randomization import cascading, reset_whole
from wavelens.metrics.several import takes_signals
from wavelens.metrics.stability import Explainer, explained, spans
from wavelens.seeds import stream
from wavelens.targets import Target

LEAST_LEFT = 1e-9  # of the variance of ranks beyond the energy order: less is rounding


@takes_signals()
def residual_correlation(
    model: nn.Module,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    samples: int = 1,
    seed: int = 0,
    given: Sequence[Tensor] = (),
) -> Tensor:
    """Spearman's correlation with the map of an untrained network, energy divided out, `(batch,)`; less is better.

    The maps `|γ|` (mean over channels) of a model and of the same model with every layer reset share what both owe to
    the signal: where its coefficients are large, a product with them is too. The partial correlation given the energy
    `|W x|` leaves that out, `(ρ_ab - ρ_ae ρ_be) / √((1 - ρ_ae²)(1 - ρ_be²))`: 0 where the map depends on the weights
    beyond the signal, 1 where it does not. A map that is the energy order itself scores 1: nothing in it comes from the
    weights. NaN for a map of one value. `samples` networks are drawn from `seed`, and correlations averaged;
    `explainer` and resets as in `randomization`.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.DWT("haar", levels=2), method=wl.InputTimesGradient())
    >>> left = wl.metrics.residual_correlation(model, x, 1, explain(model, x, 1), explainer=explain, samples=3)
    >>> left.shape
    torch.Size([1])
    """
    maps = _reset_maps(model, x, target, attribution, explainer, samples, seed, given)
    own = importance(attribution)[:, 0]
    energy = importance(attribution.layout.domain.analysis(x.detach()))[:, 0].to(own)
    with_energy = spearman(own, energy)
    partials = [_partial(spearman(own, other), with_energy, spearman(other, energy)) for other in maps]
    return torch.stack(partials).mean(0).to(own)


@takes_signals()
def complexity_rise(
    model: nn.Module,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    bins: int = 100,
    seed: int = 0,
    given: Sequence[Tensor] = (),
) -> Tensor:
    """How much more complex the map of an untrained network is, `(H' - H) / H`, `(batch,)`; more is better.

    (The efficient model parameter randomisation test, Hedström et al., 2024.) H is the entropy of the histogram of
    `|γ|` (mean over channels) in `bins` equal bins from its least to its largest value. Every layer is reset at once,
    as in `randomization`. NaN for a map of one value.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> wl.metrics.complexity_rise(model, x, 1, explain(model, x, 1), explainer=explain).shape
    torch.Size([1])
    """
    check_effort(bins=bins)
    (other,) = _reset_maps(model, x, target, attribution, explainer, 1, seed, given)
    before, after = (_histogram_entropy(one, bins) for one in (importance(attribution)[:, 0], other))
    return ((after - before) / before.where(before > 0, torch.nan)).to(other)


@takes_signals()
def smooth_cascading(
    model: nn.Module,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    *,
    explainer: Explainer,
    samples: int = 10,
    sigma: float = 0.1,
    order: str = "bottom-up",
    layers: Sequence[str] | None = None,
    seed: int = 0,
    given: Sequence[Tensor] = (),
) -> Tensor:
    """`cascading` for explanations that are averaged over noisy inputs, `(batch,)`; less is better.

    (The smooth model parameter randomisation test, Hedström et al., 2024.) Before and after each reset the explanation
    is the mean of `explainer`'s over `samples` copies of the input with Gaussian noise of `sigma` times the item's
    range `max x - min x`, so that correlations do not fall merely because gradients are noisy. Only the layout of
    `attribution` is used, not its values. One explanation for each layer and sample.

    >>> from functools import partial
    >>> explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    >>> wl.metrics.smooth_cascading(model, x, 1, explain(model, x, 1), explainer=explain, samples=3).shape
    torch.Size([1])
    """
    check_attribution(x, attribution)
    check_effort(samples=samples)
    check_noise(sigma)
    smooth = Smoothed(explainer, attribution, samples, sigma, seed)
    before = smooth(with_given(model, given), x, single(target))
    return cascading(model, x, target, before, explainer=smooth, order=order, layers=layers, seed=seed, given=given)


class Smoothed:
    """An explainer averaged over noisy copies of the input, the same noise for every item and model."""

    def __init__(self, explainer: Explainer, like: Coefficients, samples: int, sigma: float, seed: int) -> None:
        self.explainer, self.like, self.samples, self.sigma = explainer, like, samples, sigma
        self.seed = stream(seed, "smooth_cascading")  # not the noise of a SmoothGrad with this seed

    def __call__(self, model: Model, x: Tensor, target: Target) -> Coefficients:
        scale, total = self.sigma * spans(x, self.like), torch.zeros_like(self.like.data)
        for k in range(self.samples):
            source = generator(self.seed, k, x.device)
            noise = torch.randn(x.shape[1:], generator=source, device=x.device, dtype=torch.float32).to(x.dtype)
            total = total + explained(self.explainer, model, x + noise * scale, target, self.like).data
        return Coefficients(total / self.samples, self.like.layout)


def _reset_maps(
    model: nn.Module,
    x: Tensor,
    target: Target,
    attribution: Coefficients,
    explainer: Explainer,
    samples: int,
    seed: int,
    given: Sequence[Tensor],
) -> list[Tensor]:
    """`|γ|` (mean over channels) of the model with every layer reset, `(batch, size)`, drawn so many times."""
    check_attribution(x, attribution)
    single(target)
    check_effort(samples=samples)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a module whose layers can be reset; got {type(model).__name__}.")
    maps = []
    for k in range(samples):
        with frozen_model(model, x):
            reset_whole(model, stream(seed, str(k)))
            after = explained(explainer, with_given(model, given), x, target, attribution)
        maps.append(importance(after)[:, 0])
    return maps


def _partial(ab: Tensor, ae: Tensor, be: Tensor) -> Tensor:
    """The partial correlation of a and b given e; 1 where a is nothing but e, else 0 where b is."""
    of_a, of_b = 1 - ae**2, 1 - be**2
    both = (ab - ae * be) / (of_a * of_b).clamp_min(LEAST_LEFT**2).sqrt()
    return both.clamp(-1, 1).where(~(of_b <= LEAST_LEFT), 0).where(~(of_a <= LEAST_LEFT), 1)


def _histogram_entropy(values: Tensor, bins: int) -> Tensor:
    """The entropy of each row's histogram in equal bins between its ends, in nats, `(batch,)`."""
    values = values.double()
    low, high = values.aminmax(dim=1, keepdim=True)
    place = ((values - low) / (high - low).where(high > low, 1) * bins).long().clamp_max(bins - 1)
    counts = values.new_zeros(len(values), bins).scatter_add_(1, place, torch.ones_like(values))
    share = counts / counts.sum(1, keepdim=True)
    return -torch.xlogy(share, share).sum(1)
