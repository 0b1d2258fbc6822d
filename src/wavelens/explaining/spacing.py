"""How far apart the samples of an input lie, in space or in time, where the input does not say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wavelens.explaining.kinds import kind_called
from wavelens.models import LoadedModel


def spaced(loaded: LoadedModel, spacing: Sequence[float] | None, unit: str | None) -> LoadedModel:
    """The model with a preparation that knows the spacing of its inputs; scales then have that unit."""
    if spacing is None:
        if unit is not None:
            raise ValueError(f"--unit is that of --spacing; got {unit!r} alone. Add --spacing, such as 0.3.")
        return loaded
    preparation: Any = loaded.preprocess
    if not hasattr(preparation, "spaced"):
        raise ValueError(
            f"--spacing is for pixels and voxels; {type(preparation).__name__} of {loaded.name}, which takes a "
            f"{preparation.kind}, does not take it. Leave it out."
        )
    usual = unit or kind_called(preparation.kind).spacing_unit
    return replace(loaded, preprocess=preparation.spaced(tuple(spacing), usual))


def rated(loaded: LoadedModel, rate: float | None) -> LoadedModel:
    """The model with a preparation that knows the rate, in Hz, of series that do not say theirs."""
    if rate is None:
        return loaded
    preparation: Any = loaded.preprocess
    if not hasattr(preparation, "rated"):
        raise ValueError(
            f"--rate is for time series; {type(preparation).__name__} of {loaded.name}, which takes a "
            f"{preparation.kind}, does not take it. Leave it out."
        )
    return replace(loaded, preprocess=preparation.rated(rate))
