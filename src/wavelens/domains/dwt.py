"""The separable discrete wavelet transform, for any number of axes by one code (Mallat, 1989).

PyWavelets gives the filters; names, modes, orders and sizes are its own, and so are the numbers (tests hold them to
1e-10). Analysis, synthesis and their adjoints are four uses of the two kernels in `filterbank`, and one operator over
them, so derivatives of any order are transforms again and nothing is saved for the backward pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pywt
import torch
from numpy.typing import NDArray
from torch import Tensor

from wavelens.core import Band, Coefficients, Domain, Layout, signal_axes
from wavelens.domains.filterbank import axis, coefficient_length, down, up

WAVELETS = frozenset(pywt.wavelist(kind="discrete"))
MODES = frozenset(pywt.Modes.modes)


@dataclass(frozen=True)
class DWT(Domain):
    """Discrete wavelet transform over every axis of a signal `(batch, channel, *axes)`.

    `wavelet` is any discrete wavelet of PyWavelets, `mode` any of its extension modes. The default,
    periodization, has as many coefficients as samples and is orthonormal for orthogonal wavelets; padded modes have
    more coefficients. `levels=None` takes as many as make sense for the shortest axis: those whose filter still fits
    (`pywt.dwtn_max_level`). Asking for levels that the axes cannot be halved for is a `ValueError`.

    Half-precision signals are transformed in float32 and rounded once, at the end.
    """

    wavelet: str = "haar"
    levels: int | None = None
    mode: str = "periodization"

    def __post_init__(self) -> None:
        if self.wavelet not in WAVELETS:
            raise ValueError(
                f"wavelet is a discrete wavelet of PyWavelets, such as 'haar', 'db4', 'sym8' or 'bior2.4'; got "
                f"{self.wavelet!r}. See pywt.wavelist(kind='discrete')."
            )
        if self.mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(sorted(MODES))}; got {self.mode!r}.")
        if self.levels is not None and (not isinstance(self.levels, int) or self.levels < 0):
            raise ValueError(f"levels is None or an integer from 0; got {self.levels!r}.")

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        return Coefficients(_apply(x, layout, "dec", "down"), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return _apply(c.data, c.layout, "rec", "up")

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(_apply(g, layout, "rec", "down"), layout)

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        """The layout for signals with these axes."""
        return (_make_layout if torch.compiler.is_compiling() else _layout)(self, signal_shape)

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        # One level puts coefficient i at 2 i + d: halfway between its two samples for periodization, and later by
        # the part of the filter that hangs over the signal's start for the padded modes.
        taps = _filter_length(self.wavelet)
        d = 0.5 if self.mode == "periodization" else 1.5 - taps / 2
        step = 2**band.level
        places = [
            (step * torch.arange(m, dtype=torch.float64, device="cpu") + d * (step - 1)).clamp(0, n - 1)
            for n, m in zip(layout.signal_shape, band.shape, strict=True)
        ]
        return tuple(places)


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def _filter_length(wavelet: str) -> int:
    return int(pywt.Wavelet(wavelet).dec_len)


def _make_layout(domain: DWT, signal_shape: tuple[int, ...]) -> Layout:
    """Approximation first, then details from the coarsest level to the finest, keys in alphabetical order."""
    shortest, taps = min(signal_shape), _filter_length(domain.wavelet)
    levels = _sensible_levels(shortest, taps) if domain.levels is None else domain.levels
    if 2**levels > shortest:
        raise ValueError(
            f"levels={levels} needs axes of at least {2**levels} samples; got {signal_shape}. "
            f"Ask for at most {int(math.log2(shortest))} levels, or a larger input."
        )
    shapes = [signal_shape]
    for _ in range(levels):
        shapes.append(tuple(coefficient_length(n, taps, domain.mode) for n in shapes[-1]))
    approximation, *details = ["".join(key) for key in itertools.product("ad", repeat=len(signal_shape))]
    bands = [Band(levels, approximation, shapes[levels])]
    bands += [Band(level, key, shapes[level]) for level in range(levels, 0, -1) for key in details]
    return Layout(domain, signal_shape, tuple(bands))


_layout = lru_cache(maxsize=512)(_make_layout)


def _sensible_levels(n: int, taps: int) -> int:
    """Halvings of `n` samples until the filter no longer fits, as `pywt.dwt_max_level` counts them."""
    return max(0, int(math.log2(n / (taps - 1)))) if n >= taps - 1 else 0


def _apply(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
    """One linear map: an opaque operator for `torch.compile`, an autograd function everywhere else."""
    if not torch.compiler.is_compiling():
        result: Tensor = _Linear.apply(x, layout, side, direction)  # type: ignore[no-untyped-call]
        return result
    domain = layout.domain
    assert isinstance(domain, DWT)
    same = (domain.wavelet, domain.mode, layout.levels, layout.signal_shape, side)
    compiled: Tensor = _transform(x, *same, direction)
    return compiled


class _Linear(torch.autograd.Function):
    """A linear map: its derivative is its own transpose, to any order."""

    @staticmethod
    def forward(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        return _pyramid(x, layout, side, direction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.rest = inputs[1:]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _transposed(_Linear.apply, g, *ctx.rest)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *rest: Any) -> tuple[Tensor, int]:
        return _Linear.apply(x.movedim(in_dims[0], 0), *rest), 0  # type: ignore[no-untyped-call]


@torch.library.custom_op("wavelens::dwt", mutates_args=())
def _transform(
    x: Tensor, wavelet: str, mode: str, levels: int, signal_shape: Sequence[int], side: str, direction: str
) -> Tensor:
    return _pyramid(x, DWT(wavelet, levels, mode).layout(tuple(signal_shape)), side, direction)


@_transform.register_fake
def _(
    x: Tensor, wavelet: str, mode: str, levels: int, signal_shape: Sequence[int], side: str, direction: str
) -> Tensor:
    layout = DWT(wavelet, levels, mode).layout(tuple(signal_shape))
    lead = x.shape[: x.ndim - (len(signal_shape) if direction == "down" else 1)]
    return x.new_empty((*lead, layout.size) if direction == "down" else (*lead, *signal_shape))


_transform.register_autograd(lambda ctx, g: _transposed(_transform, g, *ctx.rest), setup_context=_Linear.setup_context)


def _transposed(apply: Any, g: Tensor, *rest: Any) -> tuple[Tensor | None, ...]:
    *same, direction = rest
    return apply(g, *same, "up" if direction == "down" else "down"), *[None] * len(rest)


def _pyramid(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
    """All levels, whatever the leading dimensions; half precision goes through float32, autocast and tf32 stay out."""
    working = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    with torch.autocast(x.device.type, enabled=False), _FullPrecision():
        y = (_down if direction == "down" else _up)(working, layout, side)
    return y.to(x.dtype)


class _FullPrecision:
    """Float32 products in float32: a caller's tf32 or bf16 setting is for networks, a transform must stay exact."""

    def __enter__(self) -> None:
        self.before = torch.get_float32_matmul_precision()
        if self.before != "highest":
            torch.set_float32_matmul_precision("highest")

    def __exit__(self, *_: object) -> None:
        if self.before != "highest":
            torch.set_float32_matmul_precision(self.before)


