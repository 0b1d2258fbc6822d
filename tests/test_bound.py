"""Domains that differ from item to item: every law holds for each item, alone, in a batch and in any chunk."""

from dataclasses import dataclass

import pytest
import torch

import wavelens as wl
from cases import ANEW, METHODS, METRICS, PATHS, Net, explainer, name, relative, signal
from wavelens import masks, spec
from wavelens.bound import Bound, ItemDomain
from wavelens.core import Coefficients, Domain

SHAPE, CLASSES = (24,), [2, 0, 4]


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
    back = wl.Attribution.load(tmp_path / "a.safetensors", also=[Ranked])
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


CLOUD = signal((16,), channels=3)


def pair(*, cloud, tone):
    return torch.stack([cloud.pow(2).flatten(1).sum(1), (cloud[..., :8] * tone[:, :1]).sum((1, 2))], 1)


@pytest.mark.parametrize("batch_size", [None, 1, 2])
@pytest.mark.parametrize("metric", ["insertion", "deletion", "faithfulness", "mu_fidelity", "ff", "fid_in"])
def test_metrics_of_several_signals_judge_an_item_by_its_own_tree(metric, batch_size):
    x = {"cloud": CLOUD, "tone": signal((8,), channels=2)}
    domain = {"cloud": wl.TreeHaar(), "tone": wl.DWT("haar", 2)}
    a = wl.attribute(pair, x, 1, domain=domain, method=wl.IntegratedGradients(steps=4))

    def judged(rows):
        part = {name: value[rows] for name, value in x.items()}
        own = a if rows == slice(None) else a.item(rows.start)
        return getattr(wl.metrics, metric)(pair, part, 1, own, batch_size=batch_size)

    together = judged(slice(None))
    for k in range(3):
        alone = judged(slice(k, k + 1))
        assert (together[k : k + 1] - alone).abs().max() < 1e-9


@pytest.mark.parametrize("domain", [wl.TreeHaar(), wl.GraphWavelets(2)], ids=name)
@pytest.mark.parametrize("by_channel", [False, True])
def test_maps_of_several_targets_use_each_items_own_coordinates(domain, by_channel):
    def model(x):
        return x.pow(2).sum(2)

    a = wl.attribute(model, CLOUD, wl.targets.Several(0, 1), domain=domain, method=wl.IntegratedGradients(steps=2))
    together = wl.maps.spatial_map(a, by_channel=by_channel)
    for k in range(3):
        assert relative(together[:, k], wl.maps.spatial_map(a.item(k), by_channel=by_channel)[:, 0]) < 1e-12
    course = wl.maps.courses(a, 0, by_channel=by_channel)
    for scale, heat in wl.maps.scale_maps(a, by_channel=by_channel).items():
        assert relative(course[scale], heat) < 1e-12
    rows = wl.maps.scalogram(a, 16, by_channel=by_channel)
    stacked = torch.stack(list(wl.maps.scale_maps(a, by_channel=by_channel).values()), -2)
    assert relative(rows, stacked) < 1e-9


