"""How far apart the pixels or voxels of an input lie, where the input does not say: `--spacing` and `--unit`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from wavelens.models import LoadedModel

Spacing = Annotated[
    str | None,
    typer.Option(
        help="How far apart the inputs' own pixels or voxels lie, one number or one an axis: 0.3 or 1.5,1,1.",
        show_default="what they say",
    ),
]
Unit = Annotated[str | None, typer.Option(help="The unit of --spacing.", show_default="m, of volumes mm")]


def spaced(loaded: LoadedModel, spacing: str | None, unit: str | None) -> LoadedModel:
    """The model with a preparation that knows the spacing of its inputs; scales then have that unit."""
    if spacing is None:
        if unit is not None:
            raise ValueError(f"--unit is that of --spacing; got {unit!r} alone. Add --spacing, such as 0.3.")
        return loaded
    preparation: Any = loaded.preprocess
    if not hasattr(preparation, "spaced"):
        raise ValueError(
            f"--spacing is for pixels and voxels; {type(preparation).__name__} of {loaded.name}, which takes a "
            f"{preparation.kind}, does not take it. Leave it away."
        )
    usual = "mm" if preparation.kind == "volume" else "m"
    return replace(loaded, preprocess=preparation.spaced(_numbers(spacing), unit or usual))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"--spacing is a number, or one an axis with commas between; got {text!r}.") from None
