"""One explanation read in several domains: how their files are called, and what is recorded of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from wavelens import maps
from wavelens.attribution import Attribution
from wavelens.core import Domain
from wavelens.explaining.figures import PNG, Figures
from wavelens.explaining.files import ATTRIBUTION, DECOMPOSED, MARGINAL, OVERLAY
from wavelens.explaining.further_methods import BY_METHOD, method_bases
from wavelens.explaining.interventions import Interventions
from wavelens.explaining.summary import interventions_summary, octave_rows, profile_rows
from wavelens.grid import Grid
from wavelens.marginal import short_names
from wavelens.own import text_of


def bases(domains: Sequence[Domain]) -> list[str]:
    """The ending of an input's name in the files of each domain: nothing for the first, then '-DWT' …."""
    return ["", *(f"-{name}" for name in short_names(domains)[1:])]


def endings(
    domains: Sequence[Domain], decomposed: bool, further_methods: Sequence[str] = (), figures: Figures = PNG
) -> tuple[str, ...]:
    """The endings of the files beside those that each input has; `further_methods` are texts."""
    own = bases(domains)
    further = tuple(f"{base}{ATTRIBUTION}" for base in own[1:])
    methods = tuple(f"{base}{BY_METHOD}" for base in method_bases(further_methods))
    drawn = [*own, *(f"{base}{OVERLAY}" for base in own), *[MARGINAL] * (len(domains) > 1), *DECOMPOSED * decomposed]
    return (*further, *methods, *(f"{name}{suffix}" for name in drawn for suffix in figures.suffixes))


def domain_record(a: Attribution, grid: Grid, base: str, values: Interventions) -> dict[str, Any]:
    """For JSON, what a further domain says; `files` is what follows the input's name in its files."""
    gap = None if a.gap is None else float(a.gap.reshape(-1)[0])
    return {
        "domain": text_of(a.domain),
        "files": base,
        "gap": gap,
        "profile": profile_rows(a, grid, values.shapley),
        **({"by_octave": rows} if (rows := octave_rows(a, grid, values.shapley)) else {}),
        **interventions_summary(values.shapley, values.reason),
    }


def marginal_of(attributions: Sequence[Attribution]) -> tuple[maps.Marginal | None, str]:
    """The marginal account of several domains, or why there is none; neither for one domain."""
    if len(attributions) < 2:
        return None, ""
    try:
        return maps.marginal(attributions), ""
    except ValueError as error:
        return None, str(error)


def marginal_rows(account: maps.Marginal, grid: Grid) -> list[dict[str, Any]]:
    """A row for each common scale, coarsest first: its share, its signed sum and their spreads over the domains."""
    columns: dict[str, Tensor] = {
        name: getattr(account, name)[0] for name in ("share", "share_spread", "signed", "signed_spread")
    }
    return [
        {
            "scale": name,
            "extent": grid.label(extent),
            **{column: _number(values[k]) for column, values in columns.items()},
            "shares": account.shares[:, 0, k].tolist(),
        }
        for k, (name, extent) in enumerate(zip(account.names, account.extents, strict=True))
    ]


def _number(value: Tensor) -> float | None:
    """For JSON, which knows no NaN."""
    return None if math.isnan(value) else float(value)
