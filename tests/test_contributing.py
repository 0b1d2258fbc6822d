"""The examples of CONTRIBUTING are a domain, a method and a metric that hold the laws."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import wavelens as wl
from cases import Net, relative, signal
from wavelens.core import Band, Coefficients, Domain, Layout, signal_axes
from wavelens.engine.gradients import Gradients
from wavelens.methods import Lift, Outcome
from wavelens.targets import Target

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
GIVEN = (dataclass, torch, Tensor, Band, Coefficients, Domain, Layout, signal_axes, Gradients, Lift, Outcome)
SHAPE = (5, 6)


@pytest.fixture(scope="module")
def examples():
    names = {given.__name__: given for given in GIVEN} | {"Target": Target, "nn": nn}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(code, names)
    return names


def test_the_domain_comes_back_and_adds_up(examples):
    domain, x, net = examples["Reversed"](), signal(SHAPE), Net(SHAPE)
    assert torch.equal(domain.analysis(x).synthesis(), x)
    a = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(steps=60))
    pixels = wl.attribute(net, x, 2, domain=wl.Identity(), method=wl.IntegratedGradients(steps=60))
    assert relative(a.data, pixels.data.flip(-1)) < 1e-12


def test_the_method_asks_halfway(examples):
    x, net = signal(SHAPE), Net(SHAPE)
    a = wl.attribute(net, x, 2, domain=wl.DWT("db2", 1), method=examples["Halfway"]())
    saliency = wl.attribute(net, x / 2, 2, domain=wl.DWT("db2", 1), method=wl.Saliency())
    assert relative(a.data, saliency.data) < 1e-12


def test_the_metric_counts(examples):
    c = wl.Identity().analysis(torch.tensor([[[1.0, 0.05, -0.5, 0.0]], [[0.0, 0.0, 0.0, 2.0]]]))
    assert examples["sparsity"](None, None, None, c).tolist() == [0.5, 0.25]
