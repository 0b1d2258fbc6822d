"""Reading a file for a model."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from wavelens.explaining.kinds import Input, Kind
from wavelens.models import LoadedModel


def read_input(loaded: LoadedModel, kind: Kind, path: Path, device: torch.device) -> Input:
    """Read a file, prepare it and run the model on it once."""
    preparation = loaded.preprocess
    signal = kind.signal_at(path, preparation)
    x, grid = preparation(signal).to(device), preparation.grid(signal)
    with torch.no_grad():
        output = loaded.module(x)
    classifies = isinstance(output, Tensor) and output.shape == (1, len(loaded.labels))
    return Input(path, signal, preparation, x, grid, output[0].float() if classifies else None)
