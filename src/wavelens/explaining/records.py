"""How a model and its options are written down: in JSON, and as the words of a command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from wavelens.models import LoadedModel, Options
from wavelens.runs.evaluation import weights_digest


def shown_path(path: str | Path) -> str:
    """A path without the folders of this machine: from the working folder on, or of a file elsewhere its name alone.

    >>> from wavelens.explaining.records import shown_path
    >>> shown_path("photos/cat.jpg"), shown_path("/home/me/cat.jpg"), shown_path("timm:resnet18")
    ('photos/cat.jpg', 'cat.jpg', 'timm:resnet18')
    """
    if not os.path.isabs(path):
        return str(path)
    inside = os.path.relpath(path)
    return inside if not inside.startswith(os.pardir) else Path(path).name


def words_of(options: Options) -> list[str]:
    """Options as a command line has them."""
    words = []
    for name, value in options.given.items():
        if name == "prompts":  # targets name them
            continue
        text = ",".join(map(str, value)) if isinstance(value, tuple) else shown_path(str(value))
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
    return words


def model_summary(loaded: LoadedModel) -> dict[str, Any]:
    """A model for a record in JSON: its name, its preparation, and which other options it was given.

    Given weights are named by their file, without its folders, and by a digest of what the model holds.
    """
    given = loaded.options.weights
    weights = None if given is None else Path(given).name
    digest = {} if given is None else {"weights_digest": weights_digest(loaded.module)}
    options = {name: value for name, value in loaded.options.given.items() if name not in ("weights", "preparation")}
    record = {"model": loaded.name, "weights": weights, **digest, "preprocess": repr(loaded.preprocess)}
    return record | ({"options": options} if options else {})
