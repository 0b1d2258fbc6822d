"""The core classes of the library: a domain, its bands, their layout, and coefficients.

A domain is a linear map with a left inverse. Everything else (methods, metrics, maps, plots) uses domains only through
the classes of this file, so read this file first.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

Direction = tuple[float, ...]


@dataclass(frozen=True)
class Band:
    """Coefficients that share a scale and an orientation.

    `level` counts scales from the finest, 1. `key` has one letter per axis as in PyWavelets: 'a' for the
    approximation (low-pass), 'd' for the detail (high-pass); bands that are no such product have the empty key.
    `shape` is the shape of the band, without the batch: its last lengths are places along the signal's axes, those
    before them count what shares a place, such as frequencies. `part` is free text that tells apart bands of equal
    level and key: 're', '+15°', 'tree b'.
    """

    level: int
    key: str
    shape: tuple[int, ...]
    part: str = ""

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def is_detail(self) -> bool:
        return "d" in self.key

    def __str__(self) -> str:
        return f"{self.key or 'x'}{self.level or ''}{self.part and f' {self.part}'}"


class Extent(NamedTuple):
    """What a scale spans along one axis: frequencies in cycles per sample, or lengths in the geometry's own unit.

    Either end may be open: `low` is 0 or `high` infinite.
    """

    low: float
    high: float
    measure: Literal["frequency", "length"] = "frequency"


@dataclass(frozen=True)
class Scale:
    """A group of bands that a domain names and orders: what maps, profiles and reports call a scale.

    `rank` counts from the coarsest, 0. `extent` has one entry per axis of the signal and is empty where the domain
    does not know it. `is_detail` is false for an approximation and for the signal's own samples.

    A scale is the sequence of its bands: `for band in scale`, `len(scale)`, `scale[0]`.
    """

    name: str
    bands: tuple[Band, ...]
    rank: int
    extent: tuple[Extent, ...] = ()
    is_detail: bool = True

    def __iter__(self) -> Iterator[Band]:
        return iter(self.bands)

    def __len__(self) -> int:
        return len(self.bands)

    def __getitem__(self, index: int) -> Band:
        return self.bands[index]


@dataclass(frozen=True)
class Layout:
    """Which slice of a packed tensor is which band; made by a domain for one shape of signal.

    `is_complex` says that the coefficients are complex numbers. `ValueError` for two equal bands: a slice could not be
    found by its band.
    """

    domain: Domain
    signal_shape: tuple[int, ...]
    bands: tuple[Band, ...]
    is_complex: bool = False

    def __post_init__(self) -> None:
        if len(set(self.bands)) < len(self.bands):
            twice = next(band for k, band in enumerate(self.bands) if band in self.bands[:k])
            raise ValueError(
                f"the bands of a layout differ; {self.domain} has two of level {twice.level}, key {twice.key!r}, shape "
                f"{twice.shape} and part {twice.part!r}. Give each its own `part`."
            )

    def at(self, items: Tensor | slice) -> Layout:
        """The layout for these items of the batch, `(rows,)` indices or a slice: itself unless it is bound to items."""
        domain = self.domain.at(items)
        return self if domain is self.domain else replace(self, domain=domain)

    @cached_property
    def slices(self) -> dict[Band, slice]:
        slices, start = {}, 0
        for band in self.bands:
            slices[band] = slice(start, start + band.size)
            start += band.size
        return slices

    @property
    def size(self) -> int:
        return sum(band.size for band in self.bands)

    @property
    def levels(self) -> int:
        return self.bands[0].level  # coarsest first

    def orientations(self) -> dict[Band, tuple[float, ...]]:
        """For a signal of two axes, the angles of each band's lines: degrees counterclockwise from horizontal.

        They lie above −90 and up to 90. A band has none where its domain does not know it, and several where it cannot
        tell them apart, as the diagonal details of the DWT: 45 and −45. Signals of other axes have no such angles.

        >>> from wavelens import DWT
        >>> [(str(band), angles) for band, angles in DWT("haar", levels=1).layout((8, 8)).orientations().items()]
        [('aa1', ()), ('ad1', (90.0,)), ('da1', (0.0,)), ('dd1', (45.0, -45.0))]
        """
        flat = len(self.signal_shape) == 2
        directions = {band: self.domain.directions(band, self) if flat else () for band in self.bands}
        return {band: tuple(line_angle(*one) for one in several) for band, several in directions.items()}

    def scales(self) -> dict[str, Scale]:
        """The domain's scales by name, coarsest first: for the DWT the approximation 'a3', then 'd3', 'd2', 'd1'."""
        return dict(self._scales)

    @cached_property
    def _scales(self) -> dict[str, Scale]:
        scales = {scale.name: scale for scale in self.domain.scales(self)}
        if [band for scale in scales.values() for band in scale] != list(self.bands):
            raise ValueError(
                f"the scales of a layout have distinct names and all its bands, in their order; {self.domain} gives "
                f"{', '.join(f'{scale.name}: {len(scale)}' for scale in scales.values())} of {len(self.bands)} bands."
            )
        return scales


