"""Where curves start: what takes the place of the coefficients that are not inserted yet, or are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.domains.joint import Joint
from wavelens.masks.fills import Blur, Noise, Noisy
from wavelens.methods.averages import check_effort
from wavelens.methods.paths import references, starting_points
from wavelens.methods.shuffles import present, shuffled
from wavelens.metrics.perturbation import Features
from wavelens.whole_numbers import check_seed

FILLS = ("zero", "shuffled", "blur", "noise", "mean")
DRAWN = ("shuffled", "noise")  # another one for each sample
LEAVING_ZEROS = ("zero", "shuffled")  # coefficients that are zero stay zero

CurveFill = str | Tensor | Callable[[Tensor], Tensor]


def check_fill(fill: CurveFill, baseline: Tensor | float, samples: int, seed: int) -> None:
    """`ValueError` for a fill of another name, and for a baseline beside one that has none."""
    check_effort(samples=samples)
    check_seed(seed)
    if fill not in FILLS if isinstance(fill, str) else not (isinstance(fill, Tensor) or callable(fill)):
        raise ValueError(
            f"fill must be one of {', '.join(FILLS)}, a set of signals (number, channel, *axes), or a function that "
            f"makes signals of signals, such as masks.Blur(2.0); got {fill!r}."
        )
    plain = isinstance(fill, str) and fill == "zero"
    if not plain and (isinstance(baseline, Tensor) or baseline != 0):
        got = repr(fill) if isinstance(fill, str) else type(fill).__name__
        raise ValueError(f"a baseline goes with fill='zero'; got one with fill={got}. Leave one of them out.")


def counted(parts: Features, fill: CurveFill) -> Tensor | None:
    """Which coefficients are not zero, `(batch, size)`, where the fill leaves zeros as they are; else None: all are."""
    if not isinstance(fill, str) or fill not in LEAVING_ZEROS:
        return None
    return _by_signal(parts, lambda c: present(c.data)[:, None].to(c.data.real.dtype))[:, 0] > 0


def starts(parts: Features, fill: CurveFill, samples: int, seed: int) -> Iterator[Features]:
    """The features with each start in turn: one, `samples` of them where it is drawn, or one per signal of a set."""
    if isinstance(fill, Tensor):
        for other in references(parts.x, fill):
            yield _from_signal(parts, other)
    elif callable(fill) or fill == "blur":
        yield _from_signal(parts, _made(parts, fill if callable(fill) else Blur()))
    elif fill == "zero":
        yield parts
    elif fill == "mean":
        yield _from_coefficients(parts, _by_signal(parts, _means))
    elif fill == "shuffled":
        for k in range(samples):
            yield _from_coefficients(parts, _by_signal(parts, partial(shuffled, seed=seed, k=k)))
    else:
        domain, items = parts.layout.domain, torch.arange(len(parts.x), device=parts.x.device)
        noisy = Noisy(parts.x, domain, Noise(seed), parts.step.real.dtype)
        for k in range(samples):
            _, step = noisy(items, torch.full_like(items, k))
            yield _from_coefficients(parts, noisy.z - step)


def _from_signal(parts: Features, start: Tensor) -> Features:
    start = starting_points(parts.x, start)
    return replace(parts, start=start, step=parts.layout.domain.analysis(parts.x - start).data)


def _from_coefficients(parts: Features, data: Tensor) -> Features:
    """By linearity: `S(z₀ + m ⊙ (z - z₀)) = S z₀ + S(m ⊙ (z - z₀))`, also where no signal has the coefficients z₀."""
    start = Coefficients(data, parts.layout).synthesis().to(parts.x.dtype)
    return replace(parts, start=start, step=parts.step - data)


def _by_signal(parts: Features, make: Callable[[Coefficients], Tensor]) -> Tensor:
    """`make(coefficients)`, of each of several signals by itself: a band holds places, and channels beside them."""
    c = Coefficients(parts.step, parts.layout)
    if not isinstance(joint := parts.layout.domain, Joint):
        return make(c)
    return joint.joined({name: Coefficients(make(part), part.layout) for name, part in joint.split(c).items()}).data


def _means(c: Coefficients) -> Tensor:
    """The mean of each band and channel in place of its coefficients."""
    pieces = [c.data[..., piece] for piece in c.layout.slices.values()]
    return torch.cat([piece.mean(-1, keepdim=True).expand_as(piece) for piece in pieces], -1)


def _made(parts: Features, make: Callable[[Tensor], Tensor]) -> Tensor:
    """What a function makes of the signals, of each of several by itself."""
    if not isinstance(joint := parts.layout.domain, Joint):
        return make(parts.x)
    return joint.pack({name: make(x) for name, x in joint.unpack(parts.x).items()})
