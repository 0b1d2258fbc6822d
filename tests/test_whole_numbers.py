"""Where a whole number is asked for, a boolean is refused: `levels=True` is a mistake, not one level."""

from dataclasses import fields, is_dataclass

import pytest
import torch

import wavelens as wl
from wavelens.baselines.controls import RandomOrder
from wavelens.metrics import measures
from wavelens.metrics.metric import Metric
from wavelens.runs.executors.processes import Processes
from wavelens.spec import DOMAINS, METHODS
from wavelens.whole_numbers import is_whole

METRICS = [one for one in vars(measures).values() if isinstance(one, type) and issubclass(one, Metric)]
CLASSES = [*DOMAINS, *METHODS, *METRICS, wl.masks.Noise, RandomOrder, Processes]
REQUIRED = {wl.Captum: {"algorithm": "Saliency"}}
WHOLE = [
    pytest.param(cls, field.name, id=f"{cls.__name__}.{field.name}")
    for cls in CLASSES
    if is_dataclass(cls)
    for field in fields(cls)
    if field.type in ("int", "int | None", "int | tuple[int, ...] | None")
]


@pytest.mark.parametrize("value", [True, False, 1.0, "1"])
@pytest.mark.parametrize(("cls", "name"), WHOLE)
def test_only_a_whole_number_is_taken_for_one(cls, name, value):
    with pytest.raises(ValueError, match=rf"{name}\b.*\b{value}\b"):
        cls(**REQUIRED.get(cls, {}), **{name: value})


def test_the_fields_of_whole_numbers_are_many():
    names = {one.values[1] for one in WHOLE}
    assert {"levels", "seed", "samples", "steps", "coordinates", "neighbours", "hop", "octaves", "blocks"} <= names
    assert len(WHOLE) > 40


INSIDE = {
    "levels of axes": lambda: wl.DWT("haar", (True, 1)),
    "a shift": lambda: wl.Shifted(wl.DWT(), (0, True)),
    "a shift of axes": lambda: wl.Shifted(wl.DWT(), ((0, 1), (True, 0))),
    "an edge": lambda: wl.GraphWavelets(edges=((False, True),)),
    "a tree": lambda: wl.TreeHaar(tree=(False, True)),
    "a seed of Captum": lambda: wl.Captum("Saliency", seed=True),
    "a batch": lambda: wl.attribute(
        lambda x: x.flatten(1), torch.ones(1, 1, 8), 0, domain=wl.Identity(), method=wl.Saliency(), batch_size=True
    ),
}


@pytest.mark.parametrize("name", INSIDE)
def test_a_boolean_inside_of_a_value_is_refused(name):
    with pytest.raises(ValueError, match=r"True"):
        INSIDE[name]()


def test_a_text_has_no_boolean_for_a_number():
    with pytest.raises(ValueError, match=r"levels .* got True"):
        wl.parse("DWT('haar', levels=True)")


def test_whole_numbers_lie_within_their_ends():
    assert [is_whole(n, 1, 3) for n in (0, 1, 3, 4)] == [False, True, True, False]
    assert is_whole(10**400)
