"""`AsRead`: the preparation that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from torch import Tensor

from wavelens.grid import Grid


@dataclass(frozen=True)
class AsRead:
    """Hands a signal to a model as it was read: a tensor `(1, channel, *axes)`, or what has one as `data`.

    `shape` is (channel, *axes). Where the signal has no `grid` of its own, its samples lie one apart in `units`.
    """

    kind: str
    shape: tuple[int, ...]
    units: tuple[str, ...]

    @classmethod
    def of(cls, signal: Any, kind: str, units: tuple[str, ...]) -> AsRead:
        """The preparation for signals such as this one; `TypeError` for what holds no tensor."""
        data = _tensor(signal)
        if data.ndim != 2 + len(units) or len(data) != 1:
            raise ValueError(f"the signal of {kind} must be (1, channel, {len(units)} axes); got {tuple(data.shape)}.")
        return cls(kind, tuple(data.shape[1:]), units)

    def __call__(self, signal: Any) -> Tensor:
        return _tensor(signal)

    def grid(self, signal: Any) -> Grid:
        """The signal's own grid, or one sample apart."""
        own = getattr(signal, "grid", None)
        return own if isinstance(own, Grid) else Grid((1.0,) * len(self.units), self.units)

    def restore(self, maps: Tensor, signal: Any) -> Any:
        """Maps `(1, channel, *axes)` over the signal, which is the input itself."""
        data = maps.detach().float().cpu()
        if hasattr(signal, "holding"):
            return signal.holding(data)
        return replace(signal, data=data) if is_dataclass(signal) and not isinstance(signal, type) else data


def _tensor(signal: Any) -> Tensor:
    data = signal if isinstance(signal, Tensor) else getattr(signal, "data", None)
    if not isinstance(data, Tensor):
        raise TypeError(
            f"a signal must be a tensor, or have one as data; got {type(signal).__name__}. Give the kind `as_is`, "
            "which makes a preparation for it."
        )
    return data
