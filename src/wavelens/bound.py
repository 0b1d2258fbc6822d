"""Domains that differ from item to item, and such a domain for the items of one batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from wavelens.core import Band, Coefficients, Direction, Domain, Extent, Layout, Scale, signal_axes


@dataclass(frozen=True)
class ItemDomain(Domain):
    """A domain whose coordinates differ from item to item: a tree of each cloud, a graph of each mesh.

    `geometry(x)` gives what they rest on, tensors `(batch, …)` by name. `analyse`, `synthesise` and `pull` are the
    maps, given the geometry of each row; the layout is the same for all items of a batch. `bind(x)` joins a domain and
    a geometry.
    """

    differs_by_item: ClassVar[bool] = True

    @abstractmethod
    def geometry(self, x: Tensor) -> dict[str, Tensor]:
        """What the coordinates of each item of `x`, `(batch, channel, *axes)`, rest on, `(batch, …)` by name."""

    @abstractmethod
    def analyse(self, x: Tensor, geometry: dict[str, Tensor]) -> Tensor:
        """Coefficients `(rows, channel, size)` of `x`, `(rows, channel, *axes)`."""

    @abstractmethod
    def synthesise(self, data: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        """The signals `(rows, channel, *axes)` with coefficients `(rows, channel, size)`."""

    def pull(self, g: Tensor, geometry: dict[str, Tensor], layout: Layout) -> Tensor:
        """The adjoint of `synthesise` at `g`, `(rows, channel, *axes)`, by autograd unless a domain knows better."""
        dtype = g.dtype.to_complex() if layout.is_complex else g.dtype
        zero = g.new_zeros((*g.shape[:2], layout.size), dtype=dtype).requires_grad_()
        with torch.enable_grad():
            signal = self.synthesise(zero, geometry, layout)
            (pulled,) = torch.autograd.grad(signal, zero, g, create_graph=g.requires_grad)
        return pulled

    def bind(self, x: Tensor) -> Bound:
        return Bound(self, self.geometry(x))

    def analysis(self, x: Tensor) -> Coefficients:
        return self.bind(x).analysis(x)

    def synthesis(self, c: Coefficients) -> Tensor:
        raise ValueError(f"{self} differs from item to item; bind it first: domain.bind(x).")

    @abstractmethod
    def layout(self, signal_shape: tuple[int, ...]) -> Layout: ...

    def layout_of(self, signal_shape: tuple[int, ...], geometry: dict[str, Tensor]) -> Layout:
        """The layout for these items; that of `layout` unless it depends on the geometry, as that of a text does."""
        return self.layout(signal_shape)

    def scales_of(self, layout: Layout, geometry: dict[str, Tensor]) -> Iterable[Scale]:
        """The scales for these items; those of `scales` unless their extents depend on the geometry."""
        return self.scales(layout)

    def spread_of(self, values: Tensor, band: Band, layout: Layout, geometry: dict[str, Tensor]) -> Tensor | None:
        """As `Domain.spread` of values `(rows, channel, *places)`, given the geometry of each row."""
        return None

    def rebound(self, tensors: dict[str, Tensor]) -> Bound:
        return Bound(self, tensors)

    def bound_axes(self, geometry: dict[str, Tensor]) -> tuple[int, ...] | None:
        """The axes of the signals that a geometry is of, by its shapes; None where the shapes do not show them."""
        return None


@dataclass(frozen=True, eq=False)
class Bound(Domain):
    """An `ItemDomain` for the items of one batch.

    It takes as many rows as items, or a multiple of them: row r is of item r modulo their number. So targets may stand
    in front of the batch, and a single item serves any number of rows.
    """

    domain: ItemDomain
    geometry: dict[str, Tensor]

    def __repr__(self) -> str:
        return repr(self.domain)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Bound)
            and self.domain == other.domain
            and self.geometry.keys() == other.geometry.keys()
            and all(torch.equal(t, other.geometry[name].to(t.device)) for name, t in self.geometry.items())
        )

    def __hash__(self) -> int:
        return hash(self.domain)

    def __len__(self) -> int:
        return len(next(iter(self.geometry.values())))

    def bind(self, x: Tensor) -> Bound:
        return self

    def at(self, items: Tensor | slice) -> Bound:
        if isinstance(items, slice):
            items = torch.tensor(range(max(len(self), items.stop or 0))[items], dtype=torch.long, device="cpu")
        rows = items % len(self)
        return Bound(self.domain, {name: value[rows.to(value.device)] for name, value in self.geometry.items()})

    def bound_tensors(self) -> dict[str, Tensor]:
        return self.geometry

    def layout(self, signal_shape: tuple[int, ...]) -> Layout:
        axes = self.domain.bound_axes(self.geometry)
        if axes is not None and signal_shape != axes:
            raise ValueError(
                f"{type(self.domain).__name__} is bound to signals of {' × '.join(map(str, axes))} samples; got axes "
                f"{signal_shape}. Bind it to the signals themselves."
            )
        return replace(self.domain.layout_of(signal_shape, self.geometry), domain=self)

    def scales(self, layout: Layout) -> Iterable[Scale]:
        return self.domain.scales_of(layout, self.geometry)

    def scales_along(self, layout: Layout, axis: int) -> Iterable[Scale]:
        return layout.scales().values() if len(layout.signal_shape) == 1 else self.domain.scales_along(layout, axis)

    def directions(self, band: Band, layout: Layout) -> tuple[Direction, ...]:
        return self.domain.directions(band, layout)

    def bins(self, band: Band, layout: Layout) -> tuple[Extent, ...]:
        return self.domain.bins(band, layout)

    def spread(self, values: Tensor, band: Band, layout: Layout) -> Tensor | None:
        lead = values.ndim - len(band.shape)
        flat = values.flatten(0, lead - 2)  # channels stay apart
        heat = self.domain.spread_of(flat, band, layout, self._rows(flat))
        return None if heat is None else heat.reshape(*values.shape[:lead], *layout.signal_shape)

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        return Coefficients(self.domain.analyse(x, self._rows(x)), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        flat = c.data.reshape(-1, *c.data.shape[-2:])
        signal = self.domain.synthesise(flat, self._rows(flat), c.layout)
        return signal.reshape(*c.data.shape[:-1], *c.layout.signal_shape)

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        flat = g.reshape(-1, *g.shape[-1 - len(layout.signal_shape) :])
        return Coefficients(
            self.domain.pull(flat, self._rows(flat), layout).reshape(*g.shape[: g.ndim - len(layout.signal_shape)], -1),
            layout,
        )

    def _rows(self, flat: Tensor) -> dict[str, Tensor]:
        """The geometry of each row of `flat`; `ValueError` where rows and items do not fit."""
        times, rest = divmod(len(flat), len(self))
        if rest:
            raise ValueError(
                f"{self} is bound to {len(self)} items; got {len(flat)} rows. Bind it to the signals themselves."
            )
        near = {name: value.to(flat.device) for name, value in self.geometry.items()}
        return (
            {name: value.repeat(times, *[1] * (value.ndim - 1)) for name, value in near.items()} if times > 1 else near
        )
