"""Options of another type than they are declared to be are one sentence, of every class that has options."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from dataclasses import MISSING, dataclass, fields, is_dataclass

import numpy as np
import pytest
import torch

import wavelens as wl
from wavelens.field_types import _declared, check_fields

PACKAGES = ("methods", "metrics", "domains", "baselines", "masks", "models.preparations", "planted", "runs.executors")


def classes():
    """Public dataclasses of options: every field has a default, which is of its type, and no field is a result."""
    for package in PACKAGES:
        place = importlib.import_module(f"wavelens.{package}")
        modules = [m.name for m in pkgutil.walk_packages(place.__path__, f"{place.__name__}.")]
        for module in map(importlib.import_module, modules):
            for cls in vars(module).values():
                if not (inspect.isclass(cls) and is_dataclass(cls) and cls.__module__ == module.__name__):
                    continue
                has_defaults = all(f.default is not MISSING or f.default_factory is not MISSING for f in fields(cls))
                if has_defaults and fields(cls) and not inspect.isabstract(cls) and not cls.__name__.startswith("_"):
                    yield cls


CLASSES = sorted(set(classes()), key=lambda cls: cls.__name__)


def wrong_values(kinds):
    """Values of other types than the simple ones among the kinds; where a number is meant, any that is one may be."""
    values = [1j, [1, 2]]
    values += [] if str in kinds else ["3"]
    values += [] if float in kinds else [1.5]
    values += [] if float in kinds or int in kinds else [3]
    return values + ([] if type(None) in kinds else [None])


CASES = [
    (cls, name, value)
    for cls in CLASSES
    for name, kinds in _declared(cls)
    if next(f for f in fields(cls) if f.name == name).init
    for value in wrong_values(kinds)
]


@pytest.mark.parametrize(("cls", "name", "value"), CASES)
def test_an_option_of_another_type_is_named(cls, name, value):
    cls()
    with pytest.raises(ValueError, match=rf"(?s)\b{re.escape(name)}\b.*got"):
        cls(**{name: value})


def test_every_kind_of_option_is_there():
    names = {cls.__name__ for cls in CLASSES}
    assert names >= {"SmoothGrad", "Owen", "Curves", "Transfer", "GradCAM", "EnergyOrder", "Geometry", "Wave", "Ray"}
    assert len(CASES) > 400


@dataclass
class Options:
    size: tuple[int, int] = (1, 2)
    rates: tuple[float, ...] = ()
    name: str | None = None
    both: tuple[int, str] = (1, "a")
    start: torch.Tensor | float = 0.0  # not judged
    share: float = 1

    def __post_init__(self):
        check_fields(self)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 8}, "size must be a tuple of 2 whole numbers; got 8."),
        ({"size": (8,)}, "size must be a tuple of 2 whole numbers; got (8,)."),
        ({"size": (8, 8.0)}, "size must be a tuple of 2 whole numbers; got (8, 8.0)."),
        ({"size": [8, 8]}, "size must be a tuple of 2 whole numbers; got [8, 8]."),
        ({"rates": (1, "a")}, "rates must be a tuple of numbers; got (1, 'a')."),
        ({"name": 3}, "name must be a text or None; got 3."),
        ({"both": (1, 2)}, "both must be a tuple of a whole number, a text; got (1, 2)."),
        ({"share": True}, "share must be a number; got True."),
        ({"share": torch.tensor(1.0)}, "share must be a number; got tensor(1.). Take Python's numbers, by item()."),
    ],
)
def test_the_sentence_says_what_is_taken(options, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        Options(**options)


def test_numbers_of_numpy_are_told_as_such():
    with pytest.raises(ValueError, match=r"size must be .* whole numbers; got \(.*\)\. Take Python's numbers, by"):
        Options(size=(np.int64(8), np.int64(8)))


def test_what_fits_passes_and_other_types_are_not_judged():
    Options(size=(3, 4), rates=(1, 2.5), name="a", start=torch.zeros(2), share=3)
    Options(start="whatever")


def test_a_class_of_a_page_is_judged_too():
    names = {"__name__": "no module", "wl": wl}
    code = "from dataclasses import dataclass\n@dataclass(frozen=True)\n"
    code += "class Own(wl.metrics.Metric):\n    power: float = 2.0\n"
    code += "    columns = ()\n    def __call__(self, case): return ()"
    exec(compile(code, "page", "exec", dont_inherit=True), names)
    assert names["Own"](power=3).power == 3
    with pytest.raises(ValueError, match="power must be a number; got 'a'"):
        names["Own"](power="a")
