"""How checks ask a model: as it stands, in evaluation mode, and as a copy in float64."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from wavelens.engine.compiled import is_compiled
from wavelens.engine.copies import NoCopyError, copied
from wavelens.engine.frozen import frozen_model
from wavelens.engine.given import beside
from wavelens.engine.gradients import Model
from wavelens.engine.norms import Kernels
from wavelens.engine.types_met import Types
from wavelens.metrics.perturbation import single
from wavelens.models.module_kinds import set_evaluation, with_mode
from wavelens.targets import Target, scores

ScoreAndGradient = tuple[Tensor, Tensor | None]
# What modules raise for a shape, a type or a precision that they refuse.
BROKEN = (ValueError, RuntimeError, TypeError, LookupError, AssertionError, ArithmeticError)


@contextmanager
def evaluating(model: Model, x: Tensor) -> Iterator[None]:
    """The model in evaluation mode, and given back as it was."""
    with frozen_model(model, x):
        set_evaluation(model)
        yield


def is_training(model: Model) -> bool:
    return isinstance(model, nn.Module) and any(module.training for _, module in with_mode(model))


def score_and_gradient(
    model: Model,
    points: Tensor,
    target: Target,
    items: Tensor,
    *,
    of: slice = slice(None),
    autocast: torch.dtype | None = None,
) -> ScoreAndGradient:
    """Scores `(rows,)` and the gradient of the rows `of` them, `(rows, channel, *axes)`, of the model as it stands.

    The gradient is None where none reaches the points. Row `r` belongs to item `items[r]`, which has its own target.
    """
    points = points.detach().clone().requires_grad_()
    kind = points.device.type
    kernels: Any = Kernels if kind == "cpu" else nullcontext
    with torch.enable_grad():
        forward = nullcontext() if is_compiled(model) else kernels()  # which would keep it from being compiled
        with forward, torch.autocast(kind, dtype=autocast, enabled=autocast is not None):
            output = model(points, *beside(model, items))
        score = scores(single(target), output, items)[0]
        if not score.requires_grad:
            return score.detach(), None
        with kernels():
            (g,) = torch.autograd.grad(score[of].sum(), points, allow_unused=True)
    return score.detach(), g


def step_within(model: Model, x: Tensor, target: Target) -> float:
    """The distance of numbers around 1 in the coarsest type in which the model computes an item's score."""
    row, item = next(one_by_one(x))
    with Types() as types:
        score_and_gradient(model, row, target, item)
    return float(types.step)


def one_by_one(x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each item with its number, as a batch of one: so no item meets another, and no batch is too large."""
    for i in range(len(x)):
        yield x[i : i + 1].detach(), torch.tensor([i], device=x.device)


def in_float64(model: Model, x: Tensor, target: Target) -> tuple[Model, Tensor] | str:
    """A copy of the model in float64, and the signal; or why there is none."""
    wide = x.detach().double()
    try:
        twin = twin_of(model, x, target).double() if isinstance(model, nn.Module) else model
        score, _ = score_and_gradient(twin, wide[:1], target, torch.zeros(1, dtype=torch.long, device=x.device))
    except NoCopyError as error:
        return f"{error}."
    except Exception:  # whatever the caller's module raises
        return "the model cannot be copied and run in float64, to compare with."
    return (twin, wide) if score.dtype == torch.float64 else "the model does not compute in float64, to compare with."


def twin_of(model: nn.Module, x: Tensor, target: Target) -> nn.Module:
    """A copy of the model that has its scores and gradients; `NoCopyError` where a copy has others."""

    def answers(model: nn.Module) -> list[Tensor]:
        pairs = [score_and_gradient(model, row, target, item) for row, item in one_by_one(x)]
        return [part for pair in pairs for part in pair if part is not None]

    return copied(model, answers)


def error_text(error: Exception) -> str:
    """An error's text, or its name where it has none."""
    return str(error) or type(error).__name__


def span(x: Tensor) -> Tensor:
    """Each item's range, `max x - min x`, to be multiplied with signals; 1 for a constant."""
    low, high = torch.aminmax(x.flatten(1), dim=1)
    return (high - low).where(high > low, 1).reshape(-1, *[1] * (x.ndim - 1))
