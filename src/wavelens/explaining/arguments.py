"""What `explain` checks before it opens a file."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wavelens import models
from wavelens.models import LoadedModel

OPTIONS = tuple(
    name for name in inspect.signature(models.load).parameters if name not in ("name", "any_output", "bare")
)


def files_of(paths: object) -> list[Path]:
    """The paths of one file, or of several."""
    several = [paths] if isinstance(paths, str | PathLike) or not isinstance(paths, Iterable) else list(paths)
    if not several:
        raise ValueError("explain takes a path, or several; got an empty list.")
    return [_path_of(path) for path in several]


def _path_of(path: object) -> Path:
    if not isinstance(path, str | PathLike) or not isinstance(text := fspath(path), str):
        raise TypeError(f"explain takes a path, or several; got {path!r}. Give the name of a file.")
    return Path(text)


def check_model(model: object) -> None:
    """`TypeError` for what is no name of a model, `LoadedModel` or module."""
    if not isinstance(model, str | LoadedModel | nn.Module | None):
        raise TypeError(
            f"model must be a name such as 'timm:resnet50', a LoadedModel or an nn.Module; got {type(model).__name__}. "
            "Wrap a function of arrays in wavelens.models.BlackBox, one of tensors in an nn.Module."
        )


def check_options(options: dict[str, Any]) -> None:
    """`TypeError` for options that neither `explain` nor `models.load` has."""
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise TypeError(f"explain has no option {', '.join(unknown)}; of a model by its name are {', '.join(OPTIONS)}.")


def device_called(name: str | torch.device | None) -> torch.device:
    """The device, by default the first GPU or else the CPU; `ValueError` for one that is not here."""
    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        number = torch.zeros(1, device=chosen)
        number.item()  # meta has none
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"--device must name a device of this machine; got {chosen!r} ({reason}). Try cpu.") from error
    return number.device
