"""Masks keep what they say: parts add up, ranks are exact and stable, an item is the same alone and in a batch."""

import itertools
from fractions import Fraction

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, SHAPES, Net, name, over_pairs, relative, signal
from wavelens import masks
from wavelens.core import Coefficients

EXACT = 1e-11  # filters of PyWavelets reconstruct to 1e-12
over_domains = pytest.mark.parametrize("domain", DOMAINS, ids=name)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=repr)
FRACTIONS = [0, 0.05, 0.29, Fraction(1, 3), 0.5, 1]


def attribution(domain, shape, seed=5):
    """Signed random numbers in the layout of a domain, `(3, 2, size)`, with many ties."""
    layout = domain.analysis(signal(shape)).layout
    draw = torch.Generator().manual_seed(seed)
    return Coefficients(torch.randint(-4, 5, (3, 2, layout.size), generator=draw).double(), layout)


@over_pairs
def test_ones_keep_the_input_and_zeros_the_baseline(domain, shape):
    x, a = signal(shape), attribution(domain, shape)
    everything, nothing = masks.top(a, 1), masks.top(a, 0)
    assert relative(everything.apply(x), x) < EXACT
    assert relative(everything.apply(x, baseline=0.7), x) < EXACT
    start = signal(shape, seed=9)
    assert torch.equal(nothing.apply(x, baseline=start), start)
    assert not nothing.apply(x).any()


@over_pairs
def test_kept_and_dropped_add_up(domain, shape):
    x, a = signal(shape), attribution(domain, shape)
    for mask in (masks.top(a, 0.3), masks.threshold(a, 0.6), masks.Mask(a.data.abs() / 4, a.layout)):
        assert relative(mask.apply(x) + mask.complement().apply(x), x) < EXACT


@over_pairs
def test_parts_and_stems_add_up(domain, shape):
    x, a = signal(shape), attribution(domain, shape)
    pieces = masks.parts(a)
    assert len(pieces) == len(a.layout.bands)
    assert torch.equal(sum(mask.data for mask in pieces.values()), torch.ones(1, 1, a.layout.size).double())
    assert relative(sum(mask.apply(x) for mask in pieces.values()), x) < EXACT
    soft = masks.Mask(a.data.abs() / 4, a.layout)
    for mask in (masks.top(a, 0.3), soft):
        stems = masks.stems(x, mask)
        assert list(stems) == [*a.layout.scales(), "residue"]
        assert relative(sum(stems.values()), x) < EXACT
        assert relative(stems["residue"], mask.complement().apply(x)) < EXACT
        for scale, stem in list(stems.items())[:-1]:
            both = masks.Mask(mask.data * masks.scale(a, scale).data, a.layout)
            assert relative(stem, both.apply(x)) < EXACT


@over_pairs
def test_top_counts_exactly_and_nests(domain, shape):
    a = attribution(domain, shape)
    found = [masks.top(a, fraction).data for fraction in FRACTIONS]
    for fraction, mask in zip(FRACTIONS, found, strict=True):
        count = Fraction(str(fraction)) * a.layout.size // 1
        assert mask.shape == (3, 1, a.layout.size)
        assert torch.equal(mask.sum(-1), torch.full((3, 1), float(count)).double())
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert all((less <= more).all() for less, more in itertools.pairwise(found))


@over_domains
def test_top_keeps_what_matters_and_of_equals_the_first(domain):
    a = attribution(domain, (12, 17))
    mean = a.data.abs().mean(1)
    for mask in (masks.top(a, 0.3), masks.threshold(a, 0.5)):
        kept = mask.data[:, 0].bool()
        for values, keep in zip(mean, kept, strict=True):
            assert values[keep].min() >= values[~keep].max()
    for values, keep in zip(mean, masks.top(a, 0.3).data[:, 0].bool(), strict=True):
        ties = keep[values == values[keep].min()].int()
        assert ties.sum() < len(ties)  # ties are cut through
        assert torch.equal(ties, ties.sort(descending=True).values)


@over_domains
def test_order_is_that_of_a_stable_sort(domain):
    a = attribution(domain, (6, 7))
    found = masks.order(a)[:, 0]
    for item, places in enumerate(found):
        mean = a.data[item].abs().mean(0).tolist()
        assert places.tolist() == sorted(range(len(mean)), key=lambda i: -mean[i])


@over_shapes
def test_an_item_alone_is_as_in_its_batch(shape):
    x, net = signal(shape), Net(shape)
    domain, method = wl.DWT("db2", levels=1), wl.IntegratedGradients(steps=5)
    whole = wl.attribute(net, x, 2, domain=domain, method=method)
    for item in range(len(x)):
        alone = wl.attribute(net, x[item : item + 1], 2, domain=domain, method=method)
        for mask in (lambda a: masks.top(a, 0.2), lambda a: masks.threshold(a, 0.3)):
            assert torch.equal(mask(whole).data[item], mask(alone).data[0])
            assert relative(mask(whole).apply(x)[item], mask(alone).apply(x[item : item + 1])[0]) < EXACT


