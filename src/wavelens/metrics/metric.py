"""What a metric is to runs, tables and plots: one value that computes numbers and says what each of them is."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from wavelens.core import Coefficients, Domain
from wavelens.counts import count_of
from wavelens.field_types import check_fields
from wavelens.own import text_of
from wavelens.seeds import hashed
from wavelens.targets import Target

OFFERED = ("batch_size", "explainer", "region", "seed")  # what a function is given where it takes it
BETTER = ("more", "less", None)
MIDDLES = ("mean", "median")
F = TypeVar("F", bound=Callable[..., Any])


class Case(NamedTuple):
    """What a metric judges: an attribution of one batch, and what made it.

    `explainer` is called as `(model, x, target, *, batch_size)`. `followed` is the number that curves follow, where it
    is not the softmax probability of the class. `name` is the file's: random numbers are drawn anew for each file, so
    that their effect averages out over files. `region` is true on the objects of the class, where these are known.
    """

    model: nn.Module
    x: Tensor
    target: Target
    attribution: Coefficients
    explainer: Callable[..., Coefficients]
    batch_size: int
    followed: Target = None
    name: str = ""
    region: Tensor | None = None


@dataclass(frozen=True)
class Column:
    """One number per item, as tables show it.

    `better` is "more" or "less"; None says that neither is, or that it is not known: the number is shown, and no run is
    ranked by it. `middle` is what stands for all items, their "mean" or their "median". A curve has one number per
    point, over parts of the coefficients from 0 to 1; it is drawn, and not in tables.

    >>> wl.metrics.Column("kept", better="more", middle="median").name
    'kept'
    """

    name: str
    better: str | None = None
    middle: str = "mean"
    is_curve: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a column must have a name; got {self.name!r}.")
        if self.better not in BETTER:
            raise ValueError(f"better must be 'more', 'less' or None; got {self.better!r} for {self.name}.")
        if self.middle not in MIDDLES:
            raise ValueError(f"middle must be 'mean' or 'median'; got {self.middle!r} for {self.name}.")
        if not isinstance(self.is_curve, bool):
            raise ValueError(f"is_curve must be True or False; got {self.is_curve!r} for {self.name}.")


@dataclass(frozen=True)
class Metric(ABC):
    """What is measured of an explanation.

    A subclass is a frozen dataclass whose fields are its options; `columns` says what it gives, and `__call__` gives
    these numbers in that order. This is all that `evaluate` and `compare` need.

    >>> @dataclass(frozen=True)
    ... class Peak(wl.metrics.Metric):
    ...     columns = (wl.metrics.Column("peak", better="more"),)
    ...     def __call__(self, case):
    ...         return case.attribution.data.abs().amax((1, 2))
    >>> [column.name for column in Peak().named_columns]
    ['peak']
    """

    needs_region = False  # whether it is of items alone of whose objects the place is known

    def __post_init__(self) -> None:
        check_fields(self)
        domain = getattr(self, "domain", None)
        if domain is not None and not isinstance(domain, Domain):
            raise ValueError(f"domain must be a domain such as DWT('haar'), or None; got {domain!r}.")

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """What the numbers are."""

    @abstractmethod
    def __call__(self, case: Case) -> Tensor | Sequence[Tensor]:
        """The numbers of a case, `(batch,)` for each column, or `(batch, points)` for a curve."""

    @property
    def changes(self) -> str:
        """The options that differ from the usual ones: '' or '(steps=32)'."""
        pairs = [(f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default]
        return f"({', '.join(f'{name}={text_of(value)}' for name, value in pairs)})" if pairs else ""

    @property
    def named_columns(self) -> tuple[Column, ...]:
        """The columns, with the options that are not the usual ones behind their names."""
        return tuple(replace(column, name=f"{column.name}{self.changes}") for column in self.columns)

    def options(self, case: Case) -> dict[str, Any]:
        """The fields by name; a `seed` is the file's own."""
        options = {f.name: getattr(self, f.name) for f in fields(self)}
        return options | ({"seed": seed_of(options["seed"], case.name)} if "seed" in options else {})

    def measured(self, case: Case) -> dict[str, Tensor]:
        """The numbers of a case by the names of the columns; `ValueError` where they are not what the columns say."""
        given = self(case)
        values = [given] if isinstance(given, Tensor) else list(given)
        if len(values) != len(self.columns):
            raise ValueError(f"{text_of(self)} has {len(self.columns)} columns; it gave {len(values)} tensors.")
        for column, value in zip(self.columns, values, strict=True):
            if (
                not isinstance(value, Tensor)
                or value.shape[:1] != case.x.shape[:1]
                or value.ndim != 1 + column.is_curve
            ):
                form = "(batch, points)" if column.is_curve else "(batch,)"
                got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise ValueError(
                    f"{column.name} is {form} for {count_of(len(case.x), 'item')}; {text_of(self)} gave {got}."
                )
        return {column.name: value for column, value in zip(self.named_columns, values, strict=True)}


