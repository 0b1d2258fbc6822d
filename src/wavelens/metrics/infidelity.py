"""Infidelity: the error of what an attribution says of a perturbation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, real_product
from wavelens.domains.joint import Joint
from wavelens.engine.given import with_given
from wavelens.engine.gradients import Gradients, Model
from wavelens.methods.averages import check_effort, check_noise, generator, ranges
from wavelens.metrics.perturbation import Features, answers, every_pair, features, single
from wavelens.metrics.removals import removals
from wavelens.metrics.several import takes_signals
from wavelens.seeds import stream
from wavelens.targets import Target


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
        summed, done = removals(model, parts, target, samples, grid, fraction, seed, batch_size)
        predicted = summed(parts.attribution.data)
    else:
        raise ValueError(f"perturb must be 'noise', for gradients, or 'removal', for contributions; got {perturb!r}.")
    if normalize:
        square = predicted.square().sum(1, keepdim=True)
        predicted = predicted * ((predicted * done).sum(1, keepdim=True) / square.where(square > 0, 1))
    return (predicted - done).square().mean(1)


def _disturbances(
    model: Model, parts: Features, target: Target, samples: int, sigma: float, seed: int, batch_size: int | None
) -> tuple[Tensor, Tensor]:
    """`<I, γ>` and `f(x) - f(x - S I)`, `(batch, samples)` each."""
    check_effort(samples=samples)
    check_noise(sigma)
    x, device = parts.x, parts.x.device
    scale = sigma * coefficient_ranges(parts)
    items, number = every_pair(len(x), samples, device)
    predicted = []

    def points(rows: slice) -> Tensor:
        numbers, which = number[rows].unique(return_inverse=True)
        draws = torch.stack([coefficient_noise(parts, seed, k) for k in numbers.tolist()])
        change = draws[which] * scale[items[rows]]
        predicted.append(real_product(change, parts.attribution.data[items[rows]]).sum((1, 2)))
        return x[items[rows]] - Coefficients(change, parts.layout.at(items[rows])).synthesis().to(x.dtype)

    with Gradients(model, x, single(target), batch_size=batch_size) as ask:
        values = answers(ask, items, points).view(-1, samples)
        done = ask.values(x)[0][:, None] - values
    return torch.cat(predicted).view(-1, samples).to(done.dtype), done


def coefficient_ranges(parts: Features) -> Tensor:
    """Each item's range `max x − min x` beside its coefficients, `(batch, 1, 1)`, or that of each signal."""
    x, joint = parts.x, parts.layout.domain
    if not isinstance(joint, Joint):
        return ranges(x).reshape(-1, 1, 1)
    pieces = zip(joint.samples.values(), joint.parts.values(), strict=True)
    spans = [ranges(x[..., own]).expand(-1, 1, part.stop - part.start) for own, part in pieces]
    return torch.cat(spans, -1)


def coefficient_noise(parts: Features, seed: int, k: int) -> Tensor:
    """Standard normal numbers beside the coefficients of any item, `(channel, size)`, of their type."""
    source = generator(stream(seed, "coefficients"), k, parts.x.device)  # not the noise of a SmoothGrad
    dtype = torch.complex64 if parts.step.is_complex() else torch.float32
    draw = torch.randn(parts.step.shape[1:], generator=source, device=parts.x.device, dtype=dtype)
    return draw.to(parts.step.dtype)
