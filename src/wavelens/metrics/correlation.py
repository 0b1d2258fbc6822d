"""Correlations of rows of numbers, and how sure a mean of few of them is."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation along the last dimension; NaN where one of the two does not vary beyond rounding.

    >>> wl.metrics.pearson(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 6.0])).round(decimals=6).item()
    1.0
    """
    a, b = _centred(_real(a)), _centred(_real(b))
    return (a * b).sum(-1).clamp(-1, 1)


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation along the last dimension; NaN where one of the two does not vary.

    Equal values share their mean rank. So do values that differ by rounding alone: a redundant layout has coefficients
    that are equal, or zero, but for rounding, and their ranks would be noise.

    >>> wl.metrics.spearman(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([9.0, 4.0, 1.0])).round(decimals=6).item()
    -1.0
    """
    return pearson(_mean_ranks(rounded(_real(a))), _mean_ranks(rounded(_real(b))))


def _real(a: Tensor) -> Tensor:
    """Real numbers in floating point; `ValueError` for complex ones, which have no order."""
    if a.is_complex():
        raise ValueError("correlations must be of real numbers; got complex ones. Give their magnitudes, a.abs().")
    return a if a.is_floating_point() else a.double()


def _centred(a: Tensor) -> Tensor:
    """Rows of mean 0 and length 1, in float64; NaN where they are constant."""
    rounding = torch.finfo(a.dtype).eps
    a = a.double()
    centred = a - a.mean(-1, keepdim=True)
    length = centred.norm(dim=-1, keepdim=True)
    unit: Tensor = centred / length.where(length > 4 * rounding * a.norm(dim=-1, keepdim=True), torch.nan)
    return unit


def rounded(a: Tensor) -> Tensor:
    """Six bits less of each value; zero for what is below that of the row's largest."""
    step = 64 * torch.finfo(a.dtype).eps
    significand, exponent = torch.frexp(a)
    rounded = torch.ldexp((significand / step).round() * step, exponent)
    return rounded.where(a.abs() > step * a.abs().amax(-1, keepdim=True), 0)


def _mean_ranks(a: Tensor) -> Tensor:
    """Ranks along the last dimension, from 0; equal values share the mean of theirs."""
    a = a.contiguous()
    ordered = a.sort(-1).values
    below = torch.searchsorted(ordered, a)
    return (below + torch.searchsorted(ordered, a, right=True) - 1).double() / 2


def student(level: float, degrees: Tensor) -> Tensor:
    """How many standard errors Student's t allows a mean, two-sided; NaN below five degrees of freedom.

    Uses the series of Cornish and Fisher: at a level of 95 % it is off by a thousandth for five degrees of freedom, and
    by less for more.

    >>> from wavelens.metrics.correlation import student
    >>> student(0.95, torch.tensor([19.0, 4.0])).round(decimals=3).tolist()
    [2.093, nan]
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    series = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    known = torch.where(degrees >= 5, degrees, torch.nan)
    return z + torch.stack([part / known**power for power, part in enumerate(series, 1)]).sum(0)
