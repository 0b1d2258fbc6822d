"""A mask for listening: shrinkage level by level, slow in time, so that no coefficient is switched on or off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from wavelens.core import Coefficients
from wavelens.masks.mask import Mask
from wavelens.masks.ranking import importance, signed

LEAST = 0.01  # of the evidence that passes in all bands: one with less is not heard
NORMAL = 0.6744897501960817  # the median of |t| for t normal with variance 1


def evidence(attribution: Coefficients, x: Tensor) -> Coefficients:
    """`γ ⊙ W x`: what a gradient says of the score, to first order; for `Saliency` and `SmoothGrad` before `soft`.

    The sign of a gradient alone follows the phase of the signal. Attributions that add up to the score
    (`IntegratedGradients`, `InputTimesGradient`) already are of this kind.
    """
    z = attribution.layout.domain.analysis(x).data
    return Coefficients(attribution.data * z.to(attribution.data), attribution.layout)


def soft(attribution: Coefficients, width: float | Sequence[float], *, strength: float = 1.0) -> Mask:
    """A mask `(batch, 1, size)` that follows the evidence for the target slowly, level by level.

    `width` is how slowly, in samples of the signal, along every axis or one for each: 0.2 × rate for a sound. For each
    item and each band of `n` coefficients, with signed attributions `γ` (their mean over channels):

    1. local evidence `u`, the average of `γ` under a Hann window `h` of `width`, with sum 1 where it lies (at the ends
       it is cut). What speaks against the target cancels what speaks for it;
    2. spread `σ = median |γ| / 0.6745` over the band's non-zero coefficients;
    3. threshold `τ = strength · σ · ‖h‖ · √(2 ln n)`: averages of independent normal `γ` of spread σ stay below it
       with a probability that goes to 1 with n (the universal threshold of Donoho and Johnstone, 1994, with a spread
       for each level as Johnstone and Silverman, 1997, for averages over neighbours);
    4. gain `1 - τ / u` where `u > τ`, else 0: that of soft thresholding `u`;
    5. the gain is 0 in a whole band that says next to nothing: where what passed, the sum of `u - τ` where `u > τ`, is
       less than a hundredth of that of all bands. Little but steady evidence passes its band's own threshold;
    6. the mask is the average of the gain under `h` once more. From one coefficient to the next along an axis it moves
       by at most the largest weight of that axis' window, about `2 / taps` (at the ends twice that), so no click arises
       where a part of the signal begins or ends.

    A band whose coefficients are further apart than `width` is not averaged: its coefficients are longer than that.
    Scaling the attribution does not change the mask. A larger `strength` keeps less.
    """
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(f"strength, a multiple of the universal threshold, is at least 0; got {strength}.")
    widths = _widths(width, attribution.layout.signal_shape)
    spoken = Coefficients(importance(attribution, signed).double(), attribution.layout)
    mask, heard = torch.empty_like(spoken.data), []
    for band, gamma in spoken:
        steps = [n / m for n, m in zip(attribution.layout.signal_shape, band.shape, strict=True)]
        windows = [_window(w / step, gamma) for w, step in zip(widths, steps, strict=True)]
        local = _average(gamma, windows)
        passed = (local - strength * _threshold(gamma, windows)).clamp_min(0)
        heard.append((attribution.layout.slices[band], windows, passed, local))
    says = torch.stack([passed.flatten(-len(widths)).sum(-1) for _, _, passed, _ in heard])
    for (piece, windows, passed, local), enough in zip(heard, says >= LEAST * says.sum(0), strict=True):
        gain = enough.reshape(*enough.shape, *[1] * len(windows)) * passed / local.where(passed > 0, 1)
        mask[..., piece] = _average(gain, windows).flatten(-len(windows))
    return Mask(mask.clamp(0, 1).to(attribution.data.dtype), attribution.layout)


def _threshold(gamma: Tensor, windows: list[Tensor]) -> Tensor:
    """Steps 2 and 3 for one band at strength 1, `(…, *axes)`."""
    size = gamma.abs().flatten(-len(windows))
    spread = size.where(size > 0, torch.nan).nanmedian(-1).values.nan_to_num(0.0) / NORMAL
    tau = spread.reshape(*spread.shape, *[1] * len(windows)) * math.sqrt(2 * math.log(size.shape[-1]))
    for k, h in enumerate(windows):
        ones = gamma.new_ones(gamma.shape[k - len(windows)])
        norm = _convolved(ones, h**2).sqrt() / _convolved(ones, h)
        tau = tau * norm.reshape(-1, *[1] * (len(windows) - 1 - k))
    return tau


def _average(values: Tensor, windows: list[Tensor]) -> Tensor:
    """Averages along the last axes under a window each, of what lies within the axis."""
    for k, h in enumerate(windows):
        if len(h) > 1:
            along = values.movedim(k - len(windows), -1)
            average = _convolved(along, h) / _convolved(along.new_ones(along.shape[-1]), h)
            values = average.movedim(-1, k - len(windows))
    return values


def _convolved(values: Tensor, h: Tensor) -> Tensor:
    """Along the last axis, by a product of Fourier transforms: windows may be thousands of taps long."""
    half, n = len(h) // 2, values.shape[-1]
    length = n + 2 * half
    whole: Tensor = torch.fft.irfft(torch.fft.rfft(values, length) * torch.fft.rfft(h, length), length)
    return whole[..., half : half + n]


def _window(taps: float, like: Tensor) -> Tensor:
    """A Hann window with sum 1 and an odd number of taps, none of them 0; one tap where `taps` is below 3."""
    odd = max(1, 2 * math.floor((taps - 1) / 2) + 1)
    places = torch.arange(1, odd + 1, dtype=torch.float64, device=like.device)
    h = torch.sin(math.pi * places / (odd + 1)) ** 2
    return h / h.sum()


def _widths(width: float | Sequence[float], axes: Sequence[int]) -> list[float]:
    widths = list(width) if isinstance(width, Sequence) else [width] * len(axes)
    if len(widths) != len(axes) or not all(0 < w <= n for w, n in zip(widths, axes, strict=False)):
        raise ValueError(
            f"width is a number of samples above 0 and within the axes {tuple(axes)}, or one for each axis; got "
            f"{width}. For a sound give seconds × rate."
        )
    return widths