def test_reductions_say_what_is_ranked():
    c = wl.Identity().analysis(torch.tensor([[[3.0, -4.0, 1.0, 0.0], [3.0, 4.0, -5.0, 0.5]]]))
    assert masks.order(c).tolist() == [[[1, 0, 2, 3]]]  # means of 3, 4, 3, 0.25; the tie goes to the first
    assert masks.order(c, reduce=masks.signed).tolist() == [[[0, 3, 1, 2]]]  # 3, 0, −2, 0.25
    assert masks.order(c, reduce=torch.abs).tolist() == [[[1, 0, 2, 3], [2, 1, 0, 3]]]
    assert masks.top(c, 0.25, reduce=torch.abs).data.tolist() == [[[0, 1, 0, 0], [0, 0, 1, 0]]]
    assert masks.threshold(c, 0.7).data.tolist() == [[[1, 1, 1, 0]]]  # at least 2.8


def test_a_threshold_keeps_nothing_of_nothing():
    c = wl.Identity().analysis(torch.tensor([[[0.0, 0.0]], [[0.0, 2.0]]]))
    assert masks.threshold(c, 0.0).data.tolist() == [[[0, 0]], [[0, 1]]]
    assert masks.threshold(c, 1.0).data.tolist() == [[[0, 0]], [[0, 1]]]


def test_bands_scales_and_orientations_keep_theirs():
    x = signal((12, 16))
    z = wl.DWT("haar", levels=2).analysis(x)
    horizontal = [band for band in z.layout.bands if band.key == "da"]
    assert relative(masks.orientation(z, "da").apply(x), z.only(*horizontal).synthesis()) < EXACT
    assert relative(masks.scale(z, "d1", "a2").apply(x), x - masks.scale(z, "d2").apply(x)) < EXACT
    assert relative(masks.band(z, *horizontal[:1]).apply(x), z.only(horizontal[0]).synthesis()) < EXACT
    assert list(masks.parts(z)) == [str(band) for band in z.layout.bands]


def test_one_mask_a_target():
    x, net = signal((37,)), Net((37,))
    wanted = {"domain": wl.DWT("haar", levels=2), "method": wl.Saliency()}
    both = masks.top(wl.attribute(net, x, wl.targets.Several(1, 3), **wanted), 0.1)
    assert both.apply(x).shape == (2, *x.shape)
    for k, target in enumerate((1, 3)):
        one = masks.top(wl.attribute(net, x, target, **wanted), 0.1)
        assert torch.equal(both.data[k], one.data)
        assert relative(both.apply(x)[k], one.apply(x)) < EXACT
    assert relative(sum(masks.stems(x, both).values()), x.expand(2, *x.shape)) < EXACT


def test_a_mask_serves_other_signals_of_its_shape_and_precision():
    a = attribution(wl.DWT("haar", levels=2), (64,))
    single = masks.top(a, 0.5).apply(signal((64,)).float())
    assert single.dtype == torch.float32
    assert relative(single.double(), masks.top(a, 0.5).apply(signal((64,)))) < 1e-6
    one = masks.scale(a, "d1")  # a batch of one mask serves all items
    assert one.apply(signal((64,), batch=5)).shape == (5, 2, 64)


def test_gradients_pass_through_a_mask():
    a = attribution(wl.DWT("db2", levels=2), (64,))
    mask, x, y = masks.top(a, 0.3), signal((64,)).requires_grad_(), signal((64,), seed=9)
    (g,) = torch.autograd.grad((mask.apply(x) * y).sum(), x)
    assert relative(g, mask.apply(y)) < EXACT  # orthonormal: Wᵀ M W is its own adjoint


def test_errors_say_what_to_do():
    a = attribution(wl.DWT("haar", levels=2), (64,))
    with pytest.raises(ValueError, match=r"between 0 and 1; got values from -4 to 4\. Clamp"):
        masks.Mask(a.data, a.layout)
    with pytest.raises(ValueError, match="between 0 and 1; got values from nan to nan"):
        masks.Mask(a.data * float("nan"), a.layout)
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"fraction, the part of the coefficients to keep, .*; got {wrong}"):
            masks.top(a, wrong)
        with pytest.raises(ValueError, match=f"ratio, a part of the largest importance, .*; got {wrong}"):
            masks.threshold(a, wrong)
    with pytest.raises(ValueError, match=r"must be finite; got NaN or infinity"):
        masks.top(a.map(lambda data: data / 0), 0.5)
    with pytest.raises(ValueError, match=r"for signals \(batch, channel, 64\); got \(3, 2, 65\)"):
        masks.top(a, 0.5).apply(signal((65,)))
    with pytest.raises(ValueError, match=r"for signals \(batch, channel, 64\); got \(2, 64\)"):
        masks.top(a, 0.5).apply(signal((64,))[0])
    with pytest.raises(ValueError, match=r"\(batch, channel\) = \(3, 1\), where 1 serves all; got .* \(2, 2\)"):
        masks.top(a, 0.5).apply(signal((64,), batch=2))
    with pytest.raises(ValueError, match="scales are among a2, d2, d1; got d3"):
        masks.scale(a, "d1", "d3")
    with pytest.raises(ValueError, match="orientations are among a, d; got da"):
        masks.orientation(a, "da")
    other = wl.DWT("haar", levels=3).layout((64,)).bands[0]
    with pytest.raises(ValueError, match="bands are among a2, d2, d1; got a3"):
        masks.band(a, other)