def _down(x: Tensor, layout: Layout, side: str) -> Tensor:
    domain, shape = layout.domain, layout.signal_shape
    assert isinstance(domain, DWT)
    lead = x.shape[: x.ndim - len(shape)]
    low = x.reshape(-1, *shape)
    packed = x.new_empty((len(low), layout.size))
    for level in range(1, layout.levels + 1):
        operators = [axis(domain.wavelet, domain.mode, n, side) for n in low.shape[1:]]
        inner = 1
        for k in reversed(range(len(shape))):  # last axis first: the blocks that it leaves are flat for the next one
            outer = len(packed) * math.prod(a.n for a in operators[:k])
            low = down(low.reshape(outer, operators[k].n, inner), operators[k])
            inner *= 2 * operators[k].count * operators[k].block
        blocks = [length for a in operators for length in (a.count, 2, a.block)]
        cube = low.reshape(-1, *blocks)
        for band, piece in layout.slices.items():
            if band.level == level and band.is_detail:
                _put(packed[:, piece], _pick(cube, band.key), operators)
        corner = _pick(cube, "a" * len(shape)).reshape(-1, *(a.count * a.block for a in operators))
        low = corner[(slice(None), *(slice(a.m) for a in operators))]
    packed[:, layout.slices[layout.bands[0]]] = low.reshape(len(low), -1)
    return packed.reshape(*lead, -1)