@dataclass(frozen=True, eq=False, repr=False)
class Coefficients:
    """Coefficients, an attribution or a mask: one packed tensor and the layout that says what is what.

    `data` has shape `(*batch, size)`; for a signal `(batch, channel, *axes)` that is `(batch, channel, size)`.
    `c[band]` is a view of shape `(*batch, *band.shape)`. Coefficients of a complex domain are complex, as its gradients
    are; its attributions that add up to a score, and masks, have one real number per coefficient.

    >>> c = wl.DWT("haar", levels=2).analysis(x)
    >>> [(band.level, band.key) for band in c.layout.bands]
    [(2, 'aa'), (2, 'ad'), (2, 'da'), (2, 'dd'), (1, 'ad'), (1, 'da'), (1, 'dd')]
    >>> c[c.layout.bands[0]].shape
    torch.Size([1, 1, 2, 2])
    """

    data: Tensor
    layout: Layout

    def __post_init__(self) -> None:
        if self.data.shape[-1] != self.layout.size:
            raise ValueError(
                f"data of shape (*batch, {self.layout.size}) must fit this layout; got {tuple(self.data.shape)}. "
                "Take the layout from the same domain and signal shape as the data."
            )

    def __repr__(self) -> str:
        extras = ", ".join(f"{name}={text}" for name in ("method", "target") if (text := getattr(self, name, "")))
        place = f"{tuple(self.data.shape)}, signal {self.layout.signal_shape} in {self.layout.domain}"
        return f"<{type(self).__name__} {place}{extras and f'; {extras}'}>"

    def __getitem__(self, band: Band) -> Tensor:
        return self.data[..., self.layout.slices[band]].view(*self.data.shape[:-1], *band.shape)

    def __iter__(self) -> Iterator[tuple[Band, Tensor]]:
        return ((band, self[band]) for band in self.layout.bands)

    def map(self, function: Callable[[Tensor], Tensor]) -> Coefficients:
        """The same layout with `function(data)`; the function must keep the last dimension."""
        return Coefficients(function(self.data), self.layout)

    def only(self, *bands: Band) -> Coefficients:
        """A copy that is zero outside `bands`."""
        kept = torch.zeros_like(self.data)
        for band in bands:
            piece = self.layout.slices[band]
            kept[..., piece] = self.data[..., piece]
        return Coefficients(kept, self.layout)

    def synthesis(self) -> Tensor:
        """The signal with these coefficients, `(*batch, *axes)`."""
        lifted = self.layout.is_complex and not self.data.is_complex()
        data = self.data.to(self.data.dtype.to_complex()) if lifted else self.data
        return self.layout.domain.synthesis(Coefficients(data, self.layout))


