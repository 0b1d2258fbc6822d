"""How a model and its options are written down: in JSON, and as the words of a command."""

from __future__ import annotations

from typing import Any

from wavelens.models import LoadedModel, Options


def words_of(options: Options) -> list[str]:
    """Options as a command line has them."""
    words = []
    for name, value in options.given.items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
    return words


def model_summary(loaded: LoadedModel) -> dict[str, Any]:
    """A model for a record in JSON: its name, its weights, its preparation, and which other options it was given."""
    options = {name: value for name, value in loaded.options.given.items() if name not in ("weights", "preparation")}
    record = {"model": loaded.name, "weights": loaded.options.weights, "preprocess": repr(loaded.preprocess)}
    return record | ({"options": options} if options else {})
