"""One axis of a two-channel filter bank as a matrix: dense for short axes, block-Toeplitz for long ones.

Every map of a separable transform is `T E` or its transpose, axis by axis. `E` extends the signal past its ends (the
mode), `T` filters with stride two: `y[c, i] = sum_t taps[c, t] (E x)[2 i + t]`. The analysis is `T E` with the
decomposition filters; the synthesis is the transpose of `T E` with the reconstruction filters and an extension by
zeros, or around the circle for periodization. So two kernels, `down` (`T E`) and `up` (its transpose), serve the
analysis, the synthesis and both adjoints exactly. The levels of the dual tree have other strides and groups of filters.

`T E` has few entries outside a band. A short axis is one dense product; a middle one goes by blocks of rows, each
times the samples that it touches, which are read in place. `T` of a long axis repeats one small block: windows of the
signal times one matrix. Every BLAS runs such products near its peak; a strided convolution with one channel is far
from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pywt
import torch
from numpy.typing import NDArray
from torch import Tensor

Matrix = NDArray[np.float64]

SHORT_AXIS = 96  # samples; up to here one dense product beats blocks on a CPU (speed/transforms.py --axes)
MIDDLE_AXIS = 1024  # up to here blocks beat windows; on other devices up to here one dense product does
RUN_WINDOWS = 2**13  # copied and multiplied at a time: those of a long sound would be a copy of it, and more

Extension = Callable[[int, int], Matrix]  # the weights of n samples at a place, before 0 or past n - 1 too
Blocks = tuple[tuple[tuple[int, int, Matrix], ...], ...]  # for each block of rows: first and last column, entries


@dataclass(frozen=True, eq=False)
class Axis:
    """`T E` for one axis of `n` samples giving `2 m` coefficients, low-pass and high-pass.

    `down` gives its output in `count` blocks of `block` low-pass, then `block` high-pass coefficients; coefficients
    past `m` in the last block are to be dropped. `pairs` says that each coefficient is a sum or difference of two
    neighbours: Haar on an even length. `kinds` is 1 for an axis that is not split, which has its samples alone.
    """

    n: int
    m: int
    block: int
    count: int
    pairs: bool
    dense: Callable[[], Matrix] | None = None  # makes `T E`, (2, m, n), of a short or middle axis
    window: Matrix | None = None  # (2 block, samples that a block touches), of a long axis
    gather: Matrix | None = None  # (step, 2 span), the transpose of `window` seen from the signal
    edges: Matrix | None = None  # (left + right, ends): the extension, from the first and last samples
    left: int = 0
    step: int = 0  # samples from one block of a long axis to the next
    kinds: int = 2

    @cached_property
    def rows(self) -> Blocks:
        """`T E` by blocks, of a short or middle axis; made where it is used, which for pairs it mostly is not."""
        assert self.dense is not None
        padded = np.pad(self.dense(), ((0, 0), (0, self.count * self.block - self.m), (0, 0)))
        ordered = padded.reshape(2, self.count, self.block, self.n).swapaxes(0, 1).reshape(-1, self.n)
        return _band(ordered, 2 * self.block)

    @cached_property
    def columns(self) -> Blocks:
        """Its transpose by blocks."""
        assert self.dense is not None
        turned = self.dense().reshape(2 * self.m, self.n).T
        return _band(turned, self.n if self.count == 1 else 2 * self.block)


def coefficient_length(n: int, taps: int, mode: str) -> int:
    """How many coefficients of each kind an axis of `n` samples has."""
    return -(-n // 2) if mode == "periodization" else (n + taps - 1) // 2


@lru_cache(maxsize=1024)
def whole(n: int) -> Axis:
    """An axis of `n` samples that is left as it is."""
    return Axis(n, n, n, 1, pairs=False, kinds=1)


@lru_cache(maxsize=256)
def axis(wavelet: str, mode: str, n: int, side: str, device: str) -> Axis:
    """The axis operator with the decomposition (`side="dec"`) or reconstruction (`"rec"`) filters of `wavelet`."""
    bank = pywt.Wavelet(wavelet)
    taps = np.array([bank.dec_lo[::-1], bank.dec_hi[::-1]] if side == "dec" else [bank.rec_lo, bank.rec_hi])
    width = taps.shape[1]
    m = coefficient_length(n, width, mode)
    if mode == "periodization":
        extension = "circle" if side == "dec" else "circle, gap zero"
    else:
        extension = mode if side == "dec" else "zero"
    left = width // 2 - 1 if mode == "periodization" else width - 2
    return operator(taps[:, None], 2, n, m, left, lambda n, t: _extend(n, t, extension), device, period=2)


def operator(taps: Matrix, stride: int, n: int, m: int, left: int, extend: Extension, device: str, period: int) -> Axis:
    """The axis operator of filters `taps`, `(2, phases, width)`, for `n` samples, or its products of blocks.

    Coefficients come in groups, one for each phase: `y[c, phases i + p] = sum_t taps[c, p, t] x[stride i + t - left]`,
    where `extend(n, t)` are the weights of the sample at place `t`. They are the same for signals whose lengths differ
    by a multiple of `period`, but for those in between.
    """
    _, phases, width = taps.shape
    right = stride * (m // phases - 1) + width - left - n
    reach = max(left, right) + 2
    pairs = width == 2 and n % 2 == 0
    if n <= max(MIDDLE_AXIS, 2 * reach + 1):

        def dense() -> Matrix:
            extended = np.stack([extend(n, t) for t in range(-left, n + right)])
            return np.stack([_toeplitz(rows, m, stride) @ extended for rows in taps])

        block = m if n <= SHORT_AXIS or device != "cpu" else _block(m, width, phases)
        return Axis(n, m, block, -(-m // block), pairs, dense)

    block = _block(m, width, phases)
    step, before = block // phases * stride, (width - 1) // stride
    window = np.concatenate([_toeplitz(rows, block, stride) for rows in taps])
    groups = np.arange(block // phases + before) - before
    gather = np.zeros((step, 2, len(groups), phases))
    for k, group in enumerate(groups):
        inside = [(s, s - stride * group) for s in range(step) if 0 <= s - stride * group < width]
        for s, t in inside:
            gather[s, :, k] = taps[:, :, t]
    ends = 2 * reach + (n - 2 * reach) % period
    pads = [extend(ends, t) for t in (*range(-left, 0), *range(ends, ends + right))]
    edges = np.stack(pads) if pads else np.zeros((0, ends))
    long = {"window": window, "gather": gather.reshape(step, -1), "edges": edges, "left": left, "step": step}
    return Axis(n, m, block, -(-m // block), pairs, **long)


def _band(matrix: Matrix, height: int) -> Blocks:
    """The matrix in blocks of `height` rows, each with the runs of columns that it touches."""
    blocks = []
    for start in range(0, len(matrix), height):
        part = matrix[start : start + height]
        touched = np.flatnonzero(part.any(0)) if height < len(matrix) else np.arange(matrix.shape[1])
        runs = np.split(touched, np.flatnonzero(np.diff(touched) > height) + 1)
        spans = [(int(run[0]), int(run[-1]) + 1) for run in runs if len(run)] or [(0, 1)]
        blocks.append(tuple((a, b, np.ascontiguousarray(part[:, a:b])) for a, b in spans))
    return tuple(blocks)


def _toeplitz(rows: Matrix, m: int, stride: int) -> Matrix:
    """`(m, stride (m / phases - 1) + width)`: the filters `rows`, shifted by the stride from one group to the next."""
    phases, width = rows.shape
    groups = m // phases
    matrix = np.zeros((groups, phases, stride * (groups - 1) + width))
    for i in range(groups):
        matrix[i, :, stride * i : stride * i + width] = rows
    return matrix.reshape(m, -1)


def _block(m: int, width: int, phases: int) -> int:
    """Coefficients a block: near 16 (32 for long filters), a divisor of `m` if there is one, so that nothing is cut."""
    aim = 16 if width <= 24 else 32
    divisors = [b for b in range(aim * 3 // 4, aim * 3 // 2 + 1) if m % b == 0 and b % phases == 0]
    return min(divisors, key=lambda b: abs(b - aim), default=aim)


def _extend(n: int, t: int, mode: str) -> Matrix:
    """The sample at place `t`, before 0 or past `n - 1` too, as weights of the `n` samples that there are."""
    row = np.zeros(n)
    if mode.startswith("circle"):  # periodization: an odd signal gets one more sample, its last again (its adjoint: 0)
        place = t % (n + n % 2)
        if place < n:
            row[place] = 1
        elif mode == "circle":
            row[n - 1] = 1
    elif 0 <= t < n:
        row[t] = 1
    elif mode == "constant":
        row[0 if t < 0 else n - 1] = 1
    elif mode == "periodic":
        row[t % n] = 1
    elif mode in ("symmetric", "antisymmetric"):
        turns, place = divmod(t, n)
        row[place if turns % 2 == 0 else n - 1 - place] = -1 if mode[0] == "a" and turns % 2 else 1
    elif mode == "reflect":
        place = t % max(2 * n - 2, 1)
        row[min(place, 2 * n - 2 - place)] = 1
    elif mode in ("antireflect", "smooth"):
        end, inner, mirror = (0, 1, -t) if t < 0 else (n - 1, n - 2, 2 * n - 2 - t)
        if mode == "smooth":  # the straight line through the last two samples
            row[end], row[inner] = 1 + abs(t - end), -abs(t - end)
        else:  # a half turn about the last sample
            row = -_extend(n, mirror, mode)
            row[end] += 2
    elif mode != "zero":
        raise ValueError(f"mode must be one of {', '.join(pywt.Modes.modes)}; got {mode!r}.")
    return row


def down(x: Tensor, a: Axis) -> Tensor:
    """`T E` along the middle of `(outer, n, inner)`: blocks `(outer, count, 2, block, inner)`, flat after the first."""
    outer, _, inner = x.shape
    if a.dense:
        return _by_blocks(_blocks(a, "rows", x.dtype, x.device), x).reshape(outer, -1)
    assert a.edges is not None
    assert a.window is not None
    parts, fill = [x], (a.count * a.block - a.m) * a.step // a.block
    if len(a.edges):
        ends = a.edges.shape[1]
        w = ends // 2
        pads = _times(_constant(a, "edges", x.dtype, x.device), torch.cat([x[:, :w], x[:, w - ends :]], 1))
        parts = [pads[:, : a.left], x, pads[:, a.left :]]
    if fill:
        parts.append(x.new_zeros(outer, fill, inner))
    padded = torch.cat(parts, 1) if len(parts) > 1 else x
    windows = padded.unfold(1, a.window.shape[1], a.step).movedim(3, 2)  # (outer, count, window, inner)
    return _by_windows(_constant(a, "window", x.dtype, x.device), windows).reshape(outer, -1)


def up(c: Tensor, a: Axis) -> Tensor:
    """The transpose of `T E`: `(outer, 2, m, inner)` to `(outer, n, inner)`."""
    outer, _, _, inner = c.shape
    if a.dense:
        return _by_blocks(_blocks(a, "columns", c.dtype, c.device), c.reshape(outer, 2 * a.m, inner))
    assert a.edges is not None
    assert a.gather is not None
    length = a.n + len(a.edges)
    count, span = -(-length // a.step), a.gather.shape[1] // 2
    before = span - a.block
    padded = torch.nn.functional.pad(c, (0, 0, before, count * a.block - a.m))
    windows = padded.unfold(2, span, a.block).permute(0, 2, 1, 4, 3)  # (outer, count, 2, span, inner)
    extended = _by_windows(_constant(a, "gather", c.dtype, c.device), windows).reshape(outer, -1, inner)
    x = extended[:, a.left : a.left + a.n]
    if a.edges.any():
        pads = torch.cat([extended[:, : a.left], extended[:, a.left + a.n : length]], 1)
        ends = a.edges.shape[1]
        folded = _times(_constant(a, "edges", c.dtype, c.device).T, pads)
        x[:, : ends // 2] += folded[:, : ends // 2]
        x[:, ends // 2 - ends :] += folded[:, ends // 2 :]
    return x


def _by_windows(matrix: Tensor, windows: Tensor) -> Tensor:
    """A matrix on windows `(outer, count, …, inner)`, which may overlap in memory: `(outer, count, rows, inner)`."""
    outer, count, inner = windows.shape[0], windows.shape[1], windows.shape[-1]
    if count <= RUN_WINDOWS:
        return _times(matrix, windows.reshape(outer * count, -1, inner)).reshape(outer, count, -1, inner)
    y = windows.new_empty((outer, count, len(matrix), inner))
    for part, target in zip(windows.split(RUN_WINDOWS, 1), y.split(RUN_WINDOWS, 1), strict=True):
        target.copy_(_times(matrix, part.reshape(outer * part.shape[1], -1, inner)).view_as(target))
    return y


def _by_blocks(blocks: tuple[tuple[tuple[int, int, Tensor], ...], ...], x: Tensor) -> Tensor:
    """A matrix in blocks of rows on the middle of `(outer, n, inner)`."""
    if len(blocks) == 1:
        return _times(blocks[0][0][2], x)
    y = x.new_empty((len(x), sum(len(pieces[0][2]) for pieces in blocks), x.shape[2]))
    start = 0
    for pieces in blocks:
        target = y[:, start : start + len(pieces[0][2])]
        for k, (first, last, matrix) in enumerate(pieces):
            _times(matrix, x[:, first:last], target, k > 0)
        start += target.shape[1]
    return y


def _times(matrix: Tensor, x: Tensor, out: Tensor | None = None, add: bool = False) -> Tensor:
    """`matrix` on the middle of `(outer, n, inner)`, written or added to `out` if there is one."""
    if type(matrix) is not Tensor:  # made by a tracer from tensors of its own, which must not outlive the trace
        _constant.cache_clear()
        _blocks.cache_clear()
    flat = x.shape[2] == 1
    a, b = (x[..., 0], matrix.T) if flat else (matrix.expand(len(x), -1, -1), x)
    result = out[..., 0] if out is not None and flat else out
    if add:
        assert result is not None
        (torch.addmm if flat else torch.baddbmm)(result, a, b, out=result)
    else:
        result = torch.matmul(a, b, out=result)
    return result[..., None] if flat else result


@lru_cache(maxsize=512)
def _constant(a: Axis, name: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    return _tensor(getattr(a, name), dtype, device)


@lru_cache(maxsize=256)
def _blocks(
    a: Axis, name: str, dtype: torch.dtype, device: torch.device
) -> tuple[tuple[tuple[int, int, Tensor], ...], ...]:
    blocks: Blocks = getattr(a, name)
    return tuple(tuple((i, j, _tensor(part, dtype, device)) for i, j, part in pieces) for pieces in blocks)


def _tensor(matrix: Matrix, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # a first use in inference mode must not spoil later ones
        return torch.tensor(matrix, dtype=dtype, device=device)
