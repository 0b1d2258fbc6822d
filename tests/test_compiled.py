"""Compiled models are compiled for few numbers of rows, and give what the model gives."""

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

import wavelens as wl
from cases import Net, name, relative, signal

SHAPE = (6, 7)
METHODS = [
    wl.Saliency(),
    wl.SmoothGrad(samples=5, sigma=0.3),
    wl.IntegratedGradients(steps=5),
    wl.IntegratedGradients(tolerance=0.01),
]


def inside(net, backend):
    return nn.Sequential(torch.compile(net, backend=backend)).eval()


def in_place(net, backend):
    net.compile(backend=backend)
    return net


def function(net, backend):
    return torch.compile(lambda x: net(x), backend=backend)


WAYS = [lambda net, backend: torch.compile(net, backend=backend), inside, in_place, function]


@pytest.fixture(autouse=True)
def _fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("way", WAYS, ids=["model", "inside", "in place", "function"])
@pytest.mark.parametrize("batch_size", [None, 1, 4, 6])
@pytest.mark.parametrize("method", METHODS, ids=name)
def test_one_graph_with_gradients_and_one_without(method, batch_size, way):
    """But for nodes of an adaptive path, of which there are more in the second round."""
    counter, x = CompileCounter(), signal(SHAPE, batch=7)
    how = {"domain": wl.Identity(), "method": method, "batch_size": batch_size}
    found = wl.attribute(way(Net(SHAPE), counter), x, 2, **how)
    expected = wl.attribute(Net(SHAPE), x, 2, **how)
    assert relative(found.data, expected.data) < 1e-12
    assert relative(found.score, expected.score) < 1e-12
    assert found.spent.tolist() == expected.spent.tolist()
    values = not isinstance(method, wl.Saliency)
    assert 0 < counter.frame_count <= 1 + values + (getattr(method, "tolerance", None) is not None)


def test_metrics_use_few_graphs():
    counter, x = CompileCounter(), signal(SHAPE, batch=3)
    net = torch.compile(Net(SHAPE), backend=counter)
    a = wl.Identity().analysis(x.abs())
    found = wl.metrics.insertion(net, x, 2, a, steps=7)
    assert relative(found, wl.metrics.insertion(Net(SHAPE), x, 2, a, steps=7)) < 1e-12
    assert counter.frame_count <= 2


def test_memory_that_runs_out_costs_one_graph_more():
    counter, x = CompileCounter(), signal(SHAPE, batch=7)
    compiled = torch.compile(Net(SHAPE), backend=counter)

    def model(x):
        if len(x) > 2:
            raise torch.OutOfMemoryError("full")
        return compiled(x)

    model._torchdynamo_orig_callable = compiled
    how = {"domain": wl.Identity(), "method": wl.IntegratedGradients(steps=5)}
    found = wl.attribute(model, x, 2, **how, batch_size=4)
    assert relative(found.data, wl.attribute(Net(SHAPE), x, 2, **how).data) < 1e-12
    assert counter.frame_count == 2


class Half(nn.Module):
    """Of whose pass a compiled function is a part."""

    def __init__(self, backend):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.last = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Linear(6, 3)
        with torch.no_grad():
            self.norm.running_var.uniform_(0.5, 2)
        self.asked = nn.Linear(6, 6)
        self.tokens = torch.compile(self.compute_tokens, backend=backend)

    def compute_tokens(self, x):
        return self.asked(self.norm(self.first(x)).flatten(2).transpose(1, 2)).tanh()

    def forward(self, x):
        return self.last(self.tokens(x).mean(1))


def test_a_part_may_be_a_compiled_function():
    """Its frozen norm has the right gradient at one row, which torch's kernel on a CPU has not."""
    x, how = signal(SHAPE, batch=5), {"domain": wl.Identity(), "method": METHODS[2]}
    net, plain = Half("aot_eager").double().eval(), Half("eager").double().eval()
    plain.tokens = plain.compute_tokens
    expected = wl.attribute(plain, x, 2, **how)
    assert relative(wl.attribute(net, x, 2, **how).data, expected.data) < 1e-12
    assert relative(wl.attribute(net, x[:1], 2, **how, batch_size=1).data, expected.data[:1]) < 1e-12
