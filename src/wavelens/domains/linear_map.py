"""Domains that are a linear map in closed form, for autograd, forward mode, vmap and `torch.compile`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from wavelens.core import Coefficients, Domain, Layout, signal_axes


@dataclass(frozen=True)
class FilterBank(Domain):
    """A domain whose maps are one linear map and its transpose, with filters for the analysis and the synthesis."""

    banks: ClassVar[dict[str, type[FilterBank]]] = {}  # the domains of this kind by name

    def __init_subclass__(cls) -> None:
        FilterBank.banks[cls.__name__] = cls

    @abstractmethod
    def transform(self, x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        """Coefficients of a signal by the filters of a side, "dec" or "rec", direction "down"; its transpose, "up"."""

    @abstractmethod
    def literals(self, layout: Layout) -> tuple[str, tuple[int, ...]]:
        """What `of` makes the domain of again: names with spaces between them, and levels."""

    @classmethod
    @abstractmethod
    def of(cls, names: str, levels: tuple[int, ...]) -> FilterBank:
        """The domain with these `literals`."""

    def analysis(self, x: Tensor) -> Coefficients:
        layout = self.layout(signal_axes(x))
        return Coefficients(self._apply(x, layout, "dec", "down"), layout)

    def synthesis(self, c: Coefficients) -> Tensor:
        return self._apply(c.data, c.layout, "rec", "up")

    def adjoint(self, g: Tensor, layout: Layout) -> Coefficients:
        return Coefficients(self._apply(g, layout, "rec", "down"), layout)

    def _apply(self, x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        """One linear map: an opaque operator for `torch.compile`, an autograd function everywhere else."""
        if not torch.compiler.is_compiling():
            result: Tensor = LinearMap.apply(x, layout, side, direction)  # type: ignore[no-untyped-call]
            return result
        names, levels = self.literals(layout)
        compiled: Tensor = _compiled(x, type(self).__name__, names, levels, layout.signal_shape, side, direction)
        return compiled


class LinearMap(torch.autograd.Function):
    """The transform of a layout's domain: its derivative is its own transpose, to any order.

    The direction is "down", from a signal to coefficients, or "up", the transpose; `side` names the filters. In the
    real inner product Re Σ conj(a) b, which is that of autograd, so coefficients may be complex.
    """

    @staticmethod
    def forward(x: Tensor, layout: Layout, side: str, direction: str) -> Tensor:
        assert isinstance(layout.domain, FilterBank)
        return layout.domain.transform(x, layout, side, direction)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.rest = inputs[1:]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        return _transposed(LinearMap.apply, g, *ctx.rest)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return LinearMap.apply(tangent, *ctx.rest)  # type: ignore[no-any-return, no-untyped-call]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, *rest: Any) -> tuple[Tensor, int]:
        return LinearMap.apply(x.movedim(in_dims[0], 0), *rest), 0  # type: ignore[no-untyped-call]


def _transposed(apply: Any, g: Tensor, *rest: Any) -> tuple[Tensor | None, ...]:
    *same, direction = rest
    return apply(g, *same, "up" if direction == "down" else "down"), *[None] * len(rest)


@torch.library.custom_op("wavelens::filter_bank", mutates_args=())
def _compiled(
    x: Tensor, bank: str, names: str, levels: Sequence[int], signal_shape: Sequence[int], side: str, direction: str
) -> Tensor:
    domain = FilterBank.banks[bank].of(names, tuple(levels))
    return domain.transform(x, domain.layout(tuple(signal_shape)), side, direction)


@_compiled.register_fake
def _(
    x: Tensor, bank: str, names: str, levels: Sequence[int], signal_shape: Sequence[int], side: str, direction: str
) -> Tensor:
    layout = FilterBank.banks[bank].of(names, tuple(levels)).layout(tuple(signal_shape))
    lead, dtype = x.shape[: x.ndim - (len(signal_shape) if direction == "down" else 1)], x.dtype
    if layout.is_complex:
        dtype = torch.promote_types(dtype, torch.complex64) if direction == "down" else dtype.to_real()
    return x.new_empty((*lead, layout.size) if direction == "down" else (*lead, *signal_shape), dtype=dtype)


_compiled.register_autograd(lambda ctx, g: _transposed(_compiled, g, *ctx.rest), setup_context=LinearMap.setup_context)
