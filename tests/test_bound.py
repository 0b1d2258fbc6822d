"""Domains that differ from item to item: every law holds for each item, alone, in a batch and in any chunk."""

from dataclasses import dataclass

import pytest
import torch

import wavelens as wl
from cases import METHODS, METRICS, PATHS, Net, explainer, name, relative, signal
from wavelens import masks, spec
from wavelens.bound import Bound, ItemDomain
from wavelens.core import Coefficients, Domain

SHAPE, CLASSES = (24,), [2, 0, 4]
ANEW = ("max_sensitivity", "cascading", "independent")  # explain inputs anew, which then have other coordinates


@dataclass(frozen=True)
class Ranked(ItemDomain):
    """Haar over the samples in the order of the item's own first channel; one axis."""

    levels: int = 2

    def geometry(self, x):
        return {"order": x[:, 0].argsort(1)}

    def layout(self, signal_shape):
        inner = wl.DWT("haar", self.levels).layout(signal_shape)
        return wl.core.Layout(self, signal_shape, inner.bands)

    def analyse(self, x, geometry):
        return wl.DWT("haar", self.levels).analysis(x.gather(2, self._order(x, geometry))).data

    def synthesise(self, data, geometry, layout):
        haar = wl.DWT("haar", self.levels)
        ordered = haar.synthesis(Coefficients(data, haar.layout(layout.signal_shape)))
        return torch.zeros_like(ordered).scatter(2, self._order(ordered, geometry), ordered)

    def _order(self, x, geometry):
        return geometry["order"][:, None].expand(-1, x.shape[1], -1)


def test_the_laws_of_a_domain():
    x, domain = signal(SHAPE), Ranked()
    bound = domain.bind(x)
    z = bound.analysis(x)
    assert relative(z.synthesis(), x) < 1e-14
    assert relative(domain.analysis(x).data, z.data) == 0
    c, g = z.map(torch.randn_like), torch.randn_like(x)
    inner = (c.data * bound.adjoint(g, z.layout).data).sum()
    assert abs(inner - (c.synthesis() * g).sum()) < 1e-10
    assert relative(bound.adjoint(g, z.layout).data, Domain.adjoint(bound, g, z.layout).data) < 1e-14
    assert relative(bound.at(slice(1, 2)).analysis(x[1:2]).data, z.data[1:2]) < 1e-14
    orders = bound.geometry["order"]
    assert not torch.equal(orders[0], orders[1])  # or the test would see nothing


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_an_item_alone_is_the_item_in_a_batch_and_in_any_chunk(method):
    net, x = Net(SHAPE), signal(SHAPE)
    together = wl.attribute(net, x, CLASSES, domain=Ranked(), method=method)
    small = wl.attribute(net, x, CLASSES, domain=Ranked(), method=method, batch_size=2)
    assert relative(small.data, together.data) < 1e-11
    for item in range(3):
        alone = wl.attribute(net, x[item : item + 1], CLASSES[item], domain=Ranked(), method=method)
        assert relative(alone.data, together.item(item).data) < 1e-11
        assert alone.layout == together.item(item).layout


@pytest.mark.parametrize("method", PATHS, ids=name)
def test_paths_are_complete_for_several_targets(method):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, wl.targets.Several(1, CLASSES), domain=Ranked(), method=method)
    assert ((a.score - a.baseline_score - a.gap) - a.data.sum((2, 3))).abs().max() < 1e-10
    assert relative(a.synthesis()[1, 2:], a.item(2).synthesis()[1]) < 1e-13


@pytest.mark.parametrize("metric", [one for one in METRICS if one not in ANEW])
def test_metrics_judge_an_item_by_its_own_coordinates(metric):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=Ranked(), method=wl.IntegratedGradients(steps=4))
    together = METRICS[metric](net, x, CLASSES, a)
    for item in range(3):
        alone = METRICS[metric](net, x[item : item + 1], CLASSES[item], a.item(item))
        assert relative(alone, together[item : item + 1]) < 1e-9


def test_pixel_maps_are_judged_in_the_items_coordinates():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.Saliency())
    together = wl.metrics.insertion(net, x, CLASSES, a, domain=Ranked(), steps=6)
    for item in range(3):
        one = slice(item, item + 1)
        alone = wl.metrics.insertion(net, x[one], CLASSES[item], a.item(item), domain=Ranked(), steps=6, batch_size=2)
        assert relative(alone, together[one]) < 1e-10


def test_masks_and_minimal_inputs():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=Ranked(), method=wl.IntegratedGradients(steps=4))
    mask = masks.top(a, 0.3)
    assert relative(mask.apply(x) + mask.complement().apply(x), x) < 1e-13
    found = masks.minimal(net, x, CLASSES, domain=Ranked(), alpha=[0.5, 9.0], steps=8, spatial=0.5, tolerance=None)
    for item in range(3):
        one = x[item : item + 1]
        alone = masks.minimal(
            net, one, CLASSES[item], domain=Ranked(), alpha=[0.5, 9.0], steps=8, spatial=0.5, tolerance=None
        )
        assert relative(found.mask.data[:, item], alone.mask.data[:, 0]) < 1e-9
        assert relative(found.rebuilt[:, item], alone.rebuilt[:, 0]) < 1e-9


def test_controls_have_the_items_layout():
    x = signal(SHAPE)
    a = wl.attribute(Net(SHAPE), x, CLASSES, domain=Ranked(), method=wl.Saliency())
    assert wl.metrics.energy_order(x, Ranked()).layout == a.layout
    assert wl.metrics.random_order(x, Ranked()).layout == a.layout


def test_saved_with_what_its_coordinates_rest_on(tmp_path, monkeypatch):
    monkeypatch.setitem(spec.NAMES, "Ranked", Ranked)
    x = signal(SHAPE)
    a = wl.attribute(Net(SHAPE), x, CLASSES, domain=Ranked(), method=wl.IntegratedGradients(steps=3))
    a.save(tmp_path / "a.safetensors")
    back = wl.Attribution.load(tmp_path / "a.safetensors")
    assert back.layout == a.layout
    assert torch.equal(back.synthesis(), a.synthesis())
    assert isinstance(back.domain, Bound)


def test_an_unbound_domain_says_so():
    z = Ranked().analysis(signal(SHAPE))
    with pytest.raises(ValueError, match=r"differs from item to item; bind it first: domain\.bind\(x\)"):
        Ranked().synthesis(z)
    with pytest.raises(ValueError, match="bound to 3 items; got 4 rows"):
        z.layout.domain.analysis(signal(SHAPE, batch=4))


def test_an_explainer_of_another_input_is_refused():
    """Max-sensitivity compares coefficient by coefficient, which have other places once the input has changed."""
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=Ranked(), method=wl.Saliency())
    moved = signal(SHAPE, seed=3)
    with pytest.raises(ValueError, match="explainer makes attributions like the one given"):
        wl.metrics.stability.explained(explainer(wl.Identity().analysis(x)), net, moved, CLASSES, a)