def _pick(cube: Tensor, key: str) -> Tensor:
    """One band of `(batch, count, 2, block, count, 2, block, …)`: `(batch, count, block, count, block, …)`."""
    for k, letter in enumerate(key):
        cube = cube.select(2 + 2 * k, "ad".index(letter))
    return cube


def _put(target: Tensor, blocks: Tensor, operators: list[Any]) -> None:
    if all(a.count * a.block == a.m for a in operators):
        target.view(blocks.shape).copy_(blocks)
        return
    band = blocks.reshape(len(blocks), *(a.count * a.block for a in operators))
    target.view(-1, *(a.m for a in operators)).copy_(band[(slice(None), *(slice(a.m) for a in operators))])


def _up(data: Tensor, layout: Layout, side: str) -> Tensor:
    domain, shape = layout.domain, layout.signal_shape
    assert isinstance(domain, DWT)
    lead = data.shape[:-1]
    packed = data.reshape(-1, layout.size)
    shapes = [shape]
    for _ in range(layout.levels):
        shapes.append(tuple(axis(domain.wavelet, domain.mode, n, side).m for n in shapes[-1]))
    low = packed[:, layout.slices[layout.bands[0]]].reshape(-1, *shapes[-1])
    for level in range(layout.levels, 0, -1):
        operators = [axis(domain.wavelet, domain.mode, n, side) for n in shapes[level - 1]]
        cube = packed.new_empty((len(packed), *(length for a in operators for length in (2, a.m))))
        _corner(cube, "a" * len(shape)).copy_(low)
        for band, piece in layout.slices.items():
            if band.level == level and band.is_detail:
                _corner(cube, band.key).copy_(packed[:, piece].view(-1, *band.shape))
        outer = len(packed)
        for a in operators:
            cube = up(cube.reshape(outer, 2, a.m, -1), a)
            outer *= a.n
        low = cube.reshape(-1, *shapes[level - 1])
    return low.reshape(*lead, *shape) if layout.levels else data.reshape(*lead, *shape).clone()


def _corner(cube: Tensor, key: str) -> Tensor:
    """One band of `(batch, 2, m, 2, m, …)`: `(batch, m, m, …)`."""
    for k, letter in enumerate(key):
        cube = cube.select(1 + k, "ad".index(letter))
    return cube


def to_pywt(c: Coefficients) -> list[Any]:
    """The coefficients as `pywt.wavedecn` gives them: `[approximation, {key: detail}, …]`, coarsest first.

    Arrays keep the batch in front, so `pywt.waverecn(…, axes=range(-d, 0))` takes them back.
    """
    arrays = {band: part.detach().cpu().numpy() for band, part in c}
    first, *rest = c.layout.bands
    by_level = itertools.groupby(rest, key=lambda band: band.level)
    return [arrays[first], *({band.key: arrays[band] for band in bands} for _, bands in by_level)]


def from_pywt(
    coefficients: Sequence[NDArray[Any] | Mapping[str, NDArray[Any]]], domain: DWT, signal_shape: Sequence[int]
) -> Coefficients:
    """Coefficients from `pywt.wavedecn`'s list, for signals with axes `signal_shape`; the inverse of `to_pywt`."""
    layout = domain.layout(tuple(signal_shape))
    parts: list[NDArray[Any]] = []
    for level in coefficients:
        parts += [level[key] for key in sorted(level)] if isinstance(level, Mapping) else [level]
    if [np.shape(p)[-len(signal_shape) :] for p in parts] != [band.shape for band in layout.bands]:
        raise ValueError(
            f"coefficients of {domain} for axes {tuple(signal_shape)} have {len(layout.bands)} bands shaped "
            f"{[band.shape for band in layout.bands]}; got {[np.shape(p) for p in parts]}. "
            "Give the domain the wavelet, levels and mode that made them."
        )
    packed = [np.reshape(p, (*np.shape(p)[: np.ndim(p) - len(signal_shape)], -1)) for p in parts]
    return Coefficients(torch.from_numpy(np.concatenate(packed, axis=-1)), layout)