def test_several_signals_have_no_places_in_common():
    x = {"cloud": CLOUD, "tone": signal((8,), channels=2)}
    domain = {"cloud": wl.Identity(), "tone": wl.DWT("haar", 2)}
    a = wl.attribute(pair, x, 1, domain=domain, method=wl.IntegratedGradients(steps=2))
    for ask in (
        lambda: wl.maps.spatial_map(a.joint),
        lambda: wl.maps.courses(a.joint, 0),
        lambda: wl.maps.scalogram(a.joint),
        lambda: wl.bandwidths(a.joint.layout),
    ):
        with pytest.raises(ValueError, match=r"map them one by one, such as attributions\['cloud'\]"):
            ask()
    with pytest.raises(AttributeError, match=r"taken one by one, such as attributions\['cloud'\]; they have no common"):
        wl.maps.spatial_map(a)
    other = {"tone": x["tone"], "cloud": x["cloud"]}  # in another order
    assert torch.equal(wl.metrics.insertion(pair, other, 1, a), wl.metrics.insertion(pair, x, 1, a))
    with pytest.raises(ValueError, match="attributions must be those of signals"):
        wl.metrics.insertion(pair, {"cloud": CLOUD.reshape(3, 4, 12), "tone": x["tone"]}, 1, a)
    with pytest.raises(ValueError, match="baseline belongs to methods with one"):
        wl.attribute(pair, x, 1, domain=domain, method=wl.Saliency(), baseline=1.0)
    with pytest.raises(ValueError, match="baselines of several signals must be numbers or tensors; got Blur"):
        masks.minimal(pair, x, 1, domain=domain, baseline=masks.Blur(1.0), alpha=0.1)
    with pytest.raises(ValueError, match="every signal must have a domain such as DWT"):
        wl.attribute(pair, x, 1, domain={"cloud": wl.TreeHaar, "tone": "haar"}, method=wl.Saliency())
    found = masks.minimal(pair, x, 1, domain=domain, start=a, steps=2, alpha=0.1)
    assert torch.equal(found.after, masks.minimal(pair, x, 1, domain=domain, start=a.joint, steps=2, alpha=0.1).after)


@pytest.mark.parametrize("method", [wl.VarGrad(samples=3), wl.IntegratedGradients(steps=3)], ids=name)
def test_a_domain_bound_to_one_item_serves_any_number(method):
    bound = wl.TreeHaar(coordinates=1).bind(signal(SHAPE)[:1])
    net, x = Net(SHAPE), signal(SHAPE)
    whole = wl.attribute(net, x, 1, domain=bound, method=method)
    small = wl.attribute(net, x, 1, domain=bound, method=method, batch_size=1)
    assert relative(small.data, whole.data) < 1e-11
    assert relative(whole.item(2).synthesis(), whole.synthesis()[2:]) < 1e-12
    assert torch.isfinite(wl.metrics.insertion(net, x, 1, whole)).all()


@pytest.mark.parametrize("domain", [wl.TreeHaar(), wl.GraphWavelets(2), wl.GraphWavelets(2, order=9)], ids=name)
def test_coordinates_are_those_of_the_signals(domain):
    bound = domain.bind(CLOUD)
    with pytest.raises(ValueError, match=r"is bound to signals of 16 samples; got axes \(9,\)"):
        bound.layout((9,))
    short = {key: t[..., :8] for key, t in bound.geometry.items()}
    with pytest.raises(ValueError, match="got"):
        domain.rebound(short).layout((16,))
    with pytest.raises(ValueError, match=r"differ from item to item; ask for one: layout\.at"):
        wl.bandwidths(bound.layout((16,)))
    assert wl.bandwidths(bound.layout((16,)).at(slice(1, 2)))
    explainer = wl.baselines.FromMethod(wl.Saliency(), domain)
    a = explainer(lambda x: x.pow(2).sum(2), CLOUD, 1)
    with pytest.raises(ValueError, match=r"Explain in attribution\.layout\.domain, which is bound to the items"):
        wl.metrics.max_sensitivity(lambda x: x.pow(2).sum(2), CLOUD, 1, a, explainer=explainer, samples=1)


@pytest.mark.parametrize("domain", [wl.TreeHaar(), wl.GraphWavelets(2)], ids=name)
def test_one_item_of_several_is_drawn(domain):
    a = wl.attribute(lambda x: x.pow(2).sum(2), CLOUD, 1, domain=domain, method=wl.IntegratedGradients(steps=2))
    for item in (1, -1):
        wl.plots.panel(a, CLOUD, item=item)
    assert a._repr_html_()


def test_a_tree_too_deep_for_a_walk_is_refused():
    with pytest.raises(ValueError, match="tree must be at most some 900 nodes deep"):
        wl.TreeHaar(tuple(range(3000)))
