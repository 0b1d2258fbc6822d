"""Models whose answer about an item depends on its batch, or on chance, in evaluation mode: recognised, and said."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

PACKAGE = __name__.partition(".")[0]
REFUSALS = (RuntimeError, ValueError, TypeError, AssertionError, IndexError)  # of a batch of one
LOOK = "Look for sums, maxima or normalisations over the first dimension; wavelens.check tells whether they are gone."
CHANCE = "Look for dropout called as a function, and for noise or crops in forward()."


class Answer(NamedTuple):
    """What a model says of one row alone: its values `(targets,)`, the size of its output, the first value's gradient.

    The gradient is None where it was not taken, or none reaches the row.
    """

    values: Tensor
    size: float
    gradient: Tensor | None = None


def batch_statistics(model: Any) -> str | None:
    """A sentence on the first batch norm without running statistics, or None: there is none."""
    parts = model.named_modules() if isinstance(model, nn.Module) else ()
    for name, part in parts:
        if isinstance(part, _BatchNorm) and part.running_mean is None and part.running_var is None:
            return (
                f"{type(part).__name__} {name!r} has no running statistics and normalises by its batch, so rows go "
                "through the model one at a time: an item's result does not depend on others. Set "
                "track_running_stats=True and calibrate the model to explain it in batches."
            )
    return None


class BatchCheck:
    """Compares one row's answer and gradient among others with those alone, once; warns where they differ by `most`."""

    def __init__(self, most: float) -> None:
        self.most, self.due, self.gradient_due = most, True, True
        self.equal = False  # whether equal rows have been compared, which tell less: other rows still are
        self.measured: tuple[int, Tensor, Answer] | None = None  # an item, a point of it, and its answer alone
        self.state: Tensor | None = None

    def begin(self, device: torch.device) -> None:
        """From here on, random numbers that torch draws on the device are the model's."""
        self.state = random_state(device)

    def holds(self, points: Tensor, items: Tensor, values: Tensor, alone: Callable[[int], Answer]) -> bool:
        """Whether the values `(targets, rows)` of a pass are those of its rows alone, as far as one row tells.

        `alone` asks for a row by its number. A row that was alone is asked for again only if random numbers were drawn.
        Chance cannot be mended: then the values are taken for what they are, after a warning.
        """
        if not self.due or (len(points) == 1 and self._nothing_drawn(points.device)):
            return True
        equal = len(points) > 1 and torch.equal(points[1:], points[:-1])
        if equal and self.equal:
            return True
        self.due, self.equal, row = equal, equal, telling(points)
        try:
            answer, scale, _ = self._answer(points, items, row, alone)
        except REFUSALS:
            if len(points) > 1:
                return True  # the model takes no single row
            raise
        difference = apart(values[:, row].detach(), answer, scale)
        if difference <= self.most:
            return True
        chance = apart(alone(row).values, answer, scale)
        self.due = self.gradient_due = False
        if chance > self.most or len(points) == 1:
            warn(_random("answer", max(chance, difference)))
            return True
        warn(_mixed("answer", difference, len(points)))
        return False

    def gradients_hold(
        self,
        points: Tensor,
        items: Tensor,
        gradients: Tensor,
        alone: Callable[[int], Answer],
        among_copies: Callable[[int], Tensor],
    ) -> bool:
        """Whether the gradients `(rows, …)` of a pass are those of its rows alone, as far as one row of one pass tells.

        A model may have equal values and other gradients. Rounding, which decides at a kink or a tie, depends on the
        number of rows: where the gradient alone differs, that of the row's own value `among_copies` of it, as many as
        the pass had rows, tells whether the other rows are the cause.
        """
        if not self.gradient_due or len(points) == 1 or torch.equal(points[1:], points[:-1]):
            return True
        self.gradient_due, row = False, telling(points)
        try:
            answer = self._answer(points, items, row, alone, with_gradient=True)
        except REFUSALS:  # the model takes no single row
            return True
        if answer.gradient is None or apart(gradients[row], answer.gradient, 0.0) <= self.most:
            return True
        difference = apart(gradients[row], among_copies(row), 0.0)
        if difference <= self.most:
            return True
        again = alone(row).gradient
        if again is not None and (chance := apart(again, answer.gradient, 0.0)) > self.most:
            warn(_random("gradient", max(chance, difference)))
            return True
        warn(_mixed("gradient", difference, len(points)))
        return False

    def _answer(
        self, points: Tensor, items: Tensor, row: int, alone: Callable[[int], Answer], with_gradient: bool = False
    ) -> Answer:
        """That of a row alone, which may be known."""
        point, item = points[row], int(items[row])
        if self.measured is not None and item == self.measured[0] and torch.equal(point, self.measured[1]):
            known = self.measured[2]
            if not with_gradient or known.gradient is not None:
                return known
        answer = alone(row)
        self.measured = item, point.detach().clone(), answer
        return answer

    def _nothing_drawn(self, device: torch.device) -> bool:
        return self.state is None or torch.equal(self.state, random_state(device))


def _random(what: str, difference: float) -> str:
    return (
        f"the model is random in evaluation mode: asked twice about one input, its {what} differed by {difference:.2g} "
        f"of its size, so results change with batch_size and from call to call. {CHANCE}"
    )


def _mixed(what: str, difference: float, rows: int) -> str:
    return (
        f"the model's {what} about an item depends on its batch: alone it differed by {difference:.2g} of its size "
        f"from that among {rows} rows, so rows go through the model one at a time. {LOOK}"
    )


def telling(points: Tensor) -> int:
    """The row that others would change most: of all but the first, which they may refer to, the one of least extent."""
    return int(points[1:].flatten(1).abs().amax(1).argmin()) + 1 if len(points) > 1 else 0


def tolerance(model: Any, x: Tensor, autocast: torch.dtype | None) -> float:
    """What an answer alone and in a batch may differ by: half of the digits of the coarsest type in use.

    Kernels add up in another order for another number of rows. That is √ε: 3.5e-4 in float32 and above, of which a
    model in float64 may have parts, 0.09 in bfloat16, 0.03 in float16 and on a GPU, where float32 may be TF32.
    """
    parameters = [p.dtype for p in model.parameters()] if isinstance(model, nn.Module) else []
    widest = torch.float32 if x.device.type == "cpu" else torch.float16
    types = {widest, x.dtype, autocast or x.dtype, *parameters}
    return math.sqrt(max(torch.finfo(one).eps for one in types if one.is_floating_point))


def largest(output: Any) -> float:
    """The largest finite magnitude in a model's output, whatever holds its tensors."""
    tensors = [t for t in _tensors(output) if t.is_floating_point() and t.numel()]
    return max((float(t.detach().abs().nan_to_num(0.0, 0.0).max()) for t in tensors), default=0.0)


def apart(a: Tensor, b: Tensor, scale: float) -> float:
    """The largest difference of two answers, relative to `scale` or to the larger of them; 0 where not finite."""
    whole = max(scale, float(a.abs().max()), float(b.abs().max()), 1e-300)
    return float(((a - b).abs().max() / whole).nan_to_num(0.0, 0.0))


def warn(text: str) -> None:
    """A warning at the line outside of this package that called it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, UserWarning, stacklevel=level)


def random_state(device: torch.device) -> Tensor:
    """Where torch's random numbers of a device stand."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tensors(getattr(value, field.name))
