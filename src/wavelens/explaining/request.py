"""`Request`: what is to be done with every input of a call."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from wavelens.core import Domain
from wavelens.explaining.kinds import Kind
from wavelens.explaining.question import Question
from wavelens.methods.lift import Method
from wavelens.models import LoadedModel


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be done with every input of a call: which model is explained, for which target, how, and where.

    A domain that was not `chosen` has fewer levels for an input that is shorter than the model's usual. `decompose` are
    further domains, in each of which the input is drawn scale by scale. `top` is the number of classes in summaries.
    With `exact_passes` the model runs as it is.
    """

    loaded: LoadedModel
    kind: Kind
    question: Question
    domain: Domain
    method: Method
    batch_size: int | None
    top: int
    device: torch.device
    decompose: tuple[Domain, ...] = ()
    chosen: bool = True
    exact_passes: bool = False


def default_model(kind: Kind) -> str:
    """The model for inputs of a kind where none is named; `ValueError` where there is none."""
    if kind.model is None:
        raise ValueError(
            f"a {kind.name} is explained with --model, one of {kind.models} or package.module:function; got none."
        )
    return kind.model


def fitted(chosen: Domain | None, kind: Kind, loaded: LoadedModel) -> Domain:
    """The domain, or that of the kind where none is chosen; `ValueError` where its levels do not fit the model's x."""
    axes = loaded.preprocess.shape[1:]
    domain = chosen or kind.domain(axes)
    domain.analysis(torch.zeros(1, 1, *axes))
    return domain
