"""A bare module as a model for a file."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import Tensor, nn

from wavelens.explaining.kinds import kind_of
from wavelens.models import LoadedModel


def device_of(module: nn.Module) -> torch.device:
    """Where the first of a module's tensors is; the CPU for one that has none."""
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def load_bare(module: nn.Module, path: Path) -> LoadedModel:
    """The module with the preparation that gives it a file's signal as it is; classes are called 'class 0' ….

    `ValueError` for one that fails on a signal of this shape.
    """
    kind, name = kind_of([str(path)]), type(module).__name__
    signal = kind.read(path)
    preparation = kind.plain_preparation(signal)
    x = preparation(signal).to(device_of(module))
    try:
        with torch.no_grad():
            output = module(x)
    except Exception as error:  # whatever the caller's module raises
        reason = " ".join(str(error).split())[-300:]
        raise ValueError(
            f"{name} fails on {kind.one} as it is, {tuple(x.shape)}: {reason} Pass a LoadedModel with a "
            "preparation that makes its input."
        ) from error
    classes = output.shape[1] if isinstance(output, Tensor) and output.ndim == 2 else 0
    return LoadedModel(module, tuple(f"class {k}" for k in range(classes)), preparation, name)
