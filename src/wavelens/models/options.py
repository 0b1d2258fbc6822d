"""What `load` is told beside a model's name: weights, class names, and a preparation other than the name's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Real
from pathlib import Path
from typing import Any

from wavelens.models.labels import read_class_names
from wavelens.whole_numbers import is_whole

SQUASH = "squash"  # the crop that is none


@dataclass(frozen=True)
class Options:
    """The options of `load` by their names there, as values that can be recorded; None where one is not given.

    The `repr` has those that are given and change what is computed from the weights; where files lie is no part of it.
    """

    weights: str | None = field(default=None, repr=False)
    trust: bool = field(default=False, repr=False)
    class_names: str | tuple[str, ...] | None = field(default=None, repr=False)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_size: tuple[int, int] | None = None
    crop: float | str | None = None
    interpolation: str | None = None
    preparation: Any = None  # a `Preparation`
    bands: tuple[str, ...] | None = None
    windows: bool = False
    template: str | None = None
    prompts: tuple[str, ...] | None = None
    question: str | None = None

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if f.repr]
        return f"Options({', '.join(f'{name}={value!r}' for name, value in self.given.items() if name in shown)})"

    @property
    def given(self) -> dict[str, Any]:
        """Those that differ from the default: `load(name, **options.given)` gives the model again."""
        return {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}

    @property
    def geometry(self) -> dict[str, Any]:
        """Those of how a photo is brought to the input's size."""
        return {name: value for name, value in self.given.items() if name in ("input_size", "crop", "interpolation")}


def options_of(
    *,
    weights: str | Path | None = None,
    trust: bool = False,
    class_names: str | Path | Sequence[str] | Mapping[Any, Any] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    input_size: int | Sequence[int] | None = None,
    crop: float | str | None = None,
    interpolation: str | None = None,
    preparation: Any = None,
    bands: str | Sequence[str] | None = None,
    windows: bool = False,
    template: str | None = None,
    prompts: Sequence[str] | None = None,
    question: str | None = None,
) -> Options:
    """`load`'s arguments as values; `ValueError` or `TypeError` for what cannot be meant."""
    return Options(
        None if weights is None else str(weights),
        trust,
        _class_names(class_names),
        _for_channels("mean", mean, 0),
        _for_channels("std", std, 1e-6),
        _size(input_size),
        _crop(crop),
        interpolation,
        _preparation(preparation),
        _bands(bands),
        windows,
        _template(template, class_names),
        None if prompts is None else tuple(prompts),
        question,
    )


def _template(template: str | None, class_names: object) -> str | None:
    if template is None:
        return None
    if class_names is None:
        raise ValueError(f"template is for the names of classes; got {template!r} alone. Give --labels FILE too.")
    if template.count("{}") != 1:
        raise ValueError(f"template must have {{}} once, in place of a name: 'a photo of a {{}}.'; got {template!r}.")
    return template


def _preparation(value: Any) -> Any:
    if value is None or (callable(value) and all(hasattr(value, name) for name in ("kind", "shape", "grid"))):
        return value
    raise TypeError(f"preparation makes a model's input, such as models.Traces((3, 3000), rate=100); got {value!r}.")


def _bands(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in (value.split(",") if isinstance(value, str) else map(str, value)))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError(f"bands must be names, each once, such as B04,B03,B02; got {','.join(names)!r}.")
    return names


def _class_names(value: str | Path | Sequence[str] | Mapping[Any, Any] | None) -> str | tuple[str, ...] | None:
    if isinstance(value, Mapping):
        return read_class_names(value)
    if value is not None and not isinstance(value, Path) and not value:
        raise ValueError(f"class_names must name at least one class; got {value!r}.")
    return value if value is None else str(value) if isinstance(value, str | Path) else tuple(map(str, value))


def _for_channels(name: str, value: float | Sequence[float] | None, least: float) -> tuple[float, ...] | None:
    """Three values from one or three."""
    if value is None:
        return None
    if isinstance(value, str):
        raise ValueError(f"{name} must be a number, or several; got the text {value!r}.")
    values = tuple(float(v) for v in ([value] if isinstance(value, Real) else value))  # type: ignore[union-attr]
    if len(values) not in (1, 3) or not all(least <= v <= 1 for v in values):
        bytes_hint = " Divide values for bytes by 255." if any(v > 1 for v in values) else ""
        raise ValueError(
            f"{name} must be one value, or one per channel, for pixels in [0, 1], so from {least:g} to 1; got "
            f"{', '.join(f'{v:g}' for v in values)}.{bytes_hint}"
        )
    return values * 3 if len(values) == 1 else values


def _size(value: int | Sequence[int] | None) -> tuple[int, int] | None:
    if value is None:
        return None
    sizes = tuple(value) if isinstance(value, Sequence) else (value,) * 2
    if len(sizes) != 2 or not all(is_whole(n, 1) for n in sizes):
        raise ValueError(f"input_size must be a number of pixels, or height and width; got {value!r}.")
    return sizes


def _crop(value: float | str | None) -> float | str | None:
    if value is None or value == SQUASH or (isinstance(value, Real) and 0 < value <= 1):
        return value
    raise ValueError(
        f"crop must be the share of the resized photo's side that is kept, above 0 and up to 1, or {SQUASH!r}; got "
        f"{value!r}."
    )
