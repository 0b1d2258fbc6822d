"""Randomization, stability and correlation: what an explanation does when the model or the input changes."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from cases import Net, relative, signal
from wavelens.metrics.correlation import student
from wavelens.metrics.randomization import randomized

SHAPE = (6, 8)
CLASSES = [2, 0, 4]
SALIENCY = partial(wl.attribute, domain=wl.DWT("haar", levels=1), method=wl.Saliency())


class Layers(nn.Module):
    """Layers with and without a reset of their own, a normalization with buffers, and one inside another."""

    def __init__(self, size=96):
        super().__init__()
        torch.manual_seed(3)
        self.gain = nn.Parameter(torch.rand(size) + 0.5)
        self.first = nn.Linear(size, 12)
        self.block = nn.Sequential(nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 12))
        self.last = nn.Linear(12, 5)
        self.block[0].running_mean.normal_()
        self.double().eval()

    def forward(self, x):
        return self.last(torch.tanh(self.block(self.first(self.gain * x.flatten(1)))))


def case():
    net, x = Layers(), signal(SHAPE)
    return net, x, SALIENCY(net, x, CLASSES)


def test_layers_one_after_another_from_both_sides():
    net, x, a = case()
    down = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY)
    up = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY, order="bottom-up")
    one = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY, cascade=False)
    assert down.layers == ("last", "block.2", "block.0", "first", "")
    assert up.layers == down.layers[::-1]
    assert down.correlation.shape == (5, 3)
    assert torch.equal(down.correlation[-1], up.correlation[-1])  # all is reset, to the same weights
    assert torch.equal(down.correlation[0], one.correlation[0])
    assert not torch.equal(down.correlation[1], one.correlation[1])
    assert relative(wl.metrics.cascading(net, x, CLASSES, a, explainer=SALIENCY), down.correlation.mean(0)) < 1e-12
    assert relative(wl.metrics.independent(net, x, CLASSES, a, explainer=SALIENCY), one.correlation.mean(0)) < 1e-12
    other = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY, seed=1)
    assert not torch.equal(other.correlation, down.correlation)


def test_generators_of_other_devices_are_left_alone(monkeypatch):
    """`torch.manual_seed` seeds those of every GPU, which nobody gives back."""

    def seeded(number):
        raise AssertionError(f"every GPU was seeded with {number}")

    net, x, a = case()
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded)
    assert wl.metrics.cascading(net, x, CLASSES, a, explainer=SALIENCY).isfinite().all()
    randomized(net)


def test_one_layer_is_reset_as_the_layer_resets_itself():
    net, x, a = case()
    seen = []

    def explain(model, x, target):
        seen.append({key: value.clone() for key, value in model.state_dict().items()})
        return SALIENCY(model, x, target)

    found = wl.metrics.randomization(net, x, CLASSES, a, explainer=explain, cascade=False)
    state = net.state_dict()
    for name, here in zip(found.layers, seen, strict=True):
        changed = {key for key in state if not torch.equal(here[key], state[key])}
        assert (
            changed
            == {
                "last": {"last.weight", "last.bias"},
                "block.2": {"block.2.weight", "block.2.bias"},
                "block.0": {"block.0.running_mean"},
                "first": {"first.weight", "first.bias"},
                "": {"gain"},
            }[name]
        )
    bound = 1 / 12**0.5
    assert seen[0]["last.weight"].abs().max() <= bound  # as nn.Linear draws it
    assert seen[-1]["gain"].mean().item() == pytest.approx(state["gain"].mean().item(), abs=0.15)
    assert seen[-1]["gain"].std().item() == pytest.approx(state["gain"].std().item(), rel=0.3)
    before, after = a.data.abs().mean(1), SALIENCY(changed_last(net, seen[0]), x, CLASSES).data.abs().mean(1)
    assert relative(found.correlation[0], wl.metrics.spearman(before, after)) < 1e-12


def changed_last(net, state):
    other = Layers()
    other.load_state_dict(state)
    return other


def test_named_layers_hold_what_is_inside_them():
    net, x, a = case()
    found = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY, layers=["first", "block", "last"])
    single = wl.metrics.randomization(net, x, CLASSES, a, explainer=SALIENCY)
    assert found.layers == ("last", "block", "first")
    assert torch.equal(found.correlation, single.correlation[[0, 2, 3]])


def test_what_knows_nothing_of_the_model_stays():
    net, x, _ = case()
    energy = lambda model, x, target: wl.metrics.energy_order(x, wl.DWT("haar", levels=1))  # noqa: E731
    found = wl.metrics.randomization(net, x, CLASSES, energy(net, x, 0), explainer=energy)
    assert relative(found.correlation, torch.ones(5, 3, dtype=x.dtype)) < 1e-12
    flat = lambda model, x, target: wl.Identity().analysis(torch.ones_like(x))  # noqa: E731
    assert wl.metrics.cascading(net, x, 0, flat(net, x, 0), explainer=flat).isnan().all()


def test_weights_come_back_in_their_own_memory_after_an_error_too():
    net, x, a = case()
    places = [p.data_ptr() for p in net.parameters()]
    state = {key: value.clone() for key, value in net.state_dict().items()}

    def broken(model, x, target):
        raise RuntimeError("no explanation")

    with pytest.raises(RuntimeError, match="no explanation"):
        wl.metrics.cascading(net, x, CLASSES, a, explainer=broken)
    wl.metrics.independent(net, x, CLASSES, a, explainer=SALIENCY)
    assert places == [p.data_ptr() for p in net.parameters()]
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert all(p.requires_grad for p in net.parameters())


def test_the_interval_of_a_mean():
    source = torch.Generator().manual_seed(0)
    values = torch.randn(2, 400, generator=source, dtype=torch.float64) * torch.tensor([[0.1], [0.3]]) + 0.2
    values[0, :7] = torch.nan  # items without a correlation do not count
    found = wl.metrics.Randomization(("b", "a"), values)
    low, high = found.interval()
    known = values[0, 7:]
    assert found.mean.tolist() == pytest.approx([known.mean().item(), values[1].mean().item()])
    arms = torch.stack([1.96601 * known.std() / 393**0.5, 1.96593 * values[1].std() / 20])  # t of 392 and 399 degrees
    assert relative(found.mean - low, arms) < 1e-4
    assert relative(high - found.mean, arms) < 1e-4
    few = wl.metrics.Randomization(("a",), values[:1, 7:13])
    quantiles = student(0.95, torch.tensor([7.0, 10.0, 30.0]))
    assert quantiles.tolist() == pytest.approx([2.36462, 2.22814, 2.04227], rel=5e-4)  # as tables have them
    six = values[0, 7:13]
    assert (few.interval()[1] - few.mean).item() == pytest.approx(2.5706 * six.std().item() / 6**0.5, rel=2e-3)
    wider = found.interval(level=0.99)
    assert (wider[0] < low).all()
    assert (wider[1] > high).all()
    assert all(end.isnan().all() for end in wl.metrics.Randomization(("a",), values[:1, 5:12]).interval())  # five
    with pytest.raises(ValueError, match="level must lie between 0 and 1; got 95"):
        found.interval(level=95)


def test_max_sensitivity_of_a_map_that_follows_the_input():
    x = signal(SHAPE)
    own = lambda model, x, target: wl.Identity().analysis(x)  # noqa: E731
    found = wl.metrics.max_sensitivity(None, x, None, own(None, x, None), explainer=own, samples=5, radius=0.1)
    span = x.flatten(1).amax(1) - x.flatten(1).amin(1)
    expected = 0.1 * span * (96 / 3) ** 0.5 / x.flatten(1).norm(dim=1)  # uniform noise has a variance of a third
    assert ((found / expected) > 1).all()
    assert ((found / expected) < 1.2).all()
    wider = wl.metrics.max_sensitivity(None, x, None, own(None, x, None), explainer=own, samples=5, radius=0.2)
    assert relative(wider, 2 * found) < 1e-9
    fixed = lambda model, x, target: wl.metrics.random_order(x, wl.Identity())  # noqa: E731
    assert wl.metrics.max_sensitivity(None, x, None, fixed(None, x, None), explainer=fixed).tolist() == [0, 0, 0]
    nothing = own(None, 0 * x, None)
    undivided = wl.metrics.max_sensitivity(None, x, None, nothing, explainer=own, samples=1, radius=0.0)
    assert relative(undivided, x.flatten(1).norm(dim=1)) < 1e-12


@pytest.mark.needs("captum")
def test_captums_max_sensitivity():
    from captum.metrics import sensitivity_max

    net, x = Net(SHAPE), signal(SHAPE)
    explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    seen = []

    def record(model, x, target):
        seen.append(x.clone())
        return explain(model, x, target)

    a = explain(net, x, CLASSES)
    ours = wl.metrics.max_sensitivity(net, x, CLASSES, a, explainer=record, samples=6)
    asked = torch.stack(seen, 1).flatten(0, 1)  # Captum repeats each item
    span = x.flatten(1).amax(1) - x.flatten(1).amin(1)
    assert ((asked.view(3, 6, -1) - x.flatten(1)[:, None]).abs().amax((1, 2)) <= 0.02 * span).all()

    def theirs(inputs, target):
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        return (explain(net, inputs, target).data.view_as(inputs),)

    expected = sensitivity_max(
        theirs, x, perturb_func=lambda inputs: asked, n_perturb_samples=6, target=torch.tensor(CLASSES)
    )
    assert relative(ours, expected) < 1e-12


@pytest.mark.needs("scipy")
def test_correlations_as_scipy_has_them():
    from scipy.stats import pearsonr, spearmanr

    source = np.random.default_rng(0)
    a, b = source.normal(size=(4, 50)), source.normal(size=(4, 50))
    a[1:] = a[1:].round(1)  # with ties
    b[2] = a[2] ** 3
    b[3] = -a[3]
    x, y = torch.tensor(a), torch.tensor(b)
    for i in range(4):
        assert wl.metrics.pearson(x, y)[i].item() == pytest.approx(pearsonr(a[i], b[i]).statistic, abs=1e-12)
        assert wl.metrics.spearman(x, y)[i].item() == pytest.approx(spearmanr(a[i], b[i]).statistic, abs=1e-12)
    assert wl.metrics.spearman(x, y)[2:].tolist() == pytest.approx([1, -1], abs=1e-12)
    half = wl.metrics.spearman(x.float(), y.float())
    assert relative(half, wl.metrics.spearman(x, y)) < 1e-12


def test_what_differs_by_rounding_alone_is_equal():
    a = torch.tensor([0.3, 0.1 + 0.2, 5.0, 1e-17, -1e-17, 0.0], dtype=torch.float64)
    exact = torch.tensor([0.3, 0.3, 5.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    b = torch.tensor([1.0, 5, 2, 0, 4, 3], dtype=torch.float64)
    assert wl.metrics.spearman(a, b) == wl.metrics.spearman(exact, b)
    constant = torch.full((6,), 0.1, dtype=torch.float64) + 1e-17 * b
    assert wl.metrics.pearson(constant, b).isnan()
    assert wl.metrics.spearman(constant, b).isnan()
    assert wl.metrics.pearson(torch.zeros(6), b).isnan()


def test_options():
    net, x, a = case()
    m = wl.metrics
    with pytest.raises(ValueError, match="order must be one of top-down, bottom-up; got 'sideways'"):
        m.cascading(net, x, CLASSES, a, explainer=SALIENCY, order="sideways")
    with pytest.raises(ValueError, match="layers must be names of modules of the model; got layer4"):
        m.independent(net, x, CLASSES, a, explainer=SALIENCY, layers=["first", "layer4"])
    with pytest.raises(ValueError, match="layers must be names of modules of the model; got none"):
        m.cascading(nn.Flatten(), x, CLASSES, a, explainer=SALIENCY)
    with pytest.raises(ValueError, match=r"layers hold parameters that can be reset; block\.1 holds none"):
        m.cascading(net, x, CLASSES, a, explainer=SALIENCY, layers=["first", "block.1"])
    with pytest.raises(TypeError, match="model must be a module whose layers can be reset; got function"):
        m.cascading(lambda s: s, x, CLASSES, a, explainer=SALIENCY)
    elsewhere = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    for metric in (m.cascading, m.max_sensitivity):
        with pytest.raises(ValueError, match=r"explainer makes attributions like the one given, .* in Identity\(\)"):
            metric(net, x, CLASSES, a, explainer=elsewhere)
    with pytest.raises(ValueError, match="samples must be a whole number from 1; got samples=0"):
        m.max_sensitivity(net, x, CLASSES, a, explainer=SALIENCY, samples=0)
    with pytest.raises(ValueError, match="must be at least 0 and finite; got radius=-1"):
        m.max_sensitivity(net, x, CLASSES, a, explainer=SALIENCY, radius=-1)


def test_a_module_with_children_is_reset_without_them_unless_it_is_named():
    net, x, a = case()
    seen = []

    before = {name: p.clone() for name, p in net.named_parameters()}

    def changed(model, x, target):
        seen.append({name for name, p in model.named_parameters() if not torch.equal(p, before[name])})
        return SALIENCY(model, x, target)

    wl.metrics.randomization(net, x, CLASSES, a, explainer=changed, order="bottom-up")
    assert seen[0] == {"gain"}
    seen.clear()
    wl.metrics.randomization(net, x, CLASSES, a, explainer=changed, layers=["block"])
    assert {name.split(".")[0] for name in seen[0]} == {"block"}
