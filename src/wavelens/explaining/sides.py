"""A pair's text beside its signal: when words can be accounted for, and their account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens.core import Domain
from wavelens.engine.progress import Progress
from wavelens.explaining.question import ExplainedTarget
from wavelens.models import LoadedModel
from wavelens.models.prompts import PromptHead
from wavelens.pairs import BothSides, both_sides

if TYPE_CHECKING:  # a request says whether words are accounted for
    from wavelens.explaining.request import Request


def check_words(loaded: LoadedModel) -> None:
    """`ValueError` unless a model is a pair that is asked for a text."""
    if not isinstance(loaded.module, PromptHead):
        raise ValueError(
            f"words belong to a text that a pair scores, and {loaded.name} is not a pair with a prompt. Give a pair "
            "and --target 'text:a dog on grass', or leave --words out."
        )


def sides_of(
    request: Request, x: Tensor, target: ExplainedTarget, domains: Sequence[Domain], progress: Progress
) -> BothSides:
    """Both sides of the pair for an input `x` and the text that is the target, or that and the one against it."""
    head = request.loaded.module
    assert isinstance(head, PromptHead)
    if not target.classes:
        raise ValueError(f"words are those of a text; the target is {target.heading}. Give --target 'text:…'.")
    text, *other = (head.texts[index] for index in target.classes)
    return both_sides(
        head.pair,
        x,
        text,
        against=other[0] if other else None,
        domain=domains,
        method=request.method,
        interventions=request.interventions is not False,
        batch_size=request.batch_size,
        exact_passes=request.exact_passes,
        progress=progress,
    )
