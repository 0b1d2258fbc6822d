"""What a model says of one row alone, and how far two answers are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

SOME = 2**12  # numbers of a tensor tell its size
AT_MOST = 10  # times a value is what it may be measured against: what is far larger beside it says nothing of it


class Answer(NamedTuple):
    """What a model says of one row alone: its values `(targets,)`, the size of its output, the first value's gradient.

    The gradient is None where it was not taken, or none reaches the row. `step` is the distance of numbers around 1 in
    the coarsest type that was computed in.
    """

    values: Tensor
    size: float
    gradient: Tensor | None = None
    step: float = 0.0


class Way(Enum):
    """How a row is asked for: as fast as the pass was, in its format of memory, or in the model's own."""

    FAST = "fast"
    FORMAT = "format"
    OWN = "own"


class Alone(Protocol):
    """Asks the model about a row by its number, alone."""

    def __call__(self, row: int, way: Way = Way.FORMAT) -> Answer: ...


def smallest(points: Tensor) -> int:
    """The row that others would change most: of all but the first, which they may refer to, the one of least extent."""
    return int(points[1:].flatten(1).abs().amax(1).argmin()) + 1 if len(points) > 1 else 0


def largest(points: Tensor) -> int:
    """The row of largest extent: where the batch as a whole decides, it is the least like its mean."""
    return int(points.flatten(1).abs().sum(1, dtype=torch.float32).argmax())


def tolerance(model: Any, x: Tensor, autocast: torch.dtype | None) -> float:
    """What an answer alone and in a batch may differ by: half of the digits of the coarsest type in use.

    Kernels add up in another order for another number of rows. That is √ε: 3.5e-4 in float32 and above, of which a
    model in float64 may have parts, 0.09 in bfloat16, 0.03 in float16 and on a GPU, where float32 may be TF32.
    """
    parameters = [p.dtype for p in model.parameters()] if isinstance(model, nn.Module) else []
    widest = torch.float32 if x.device.type == "cpu" else torch.float16
    types = {widest, x.dtype, autocast or x.dtype, *parameters}
    return math.sqrt(max(torch.finfo(one).eps for one in types if one.is_floating_point))


def typical(output: Any) -> float:
    """The median magnitude in a model's output, of that tensor of it where it is least; 0 where there is none.

    A masked class at -1e4 is none of it, nor are boxes in pixels beside logits. Of many numbers some are looked at.
    """
    tensors = [t.detach().flatten() for t in _tensors(output) if t.is_floating_point() and t.numel()]
    some = (t[:: -(-len(t) // SOME)].float().abs().nan_to_num(0.0, 0.0) for t in tensors)
    return min((float(t.median()) for t in some), default=0.0)


def scale_of(values: Tensor, answer: Answer) -> float:
    """What differences of a pass's values `(targets, rows)` are large against: they, and what they may be made of."""
    most = max(float(values.abs().nan_to_num(0.0, 0.0).max()), float(answer.values.abs().nan_to_num(0.0, 0.0).max()))
    return max(most, min(answer.size, AT_MOST * most))


def apart(a: Tensor, b: Tensor, scale: float) -> float:
    """The largest difference of two answers, relative to `scale` or to the larger of them; 0 where not finite."""
    whole = max(scale, float(a.abs().max()), float(b.abs().max()), 1e-300)
    return float(((a - b).abs().max() / whole).nan_to_num(0.0, 0.0))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name))