@dataclass(frozen=True, repr=False)
class OfFunction(Metric):
    """A function `(model, x, target, attribution, *, …) -> (batch,)` with its options, in a column of its own name.

    `name` is `module:function`. Of `batch_size`, `explainer`, `region` and `seed`, what the function takes and the
    options do not say is given. Which way is better is what `more_is_better` or `less_is_better` says of it.
    """

    name: str
    function: Callable[..., Tensor]
    named: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, name: str, function: Callable[..., Tensor], options: dict[str, Any]) -> OfFunction:
        """`ValueError` for options that it does not have, or lacks; those that are the default are left out."""
        parameters = inspect.signature(function).parameters
        offered = {key: None for key in OFFERED if key in parameters and key not in options}
        try:
            inspect.signature(function).bind(*[None] * 4, **options, **offered)
        except TypeError as error:
            raise ValueError(
                f"a metric is a function (model, x, target, attribution, *, …); {name} is "
                f"{name.rpartition(':')[2]}{inspect.signature(function)} ({error})."
            ) from None
        changed = {key: value for key, value in options.items() if value != parameters[key].default}
        return cls(name, function, tuple(sorted(changed.items())))

    @property
    def needs_region(self) -> bool:  # type: ignore[override]
        return "region" in inspect.signature(self.function).parameters

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(self.name.rpartition(":")[2], better=getattr(self.function, "better", None)),)

    @property
    def changes(self) -> str:
        return f"({', '.join(f'{key}={text_of(value)}' for key, value in self.named)})" if self.named else ""

    def __repr__(self) -> str:
        return f"{self.name}{self.changes}"

    def __call__(self, case: Case) -> Tensor:
        if self.needs_region and case.region is None:
            return unknown(case)
        parameters, named = inspect.signature(self.function).parameters, dict(self.named)
        offered = {"batch_size": case.batch_size, "explainer": case.explainer, "region": case.region}
        given = {key: value for key, value in offered.items() if key in parameters and key not in named}
        if "seed" in parameters:
            usual = parameters["seed"].default
            given["seed"] = seed_of(named.pop("seed", usual if isinstance(usual, int) else 0), case.name)
        value: Tensor = self.function(*case[:4], **named, **given)
        return value


def more_is_better(function: F) -> F:
    """Mark a metric of one's own: tables rank by it, the largest first.

    >>> @wl.metrics.more_is_better
    ... def peak(model, x, target, attribution):
    ...     return attribution.data.abs().amax((1, 2))
    >>> peak.better
    'more'
    """
    function.better = "more"  # type: ignore[attr-defined]
    return function


def less_is_better(function: F) -> F:
    """Mark a metric of one's own: tables rank by it, the smallest first.

    >>> @wl.metrics.less_is_better
    ... def spread(model, x, target, attribution):
    ...     return attribution.data.std((1, 2))
    >>> spread.better
    'less'
    """
    function.better = "less"  # type: ignore[attr-defined]
    return function


def unknown(case: Case) -> Tensor:
    """Not a number for each item."""
    return case.x.new_full((len(case.x),), math.nan)


def seed_of(seed: int, name: str) -> int:
    """The seed of a file; without a name the seed itself."""
    if not name:
        return seed
    return hashed(seed, name, 4)


def columns_of(metrics: Iterable[Metric], reserved: Iterable[str] = ()) -> tuple[Column, ...]:
    """The columns of several metrics; `ValueError` where two have one name, or one that is `reserved`."""
    columns = tuple(column for metric in metrics for column in metric.named_columns)
    names = [column.name for column in columns]
    if reserved_names := [name for name in names if name in set(reserved)]:
        raise ValueError(
            f"a run has a number {reserved_names[0]} of its own, which no metric may be called. Rename the metric."
        )
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ValueError(f"every column comes from one metric; two give {twice[0]}. Leave one out, or rename it.")
    return columns