@dataclass(frozen=True)
class Domain(ABC):
    """A linear map to coefficients with a left inverse: `synthesis(analysis(x)) == x`.

    Subclasses are frozen dataclasses of literals, without device, shape or state. Two methods make a domain; the
    adjoint has a default through autograd, a closed form is faster. `scales` says what the bands mean.

    `differs_by_item` is true where a domain depends on the item, as the tree of a point cloud does; see
    `wavelens.bound`. `pyramid` is false where bands with letters along the axes do not shrink from scale to scale, so
    that there is no mosaic. `circular` is true where the coefficients at one end of an axis wrap around to the other.
    """

    differs_by_item: ClassVar[bool] = False
    pyramid: ClassVar[bool] = True
    circular: ClassVar[bool] = False

    @abstractmethod
    def analysis(self, x: Tensor) -> Coefficients:
        """Coefficients of a signal `(batch, channel, *axes)`; any number of axes."""

    @abstractmethod
    def synthesis(self, c: Coefficients) -> Tensor:
        """The signal `(batch, channel, *axes)` with coefficients `c`; `c.layout` gives the shape."""

    def bind(self, x: Tensor) -> Domain:
        """The domain for the items of `x`, `(batch, channel, *axes)`: itself, unless it depends on them."""
        return self

    def at(self, items: Tensor | slice) -> Domain:
        """The domain for some of the items that it is bound to: itself where it is bound to none."""
        return self

    def bound_tensors(self) -> dict[str, Tensor]:
        """What the coordinates of the items rest on, `(items, …)` by name, for a file."""
        return {}

    def rebound(self, tensors: dict[str, Tensor]) -> Domain:
        """The domain with `bound_tensors` from a file."""
        return self

    def of_text(self, begins: Sequence[int]) -> Domain:
        """The domain for a text, given what begins at each token (`Worded.begins`): itself, unless it knows words."""
        return self

    @property
    def takes_mesh(self) -> bool:
        """Whether its coordinates are those of a mesh, which `of_mesh` gives it."""
        return False

    def of_mesh(self, x: Tensor, faces: Tensor) -> Domain:
        """The domain for meshes of these vertices, `(batch, channel, vertices)`, and triangles, `(faces, 3)`."""
        return self

    def with_wavelet(self, wavelet: str) -> Domain | None:
        """The same domain with another wavelet of PyWavelets; None where it is made of none."""
        return None

    def with_levels(self, levels: tuple[int, ...]) -> Domain:
        """The same domain with so many levels along each axis, or the least of them: itself where it has none."""
        return self

    def within(self, signal_shape: tuple[int, ...]) -> Domain:
        """The domain with no more levels than signals with these axes have: itself, unless it has more."""
        return self

    def period(self, layout: Layout) -> int:
        """By how many samples along every axis a signal may move so that its coefficients just move too, ends aside.

        1 also where the domain does not know.
        """
        return 1

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        """The layout for signals with these axes; by the analysis of zeros, unless a domain knows it."""
        return self.analysis(torch.zeros(1, 1, *signal_shape, device="cpu")).layout

    def least_size(self, signal_shape: tuple[int, ...]) -> int:
        """A lower bound on the number of coefficients for signals with these axes, known before anything is computed.

        It is used to check the header of a file against its data. Complex coefficients are half as many as samples.
        """
        return -(-math.prod(signal_shape) // 2)

    def scales(self, layout: Layout) -> Iterable[Scale]:
        """The scales of a layout, coarsest first, together all its bands in their order.

        Unless a domain says more, neighbouring bands of one level are a scale of unknown extent, approximation and
        details apart.
        """
        return level_scales(layout, lambda bands: ())

    def scales_along(self, layout: Layout, axis: int) -> Iterable[Scale]:
        """The bands by what they hold along one axis alone, coarsest first, each with its extent along that axis.

        With one axis these are its scales. With more, unless a domain says more, nothing is told apart.
        """
        one = len(layout.signal_shape) == 1
        return layout.scales().values() if one else (Scale("a", layout.bands, 0, is_detail=False),)

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        """The adjoint of the synthesis at `g`, a tensor shaped like the signal: the pullback of a gradient.

        In the real inner product, Re Σ conj(a) b, so a complex domain's is complex.
        """
        lead = g.shape[: g.ndim - len(layout.signal_shape)]
        dtype = g.dtype.to_complex() if layout.is_complex else g.dtype
        zero = g.new_zeros((*lead, layout.size), dtype=dtype).requires_grad_()
        with torch.enable_grad():
            signal = self.synthesis(Coefficients(zero, layout))
            (pulled,) = torch.autograd.grad(signal, zero, g, create_graph=g.requires_grad)
        return Coefficients(pulled, layout)

    def spread(self, values: Tensor, band: Band, layout: Layout) -> Tensor | None:
        """Values `(…, batch, channel, *places)` of a band spread over the signal, each with total weight 1.

        None where they are to be interpolated between `centres`, as in every domain with places on a grid.
        """
        return None

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        """Unit vectors along which the waves of a band run, one component per axis, each up to its sign.

        Several where the band mixes them; none for an approximation, and where the domain does not know.
        """
        return ()

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        """For a signal of one axis, the frequencies of what shares a place in a band, one extent for each.

        None where a domain tells nothing apart within a band: it spans the extent of its scale.
        """
        return ()

    def centres(self, band: Band, layout: Layout) -> tuple[Tensor, ...]:
        """Where the coefficients of a band lie, in samples, axis by axis: evenly spread, unless a domain knows."""
        pairs = zip(layout.signal_shape, band.shape[-len(layout.signal_shape) :], strict=True)
        return tuple((torch.arange(m, dtype=torch.float64, device="cpu") + 0.5) * (n / m) - 0.5 for n, m in pairs)


def level_scales(layout: Layout, extent: Callable[[tuple[Band, ...]], tuple[Extent, ...]]) -> tuple[Scale, ...]:
    """Scales by level, 'a3', 'd3', 'd2', 'd1', each with the `extent` of its bands."""
    scales: list[Scale] = []
    for (level, is_detail), group in itertools.groupby(layout.bands, key=lambda band: (band.level, band.is_detail)):
        bands = tuple(group)
        name = f"d{level}" if is_detail else f"{bands[0].key[:1] or 'x'}{level or ''}"
        scales.append(Scale(name, bands, len(scales), extent(bands), is_detail))
    return tuple(scales)


def mixed_directions(weights: Sequence[float]) -> tuple[Direction, ...]:
    """The directions of a real wavelet with these frequencies along the axes: it cannot tell their signs apart."""
    norm = math.hypot(*weights)
    if norm == 0:
        return ()
    unit = [weight / norm for weight in weights]
    first = next(k for k, weight in enumerate(unit) if weight)
    signs = itertools.product(*((1, -1) if weight and k > first else (1,) for k, weight in enumerate(unit)))
    return tuple(tuple(s * weight for s, weight in zip(each, unit, strict=True)) for each in signs)


def line_angle(down: float, right: float) -> float:
    """The angle of the lines across a direction: degrees counterclockwise from horizontal, above −90 and up to 90."""
    angle = math.degrees(math.atan2(right, down))
    return round(angle - 180 * math.ceil((angle - 90) / 180), 9)


def real_product(a: Tensor, b: Tensor) -> Tensor:
    """`Re(conj(a) b)`, the summands of the real inner product; a plain product of real numbers."""
    return (a.conj() * b).real if a.is_complex() or b.is_complex() else a * b


def checked_axis(axis: int, layout: Layout) -> int:
    """The number of an axis of the signal from 0; `ValueError` for one that it has not."""
    axes = len(layout.signal_shape)
    if not -axes <= axis < axes:
        raise ValueError(f"axis must be one of the {axes} of the signal, from 0; got {axis}.")
    return axis % axes


def one_item(c: Coefficients, item: int) -> Coefficients:
    """An item's coefficients `(1, channel, size)`, of `(batch, channel, size)`."""
    one = range(len(c.data))[item]
    return Coefficients(c.data[one : one + 1], c.layout.at(slice(one, one + 1)))


def with_sign(data: Tensor) -> Tensor:
    """The data, whose numbers have signs; `ValueError` for complex gradients, which have none."""
    if data.is_complex():
        raise ValueError(
            "a complex gradient has a modulus and no sign; got one where signs are read. Rank it by magnitude, or take "
            "a method that adds up to the score, such as IntegratedGradients or InputTimesGradient."
        )
    return data


def band_sums(c: Coefficients) -> Tensor:
    """The sum of each band over its places, `(*batch, bands)` in the layout's order."""
    return torch.stack([c.data[..., piece].sum(-1) for piece in c.layout.slices.values()], -1)


def scale_sums(bands: Tensor, layout: Layout) -> Tensor:
    """Sums over the bands of each scale, `(…, bands)` to `(…, scales)`, coarsest first."""
    counts = [len(group) for group in layout.scales().values()]
    return torch.stack([part.sum(-1) for part in bands.split(counts, -1)], -1)


def signal_axes(x: Tensor) -> tuple[int, ...]:
    """The axes' lengths of a signal `(batch, channel, *axes)`; `ValueError` for anything that is no signal."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"a signal must be a tensor (batch, channel, *axes); got {type(x).__name__}. Try torch.as_tensor(x)."
        )
    if x.ndim < 3:
        raise ValueError(
            f"a signal must be a tensor (batch, channel, *axes); got {tuple(x.shape)}. Add the missing batch or "
            "channel dimension with x[None]."
        )
    if 0 in x.shape:
        raise ValueError(
            f"a signal (batch, channel, *axes) must have no empty dimensions; got {tuple(x.shape)}, which holds "
            "nothing."
        )
    if not x.is_floating_point():
        raise ValueError(
            f"a signal must have floating-point numbers; got {x.dtype}. Pass x / 255 for bytes, or x.float()."
        )
    axes = tuple(x.shape[2:])
    if torch.compiler.is_compiling():
        return axes
    return tuple(int(n) for n in axes)  # tracers give tensors and symbols: a layout is of one shape
