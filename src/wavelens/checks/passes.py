"""Whether the model's answer about an input is one: the same when asked again, and the same beside other inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from wavelens.checks.asking import (
    BROKEN,
    ScoreAndGradient,
    error_text,
    evaluating,
    is_training,
    one_by_one,
    score_and_gradient,
    span,
    step_within,
)
from wavelens.checks.verdict import FAIL, PASS, WARN, Verdict
from wavelens.engine.frozen import frozen_model
from wavelens.engine.gradients import Model
from wavelens.methods.averages import generator
from wavelens.models.black_box import black_box
from wavelens.precision import rounding
from wavelens.targets import Target

LOUDER = 1.5  # mates go beyond the item's range, so that a maximum over the batch is theirs
RANDOM = (
    "Look for dropout called as a function, for noise or crops in forward(), for state that one call leaves to the "
    "next, and on a GPU for torch.use_deterministic_algorithms(True)."
)
MIXED = "Look for sums, maxima or normalisations over the first dimension; until then explain with batch_size=1."


def deterministic(model: Model, x: Tensor, target: Target) -> Verdict:
    """Whether the same input has the same score and gradient when asked twice, in the mode that the model is in."""
    return _tried(_deterministic, model, x, target)


def batch_independent(model: Model, x: Tensor, target: Target) -> Verdict:
    """Whether an item has the same score alone and as the last of three, in the mode that the model is in.

    Its mates are noise that is louder than it and its own mirror image, then its darkest and its brightest sample all
    over. Beside the scores, the gradient of the item's score with respect to its mates is looked at: it is exactly zero
    where items are treated alone; and its own gradient, when all scores are asked for, with that of its score beside
    two copies of itself: as many rows are rounded alike.
    """
    return _tried(_batch_independent, model, x, target)


def _tried(check: Callable[[Model, Tensor, Target], Verdict], model: Model, x: Tensor, target: Target) -> Verdict:
    """What a check finds; where a model in training fails it, whether evaluation mode mends that was tried."""
    verdict = check(model, x, target)
    if verdict.status != FAIL or not is_training(model):
        return verdict
    with evaluating(model, x):
        mended = check(model, x, target).status != FAIL
    otherwise = f"model.eval() does not mend it. {verdict.remedy}"
    return replace(verdict, remedy="Call model.eval(): then it passes." if mended else otherwise)


def _deterministic(model: Model, x: Tensor, target: Target) -> Verdict:
    scores, gradients = 0.0, 0.0
    with frozen_model(model, x):
        for row, item in one_by_one(x):
            first, second = _twice(model, row, target, item)
            scores = max(scores, _apart(first[0], second[0]) / _size(row, first))
            if first[1] is not None and second[1] is not None:
                gradients = max(gradients, _apart(first[1], second[1]) / max(float(first[1].norm()), 1e-300))
    figures = {"score": scores, "gradient": gradients}
    if max(figures.values()) == 0:
        what = "score and gradient are" if black_box(model) is None else "the score is"
        finding = f"asked twice, {what} the same to the bit"
        return Verdict("deterministic", PASS, f"{finding}.", figures=figures)
    score = f"differs by {scores:.1e} of its size" if scores else "is the same"
    gradient = f"differs by {gradients:.1e} of its own" if gradients else "is the same"
    finding = f"asked twice, the score {score} and the gradient {gradient}"
    if max(figures.values()) <= rounding(x):
        return Verdict("deterministic", PASS, f"{finding}, which is rounding.", figures=figures)
    return Verdict("deterministic", FAIL, f"{finding}.", RANDOM, figures)


def _twice(model: Model, row: Tensor, target: Target, item: Tensor) -> list[ScoreAndGradient]:
    """Two answers about an item, beside itself where the model takes two rows: some train on no single one."""
    try:
        return [score_and_gradient(model, torch.cat([row, row]), target, item.repeat(2)) for _ in range(2)]
    except BROKEN:
        return [score_and_gradient(model, row, target, item) for _ in range(2)]


def _apart(a: Tensor, b: Tensor) -> float:
    """The length of the difference; what is not finite in both is no difference."""
    return float((a.nan_to_num() - b.nan_to_num()).double().norm())


def _size(row: Tensor, answer: ScoreAndGradient) -> float:
    """What the score is large against: itself, and the part of it that follows the input, so that 0 is no measure."""
    score, g = answer
    follows = 0.0 if g is None else abs(float((g[-1].double() * row[0].double()).sum()))
    return max(abs(float(score[-1])) + follows, 1e-300)


def _batch_independent(model: Model, x: Tensor, target: Target) -> Verdict:
    name, scores, leaks, gradients = "batch_independent", 0.0, 0.0, 0.0
    with frozen_model(model, x):
        for row, item in one_by_one(x):
            batches = [torch.cat([*mates, row]) for mates in (_mates(row), *_plain_mates(row))]
            try:
                answers = [
                    score_and_gradient(model, batch, target, item.repeat(3), of=slice(-1, None)) for batch in batches
                ]
            except BROKEN as error:
                score_and_gradient(model, row, target, item)  # if it refuses one too, that is what to say
                finding = f"the model takes one input at a time and refuses three ({_short(error)})."
                return Verdict(name, WARN, finding, "Explain with batch_size=1.")
            try:
                alone = score_and_gradient(model, row, target, item)
            except BROKEN as error:
                return Verdict(
                    name, FAIL, f"the model takes three inputs and refuses one alone ({_short(error)}).", MIXED
                )
            for score, g in answers:
                scores = max(scores, _apart(score[-1], alone[0][0]) / _size(row, alone))
                if g is not None:
                    leaks = max(leaks, float(g[:-1].double().norm() / g.double().norm().clamp_min(1e-300)))
            gradients = max(gradients, _moved_by_mates(model, row, target, item))
        step = step_within(model, x, target)
    figures = {"score": scores, "mates' share of the gradient": leaks, "gradient": gradients}
    same = "beside two others, the score is the same"
    finding = f"beside two others, the score differs by {scores:.1e} of its size" if scores else same
    if max(scores, gradients) <= rounding(x, step) and leaks == 0:
        return Verdict(name, PASS, f"{finding}, which is rounding." if scores else f"{same}.", figures=figures)
    differs = "" if scores else "differs "
    gradient = f"{differs}by {gradients:.1e} of its own" if gradients else "is the same"
    finding = f"{finding}, its gradient {gradient}, and {leaks:.2g} of it lies in the others."
    return Verdict(name, FAIL, finding, MIXED, figures)


def _moved_by_mates(model: Model, row: Tensor, target: Target, item: Tensor) -> float:
    """How far an item's gradient, when all scores are asked for, is moved by its two mates, of its own size."""
    items, last = item.repeat(3), slice(-1, None)
    beside = score_and_gradient(model, torch.cat([*_mates(row), row]), target, items)[1]
    copies = score_and_gradient(model, torch.cat([row, row, row]), target, items, of=last)[1]
    if beside is None or copies is None:
        return 0.0
    return _apart(beside[-1], copies[-1]) / max(float(copies[-1].double().norm()), 1e-300)


def _mates(row: Tensor) -> tuple[Tensor, Tensor]:
    noise = torch.rand(row.shape, generator=generator(0, 0, row.device), device=row.device, dtype=torch.float32)
    middle = row.amin() + span(row) / 2
    return middle + (2 * noise - 1).to(row.dtype) * span(row) * LOUDER / 2, row.flip(tuple(range(2, row.ndim)))


def _plain_mates(row: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Beside the first two the batch is dark, beside the others bright: a model may decide by its mean."""
    for level in (row.amin(), row.amax()):
        mate = level.expand_as(row)
        yield mate, mate


def _short(error: Exception) -> str:
    """The beginning of an error, for a line."""
    return " ".join(error_text(error).split())[:120].rstrip(".")
