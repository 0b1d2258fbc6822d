"""Reading a file for a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wavelens.explaining.errors import INPUT_ERRORS
from wavelens.explaining.kinds import Input, Kind, kind_called, kind_of
from wavelens.explaining.kinds.kind import takes_files
from wavelens.models import LoadedModel
from wavelens.models.module_kinds import check_evaluation


@dataclass(frozen=True)
class NamedReader:
    """Reads files of the kind with this name; it can be sent to a worker before the kind's module is imported there."""

    kind: str
    takes_files: bool

    def __call__(self, path: Path) -> Any:
        return kind_called(self.kind).reader(self.takes_files)(path)


def reader_for(loaded: LoadedModel) -> NamedReader:
    """What reads files for a model, in this process or another."""
    return NamedReader(loaded.preprocess.kind, takes_files(loaded.preprocess))


def read_input(loaded: LoadedModel, kind: Kind, path: Path, device: torch.device) -> Input:
    """Read a file, prepare it and run the model on it once."""
    check_evaluation(loaded.module)
    preparation, signal = loaded.preprocess, _signal(loaded, kind, path)
    x, grid = preparation(signal).to(device), preparation.grid(signal)
    with torch.no_grad():
        output = loaded.module(x)
    classifies = isinstance(output, Tensor) and output.shape == (1, len(loaded.labels))
    electrodes = getattr(preparation, "positions", None)
    return Input(
        path,
        signal,
        preparation,
        x,
        grid,
        output[0].float() if classifies else None,
        positions=electrodes(signal) if electrodes else (),
    )


def _signal(loaded: LoadedModel, kind: Kind, path: Path) -> Any:
    """The signal in a file; `ValueError` for one that is of another kind by its name, and cannot be read as this.

    A kind without suffixes, whose inputs are folders, says itself what a file lacks.
    """
    try:
        return kind.signal_at(path, loaded.preprocess)
    except INPUT_ERRORS as error:
        other = kind_of([str(path)])
        if not path.is_file() or not kind.suffixes or kind.reads(path) or not other.reads(path):
            raise
        raise ValueError(
            f"{path} is {other.one}; {loaded.name} takes {kind.several}. Give one of these, or name another model."
        ) from error
