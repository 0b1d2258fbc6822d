"""A pair's text beside its signal: when words can be accounted for, and their account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from wavelens.core import Domain
from wavelens.engine.progress import Progress
from wavelens.explaining.question import ExplainedTarget, Question
from wavelens.models import LoadedModel
from wavelens.models.prompts import PromptHead
from wavelens.pairs import BothSides, both_sides

if TYPE_CHECKING:  # a request says whether words are accounted for
    from wavelens.explaining.request import Request


def check_words(loaded: LoadedModel, question: Question) -> None:
    """`ValueError` unless a model is a pair that is asked for one text."""
    if not isinstance(loaded.module, PromptHead):
        raise ValueError(
            f"words are those of a text that a pair scores; {loaded.name} is no pair with a prompt. Give a pair and "
            "--target 'text:a dog on grass', or leave --words out."
        )
    if question.against is not None:
        raise ValueError("words are accounted for in one text; got a text against another. Leave --against out.")


def sides_of(
    request: Request, x: Tensor, target: ExplainedTarget, domains: Sequence[Domain], progress: Progress
) -> BothSides:
    """Both sides of the pair for an input `x` and the text that is the target."""
    head = request.loaded.module
    assert isinstance(head, PromptHead)
    if len(target.classes) != 1:
        raise ValueError(f"words are those of one text; the target is {target.heading}. Give --target 'text:…'.")
    return both_sides(
        head.pair,
        x,
        head.texts[target.classes[0]],
        domain=domains,
        method=request.method,
        interventions=request.interventions is not False,
        batch_size=request.batch_size,
        exact_passes=request.exact_passes,
        progress=progress,
    )
