"""What a service offers, and what comes of it: a model with its kind of signal, and a result with its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wavelens.explaining import Kind
from wavelens.models import LoadedModel


@dataclass(frozen=True, eq=False)
class Served:
    """A model that the service offers, with the kind of signals that it takes.

    `ValueError` for a kind that does not say what its files unpack to: strangers send them.
    """

    loaded: LoadedModel
    kind: Kind

    def __post_init__(self) -> None:
        if self.kind.size is None:
            raise ValueError(
                f"the app takes files of a kind that says what they unpack to; {self.kind.name} does not. "
                "Give the Kind a function `size`."
            )


@dataclass(frozen=True, eq=False)
class Result:
    """What a page shows: the files, which `Service.file` serves under `token` until the session has others or ends."""

    token: str
    name: str
    label: str
    caution: str
    files: dict[str, Path]  # the report first
    outputs: Mapping[str, str] = field(default_factory=dict)  # what files of the kind are, by their suffixes
