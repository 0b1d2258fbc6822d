"""A copy is trusted where it is the model; where it is not, what rests on it is not applicable."""

from __future__ import annotations

import copy
import re
import threading
import weakref
from functools import wraps

import pytest
import torch
from torch import nn

import wavelens as wl
from wavelens.engine.copies import NoCopyError, copied
from wavelens.metrics.randomization import randomized

OPTIONS = {"domain": wl.DWT("haar", 2), "method": wl.IntegratedGradients(steps=8)}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(2, 6, 5), nn.Tanh(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(24, 3)).eval()


def signals():
    return torch.rand(2, 2, 32, generator=torch.Generator().manual_seed(2))


def doubled(module):
    old = module.forward
    module.forward = lambda x: 2 * old(x)


def decorated(module):
    old = module.forward

    @wraps(old)
    def forward(*inputs):
        return old(*inputs)

    module.forward = forward


def bound(module):
    weight, bias = module.weight, module.bias
    module.forward = lambda x: nn.functional.linear(x, weight, bias)


def by_hook(module):
    module.register_forward_hook(lambda m, inputs, output: output + type(module).forward(module, *inputs))


OUTSIDE = nn.Linear(3, 3)


def by_global(module):
    module.register_forward_hook(lambda m, inputs, output: OUTSIDE(output))


def by_weak_reference(module):
    held = weakref.ref(module[4])
    module.register_forward_hook(lambda m, inputs, output: output + held().weight.sum())


def by_dictionary(module):
    held = {"layer": [module[4]]}
    module.register_forward_hook(lambda m, inputs, output: output + held["layer"][0].weight.sum())


class Itself(nn.Sequential):
    def __deepcopy__(self, memo):
        return self


class Sharing(nn.Sequential):
    def __deepcopy__(self, memo):
        return Sharing(*self)


class Forgetful(nn.Sequential):
    scale = 1.0

    def forward(self, x):
        return self.scale * super().forward(x)

    def __deepcopy__(self, memo):
        return Forgetful(*copy.deepcopy(list(self), memo))


class Broken(nn.Sequential):
    ready = False

    def forward(self, x):
        if not self.ready:
            raise RuntimeError("not ready")
        return super().forward(x)

    def __deepcopy__(self, memo):
        return Broken(*copy.deepcopy(list(self), memo))


def patched(put, name=""):
    def make():
        net = network()
        put(net.get_submodule(name))
        return net

    return make


def of(kind, **attributes):
    def make():
        model = kind(*network()).eval()
        vars(model).update(attributes)
        return model

    return make


NO_COPIES = {
    # name: how to make it, what the verdicts say, and whether it is known without an input
    "a patched forward": (patched(doubled), "still calls the model itself", True),
    "a global network": (patched(by_global), "none of its own", True),
    "a weak reference": (patched(by_weak_reference), "still calls the model itself", True),
    "a layer in a dictionary": (patched(by_dictionary), "still calls the model itself", True),
    "a patched layer": (patched(doubled, "4"), "still calls the model itself", True),
    "a decorated layer": (patched(decorated, "0"), "still calls the model itself", True),
    "parameters held by a function": (patched(bound, "4"), "still calls the model itself", True),
    "a hook": (patched(by_hook, "4"), "still calls the model itself", True),
    "its own copy": (of(Itself), "shares memory", True),
    "layers shared with its copy": (of(Sharing), "shares memory", True),
    "an attribute that is lost": (of(Forgetful, scale=3.0), "gives other scores or gradients", False),
    "a copy that does not run": (of(Broken, ready=True), r"does not run \(not ready\)", False),
    "no copy at all": (of(nn.Sequential, lock=threading.Lock()), "cannot be copied", True),
}


@pytest.mark.parametrize("name", NO_COPIES)
def test_what_rests_on_a_copy_that_is_not_the_model_is_not_applicable(name):
    make, reason, _ = NO_COPIES[name]
    model, x = make(), signals()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = wl.check(model, x, 1, **OPTIONS)
    for check in ("precise", "model_dependent"):
        assert found[check].status == "not applicable"
        assert re.search(reason, found[check].finding)
    assert found["differentiable"].status == "pass"  # it goes by the model itself then
    assert found.status != "fail"
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("name", [name for name, row in NO_COPIES.items() if row[2]])
def test_a_reset_copy_is_refused_where_it_is_not_the_model(name):
    make, reason, _ = NO_COPIES[name]
    model = make()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=reason):
        randomized(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


class Rebuilt(nn.Sequential):
    """Copied into training mode, as torchvision's feature extractors are."""

    def __deepcopy__(self, memo):
        return Rebuilt(*(copy.deepcopy(part, memo).train() for part in self))


def in_another_mode():
    return Rebuilt(*network(), nn.Dropout(0.5)).eval()


def tied():
    net = nn.Sequential(*network(), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 3)).eval()
    net[7].weight = net[6].weight
    return net


def normed():
    net = network()
    nn.utils.parametrizations.weight_norm(net[4])
    return net


def watched():
    net, store = network(), []
    net[0].register_forward_hook(lambda module, inputs, output: store.append(output.shape))
    return net


COPIES = {"plain": network, "another mode": in_another_mode, "tied": tied, "weight norm": normed, "a hook": watched}


@pytest.mark.parametrize("name", COPIES)
def test_copies_that_are_the_model_are_trusted(name):
    model, x = COPIES[name](), signals()
    found = wl.check(model, x, 1, **OPTIONS)
    assert found["precise"].status == "pass"
    assert 0 <= found["model_dependent"].figures["correlation"] < 0.99  # a small network's map knows little
    other = randomized(model)
    assert not other.training
    assert not torch.equal(other(x), model(x))
    assert torch.equal(copied(model)(x), model(x))


class Wrapping(nn.Module):
    """Calls a module that is not one of its parts."""

    def __init__(self, inner):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.call = lambda x: inner(x)

    def forward(self, x):
        return self.call(x) / self.scale


def hooked(inner):
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    net.register_forward_hook(lambda module, given, output: output + inner(given[0]))
    return net


def in_a_class(inner):
    class Local(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return inner(x) / self.scale

    return Local()


@pytest.mark.parametrize("make", [Wrapping, hooked, in_a_class])
def test_a_module_that_is_no_part_of_the_model_cannot_be_copied(make):
    inner = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    model, x = make(inner).eval(), torch.randn(2, 1, 12, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NoCopyError, match="calls a module that is not one of its parts"):
        copied(model)
    with pytest.raises(NoCopyError, match="calls a module that is not one of its parts"):
        copied(model, lambda m: [m(x)])
    with pytest.raises(NoCopyError, match="calls a module that is not one of its parts"):
        randomized(model)
    assert wl.check(model, x, target=1)["model_dependent"].status == "not applicable"
