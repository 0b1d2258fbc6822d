"""Texts: reviews, letters, articles, word by word and by what words make up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.domains import TextHaar
from wavelens.explaining.kinds.input import Input
from wavelens.explaining.kinds.kind import FileSize, Kind
from wavelens.frontends.text import SUFFIXES, Text, read_text
from wavelens.models import Preparation
from wavelens.models.preparations.text import Worded
from wavelens.reports import TEXT_VIEW

if TYPE_CHECKING:  # matplotlib: only once there is something to draw
    from matplotlib.figure import Figure


def _domain(axes: tuple[int, ...]) -> Domain:
    return TextHaar()


def _worded(shown: Input) -> Worded | None:
    """By the preparation, which has the tokenizer; None where one of one's own has none."""
    worded: Any = getattr(shown.preparation, "worded", None)
    return worded(shown.signal) if worded else None


def _fit(domain: Domain, shown: Input) -> Domain:
    """The domain of the text's own words."""
    worded = _worded(shown)
    return domain if worded is None else domain.of_text(worded.begins)


def _panel(a: Attribution, shown: Input, title: str) -> Figure:
    from wavelens import plots  # matplotlib: only once there is something to draw

    return plots.panel(a, shown.x, title=title, grid=shown.grid)


def _as_is(signal: Text) -> Preparation:
    raise ValueError(
        "a bare module takes no text, which a tokenizer makes tokens of. Pass hf:NAME, or a LoadedModel with "
        "models.TokenEmbeddings(encode, embedding, blank)."
    )


def _size(path: Path, shape: tuple[int, ...]) -> FileSize:
    """No text has more tokens than bytes."""
    return FileSize(shape[0] * path.stat().st_size)


TEXT = Kind(
    "text",
    SUFFIXES,
    read_text,
    units=("tokens",),
    domain=_domain,
    sigma=0.1,
    start="a blank text",
    panel=_panel,
    view=TEXT_VIEW,
    size=_size,
    as_is=_as_is,
    fit=_fit,
    words=_worded,
    models="hf:NAME of a text classifier",
)
