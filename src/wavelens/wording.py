"""Domains and methods as a reader names them: 'integrated gradients, tolerance 0.02' in place of a `repr`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from wavelens.bound import Bound
from wavelens.spec import parse

PROPER = re.compile(r"^[A-Z0-9]+$|(Grad|CAM|SHAP)$")  # abbreviations, and names that papers gave in one word
PEOPLE = ("Haar", "Fourier", "Shapley", "Sobol", "Owen")  # and other names that keep their capital
TOLD = ("wavelet", "levels", "samples", "steps", "sigma")  # options that are named whatever they are
EFFORT = ("samples", "steps")
MAX_CHARACTERS = 40  # of a value that is shown: trees and tables of edges are left out


def in_words(value: Any) -> str:
    """A domain or method, or the text of one, in words: its name, and options that matter or are not the defaults.

    >>> in_words(wl.DWT("db4", levels=3)), in_words("SmoothGrad(samples=50)")
    ('DWT, db4, 3 levels', 'SmoothGrad, 50 samples, sigma 0.25')
    >>> in_words(wl.IntegratedGradients(tolerance=0.02))
    'integrated gradients, tolerance 0.02'
    """
    if isinstance(value, str):
        try:
            return in_words(parse(value))
        except ValueError:  # an explainer's, or of a class that is not known here
            return _name(value.partition("(")[0].rpartition(":")[2])
    if isinstance(value, Bound):
        return in_words(value.domain)
    if type(value).__name__ == "FromMethod":  # a method in its domain, as an explainer
        return f"{in_words(value.method)} in {in_words(value.domain)}"
    if not is_dataclass(value) or isinstance(value, type):
        return _name(type(value).__name__)
    first = getattr(value, "tolerance", None) is not None  # effort is only where it begins
    told = [name for name in TOLD if not (first and name in EFFORT)]
    options = [_option(one, getattr(value, one.name), told) for one in fields(value) if one.repr]
    return ", ".join([_name(type(value).__name__), *filter(None, options)])


def target_in_words(text: str) -> str:
    """The text of a target for a heading: contrasts in words, functions without where they were defined.

    >>> from wavelens.wording import target_in_words
    >>> target_in_words("Contrast(target=282, against=281)"), target_in_words("main.<locals>.tumour")
    ('282 rather than 281', 'tumour')
    """
    text = re.sub(r"Contrast\(target=(.+?), against=(.+?)\)", r"\1 rather than \2", text)
    return re.sub(r"(\w+\.)+<locals>\.", "", text).replace("<lambda>", "a function")


def _name(cls: str) -> str:
    """'IntegratedGradients' as 'integrated gradients'; names that are one word stay."""
    if PROPER.search(cls):
        return cls
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", cls)
    return " ".join(word if word in PEOPLE or word.isupper() else word.lower() for word in words)


def _option(option: Field[Any], value: Any, told: Sequence[str]) -> str:
    """'5 levels', 'haar', 'tolerance 0.02'; empty for a default."""
    if value is None or (value == _default(option) and option.name not in told):
        return ""
    name = option.name.replace("_", " ")
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, str):
        return value
    if isinstance(value, int) and name.endswith("s"):
        return f"{value} {name if value != 1 else name.removesuffix('s')}"
    if isinstance(value, int | float):
        return f"{name} {value:g}"
    text = in_words(value) if is_dataclass(value) else _listed(value)
    return text if len(text) <= MAX_CHARACTERS else ""


def _listed(value: Any) -> str:
    parts = value if isinstance(value, tuple) else (value,)
    return " × ".join(in_words(one) if is_dataclass(one) else str(one) for one in parts)


def _default(option: Field[Any]) -> Any:
    return option.default if option.default is not MISSING else None
