"""The account of a text word by word, beside that by scale and from the same gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wavelens.attribution import Attribution
from wavelens.domains import Identity
from wavelens.engine.progress import Progress
from wavelens.explaining.interventions import interventions_of
from wavelens.explaining.kinds import Input
from wavelens.targets import Target
from wavelens.words import WordAccount, partition_of

if TYPE_CHECKING:  # a request says whether Shapley values are asked for
    from wavelens.explaining.request import Request


def word_account(
    request: Request, one: Input, target: Target, by_sample: Attribution | None, progress: Progress = False
) -> WordAccount | None:
    """What each word of an input adds; None where it has none, or its attribution is not read by sample."""
    worded = request.kind.words(one)
    if worded is None or by_sample is None:
        return None
    values = interventions_of(
        request,
        one.x,
        target,
        Identity(),
        len(worded.words),
        progress,
        groups=partition_of(worded.words, one.x.shape[-1]),
        noun="words",
    )
    return WordAccount(worded.words, worded.before, worded.after, by_sample, *values)
