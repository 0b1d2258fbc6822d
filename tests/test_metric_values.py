"""Metrics as values: their columns, their options, and functions of a user's own."""

import inspect
from dataclasses import fields

import pytest
import torch
from torch import nn

import wavelens as wl
from wavelens.metrics.measures import METRICS
from wavelens.metrics.metric import Case, Column, OfFunction, columns_of


@pytest.mark.parametrize("metric", METRICS, ids=lambda cls: cls.__name__)
def test_a_metric_has_the_options_of_its_function(metric):
    """The defaults stand twice, in the function for Python and in the dataclass for texts: they are the same."""
    name = {"Curves": "curves", "PointingGame": "pointing_game"}.get(metric.__name__, metric.columns[0].name)
    parameters = inspect.signature(getattr(wl.metrics, name)).parameters
    if "options" in parameters:
        pytest.skip("its options are a dictionary")
    for f in fields(metric):
        assert parameters[f.name].default == f.default, f.name


def test_names_of_columns_differ():
    names = [column.name for column in columns_of([cls() for cls in METRICS])]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (("x", "most"), "better must be 'more', 'less' or None; got 'most' for x"),
        (("x", None, "mode"), "middle must be 'mean' or 'median'; got 'mode' for x"),
        (("", None), "a column must have a name; got ''"),
        (("x", None, "mean", 1), "is_curve must be True or False; got 1"),
    ],
)
def test_columns_that_mean_nothing_are_refused(column, sentence):
    with pytest.raises(ValueError, match=sentence):
        Column(*column)


def test_a_function_is_given_what_it_takes():
    def asks(model, x, target, attribution, *, region, explainer, batch_size, seed=3, share=0.5):
        taken.append((region, explainer, batch_size, seed, share))
        return x.sum((1, 2))

    taken, x = [], torch.ones(2, 1, 3)
    metric = OfFunction.of("own:asks", asks, {"share": 0.5})
    assert (repr(metric), metric.needs_region) == ("own:asks", True)
    a = wl.Identity().analysis(x)
    assert metric.measured(Case(nn.Identity(), x, 0, a, print, 4))["asks"].isnan().all()
    region = torch.ones(2, 3, dtype=torch.bool)
    found = metric.measured(Case(nn.Identity(), x, 0, a, print, 4, region=region))
    assert found["asks"].tolist() == [3, 3]
    assert taken == [(region, print, 4, 3, 0.5)]
