"""A path from the blurred signal to the signal: completeness, the formula, and items alone."""

import itertools

import pytest
import torch

import wavelens as wl
from cases import ONE_OF_EACH_KIND, SHAPES, Net, name, relative, signal, takes
from test_bound import Ranked
from wavelens import masks
from wavelens.core import real_product

SHAPE, TARGET = (12, 17), [1, 0, 3]


def explain(net, x, target, domain, steps=6, sigma=2.0, **options):
    return wl.attribute(net, x, target, domain=domain, method=wl.BlurredPath(sigma, steps), **options)


@pytest.mark.parametrize("domain", ONE_OF_EACH_KIND, ids=name)
def test_it_adds_up_to_the_rise_over_the_blurred_signal(domain):
    for shape in (shape for shape in SHAPES if takes(domain, shape)):
        net, x = Net(shape), signal(shape) / 3
        a = explain(net, x, TARGET, domain, steps=80)
        begins = net(masks.Blur(2.0)(x))[range(3), TARGET]
        assert relative(a.baseline_score, begins) < 1e-12
        assert (a.score - a.baseline_score - a.data.sum((1, 2)) - a.gap).abs().max() < 1e-10
        assert a.gap.abs().max() < 2e-3 * (a.score - a.baseline_score).abs().max()


@pytest.mark.parametrize("domain", [wl.DWT("db4", levels=2, mode="reflect"), wl.Fourier(), wl.Identity()], ids=name)
def test_it_is_the_sum_over_parts(domain):
    net, x = Net(SHAPE), signal(SHAPE)
    levels = [masks.Blur(2.0 * (1 - k / 6))(x) if k < 6 else x for k in range(7)]
    z = domain.analysis(x)
    expected = torch.zeros_like(z.data.real)
    for before, after in itertools.pairwise(levels):
        point = ((before + after) / 2).requires_grad_()
        (g,) = torch.autograd.grad(net(point)[range(3), TARGET].sum(), point)
        expected += real_product(domain.analysis(after - before).data, domain.adjoint(g, z.layout).data)
    assert relative(explain(net, x, TARGET, domain).data, expected) < 1e-11


@pytest.mark.parametrize("domain", [wl.DWT("haar", levels=2), Ranked()], ids=name)
def test_an_item_is_the_same_alone_and_in_any_chunk(domain):
    shape = (24,) if isinstance(domain, Ranked) else SHAPE
    net, x = Net(shape), signal(shape)
    whole = explain(net, x, TARGET, domain)
    assert relative(explain(net, x, TARGET, domain, batch_size=2).data, whole.data) < 1e-12
    assert relative(explain(net, x[1:2], TARGET[1], domain).data, whole.data[1:2]) < 1e-12
    assert whole.spent.tolist() == [6, 6, 6]


def test_several_domains_share_the_passes_and_several_targets_are_each_what_they_are():
    net, x = Net(SHAPE), signal(SHAPE)
    one, two = explain(net, x, TARGET, [wl.DWT("haar", levels=2), wl.Fourier()])
    assert relative(two.data, explain(net, x, TARGET, wl.Fourier()).data) < 1e-13
    assert one.spent.tolist() == [6, 6, 6]
    both = explain(net, x, wl.targets.Several(2, TARGET), wl.Fourier())
    assert relative(both.data[1], two.data) < 1e-13


def test_wrong_widths_and_several_signals_are_refused():
    for sigma in (0, -1.0, float("inf"), "wide"):
        with pytest.raises(ValueError, match="the blur's width in samples, must be finite and above 0; got sigma="):
            wl.BlurredPath(sigma)
    x = {"a": signal((8,)), "b": signal((8,))}
    domains = dict.fromkeys(x, wl.Identity())
    with pytest.raises(ValueError, match=r"blurs one signal along its axes; got several. Take CoarseToFine"):
        wl.attribute(lambda a, b: (a * b).flatten(1).sum(1), x, None, domain=domains, method=wl.BlurredPath(2.0))
