"""Models that run as they are, and those that need something put around them first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from wavelens.models.module_kinds import exported_shape
from wavelens.models.scripted import with_gradients


def runnable(model: Callable[[Tensor], Any], x: Tensor) -> Any:
    """The model, as one that takes any number of rows and records gradients. See `InBatches`, `with_gradients`."""
    size = None if isinstance(model, InBatches) else (exported_shape(model) or (None,))[0]
    return with_gradients(model, x) if size is None else InBatches(model, size)


class InBatches(nn.Module):
    """A program exported for batches of one size alone, run in such batches; the last is filled with its last row."""

    def __init__(self, program: Any, size: int) -> None:
        super().__init__()
        self.program, self.size = program, size
        self.training = False

    def forward(self, x: Tensor, *beside: Tensor) -> Any:
        batches = zip(*(t.split(self.size) for t in (x, *beside)), strict=True)
        outputs = [self.program(*map(self._filled, rows)) for rows in batches]
        return tree_map(lambda *parts: self._joined(parts)[: len(x)], *outputs)

    def _filled(self, rows: Tensor) -> Tensor:
        missing = self.size - len(rows)
        return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows

    def _joined(self, parts: tuple[Any, ...]) -> Tensor:
        if all(isinstance(part, Tensor) and part.ndim and len(part) == self.size for part in parts):
            return torch.cat(parts)
        raise ValueError(
            f"a program exported for batches of {self.size} alone gives tensors with a row for each item; got "
            f"{getattr(parts[0], 'shape', type(parts[0]).__name__)}. Export it with a dynamic batch dimension: "
            "dynamic_shapes=({0: torch.export.Dim.DYNAMIC},) and an example of two items."
        )
