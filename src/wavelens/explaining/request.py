"""`Request`: what is to be done with every input of a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavelens.core import Domain
from wavelens.counts import count_of
from wavelens.explaining.figures import PNG, Figures
from wavelens.explaining.further_methods import is_explainer
from wavelens.explaining.kinds import Kind
from wavelens.explaining.kinds.photo import PHOTO
from wavelens.explaining.question import Question, question_of
from wavelens.explaining.sides import check_words
from wavelens.methods import HierarchicalShapley, IntegratedGradients
from wavelens.methods.lift import Method, check_method
from wavelens.models import LoadedModel
from wavelens.models.black_box import black_box
from wavelens.own import text_of
from wavelens.targets import Target

DEFAULT_METHOD = IntegratedGradients(tolerance=0.02)
DEFAULT_BLACK_BOX_METHOD = HierarchicalShapley()


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be done with every input of a call: which model is explained, for which target, how, and where.

    The answer is read in each of the `domains`, from the same gradients. One that was not `chosen` has fewer levels for
    an input that is shorter than the model's usual. `decompose` are further domains, in each of which the input is
    drawn scale by scale. `top` is the number of classes in summaries.
    `further_methods` are methods and explainers to stand beside `method`.
    With `exact_passes` the model runs as it is. A model that is not known `by_name` is known to Python alone.
    `interventions` says whether Shapley values of the scales are computed too; None: where few passes suffice.
    `figures` says how figures are written.
    With `words` the text that a pair is asked for is accounted for too, on one path with the signal.
    """

    loaded: LoadedModel
    kind: Kind
    question: Question
    domains: tuple[Domain, ...]
    method: Any
    batch_size: int | None
    top: int
    device: torch.device
    decompose: tuple[Domain, ...] = ()
    chosen: bool = True
    exact_passes: bool = False
    by_name: bool = True
    interventions: bool | None = None
    further_methods: tuple[Any, ...] = ()
    figures: Figures = PNG
    words: bool = False


def request_for(
    loaded: LoadedModel,
    kind: Kind,
    device: torch.device,
    *,
    target: Target = None,
    against: str | int | None = None,
    domain: Domain | Sequence[Domain] | None = None,
    method: Any = None,
    decompose: Sequence[str] = (),
    batch_size: int | None = None,
    top: int = 5,
    exact_passes: bool = False,
    by_name: bool = True,
    interventions: bool | None = None,
    figures: Figures = PNG,
    words: bool = False,
) -> Request:
    """The request that the options of `explain` mean; `ValueError` for those that do not fit the model."""
    if not isinstance(top, int) or top < 1:
        raise ValueError(f"top, the number of classes in summaries, must be a whole number from 1; got {top!r}.")
    chosen = tuple(fitted(one, kind, loaded) for one in _domains(domain))
    shown = tuple(fitted(one, kind, loaded) for one in wavelets_like(chosen[0], decompose))
    if shown and len(kind.units) < 2:
        raise ValueError(f"--decompose draws pictures; {kind.one} has none. Leave it out.")
    question = question_of(target, against, loaded)
    if words:
        check_words(loaded)
    first, *further = _methods(default_method(loaded.module) if method is None else method)
    for one in (first, *further):
        check_method(loaded.module, one)
    if is_explainer(first) and (domain is not None or shown):
        raise ValueError(
            f"--domain and --decompose read the gradients of a method; {text_of(first)} comes first, an explainer with "
            "a domain of its own. Give a method first, or leave them out."
        )
    return Request(
        loaded,
        kind,
        question,
        chosen,
        first,
        batch_size,
        top,
        device,
        decompose=shown,
        chosen=domain is not None,
        exact_passes=exact_passes,
        by_name=by_name,
        interventions=interventions,
        further_methods=tuple(further),
        figures=figures,
        words=words,
    )


def _methods(method: Any) -> list[Any]:
    """The methods and explainers, of which the first is explained; `ValueError` for what is none, or given twice."""
    several = list(method) if isinstance(method, list | tuple) else [method]
    if not several:
        raise ValueError("method must be one method or several; got none. Leave it out for integrated gradients.")
    for k, one in enumerate(several):
        if isinstance(one, type) or not callable(one):
            raise ValueError(
                f"method must be a method's or an explainer's value such as SmoothGrad(samples=25); got {one!r}."
            )
        if one in several[:k]:
            raise ValueError(f"each method can be given only once; got {text_of(one)} twice. Leave one out.")
    return several


def _domains(domain: Domain | Sequence[Domain] | None) -> Sequence[Domain | None]:
    """The domains, or None for that of the kind; `ValueError` for what is none, and for one that is given twice."""
    several: list[Any] = list(domain) if isinstance(domain, list | tuple) else [domain]
    for k, one in enumerate(several):
        if one is not None and not isinstance(one, Domain):
            raise ValueError(
                f"domain must be a domain such as DWT('haar'); got {one!r}. wl.parse makes one of its text."
            )
        if one in several[:k]:
            raise ValueError(f"each domain can be given only once; got {one} twice. Leave one out.")
    if not several:
        raise ValueError("domain must be one domain or several; got none. Leave it out for that of the kind.")
    return several


def wavelets_like(domain: Domain, names: Sequence[str]) -> tuple[Domain, ...]:
    """`domain` with each of the wavelets that are named."""
    several = tuple(one for name in names if (one := domain.with_wavelet(name.strip())) is not None)
    if len(several) < len(names):
        raise ValueError(f"--decompose shows wavelets; --domain is {domain}. Leave it out, or give one such as DWT.")
    return several


def default_method(model: nn.Module) -> Method:
    """Integrated gradients, or Shapley values over a hierarchy for a model that gives values alone."""
    return DEFAULT_METHOD if black_box(model) is None else DEFAULT_BLACK_BOX_METHOD


def default_model(kind: Kind, path: Path) -> str:
    """The model for inputs of a kind where none is named; `ValueError` where there is none.

    Where the `path` that the kind was told by is a folder, the error says what was found in it.
    """
    if kind.model is None:
        needs = f"{kind.one} needs --model: {kind.models} or package.module:function."
        raise ValueError(f"{_found_in(path, kind)}, and {needs}" if path.is_dir() else needs)
    return kind.model


def _found_in(folder: Path, kind: Kind) -> str:
    """What inputs a folder has that is taken for one of a kind: 'the folder notes has no photo, only 1 text (a)'."""
    found, photos = kind.inside(folder), [path for path in PHOTO.inside(folder) if PHOTO.speaks(path)]
    what = f"{len(found):,} {kind.name if len(found) == 1 else kind.several}"
    example = f"({found[0].name})" if len(found) == 1 else f"(such as {found[0].name})"
    if photos:
        return f"the folder {folder} has {count_of(len(photos), 'photo')} and {what} {example}"
    return f"the folder {folder} has no photo, only {what} {example}"


def fitted(chosen: Domain | None, kind: Kind, loaded: LoadedModel) -> Domain:
    """The domain, or that of the kind where none is chosen; `ValueError` where its levels do not fit the model's x."""
    if kind.joint is not None:
        return kind.joint(chosen, loaded.preprocess)
    axes = loaded.preprocess.shape[1:]
    domain = chosen or kind.domain(axes)
    domain.layout(axes)
    return domain
