"""Accounts at the level of coefficients whose sums by group are exact Shapley values."""

import itertools

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal
from test_bound import Ranked
from wavelens.core import Coefficients, real_product
from wavelens.methods import paths
from wavelens.methods.owen import corrected
from wavelens.methods.partitions import GROUPS, partition

SHAPE = (12, 16)
EXACT = 1e-10


def sums(a, groups="scales"):
    labels = partition(a.layout, a.data.shape[1], groups).labels.expand(a.data.shape[1:]).flatten()
    flat = a.data.flatten(1)
    return flat.new_zeros(len(flat), int(labels.max()) + 1).index_add_(1, labels, flat)


@pytest.mark.parametrize("domain", [*DOMAINS, Ranked()], ids=name)
def test_sums_by_scale_are_the_exact_values_in_every_domain(domain):
    shape = (24,) if isinstance(domain, Ranked) else SHAPE
    net, x = Net(shape), signal(shape)
    a = wl.attribute(net, x, [1, 0, 3], domain=domain, method=wl.Owen(permutations=2, steps=2))
    values = wl.shapley(net, x, [1, 0, 3], domain=domain).values
    assert relative(sums(a), values) < EXACT
    assert relative(wl.maps.profile(a).signed, values) < EXACT
    assert a.gap.abs().max() < EXACT * a.score.abs().max()


@pytest.mark.parametrize("groups", [g for g in GROUPS if g != "signals"])
def test_sums_of_other_groups_are_theirs(groups):
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("haar", levels=1)
    a = wl.attribute(net, x, 1, domain=domain, method=wl.Owen(groups, permutations=2, steps=2, max_permutations=8))
    values = wl.shapley(net, x, 1, domain=domain, groups=groups, method=wl.ScaleShapley(max_permutations=8)).values
    assert relative(sums(a, groups), values) < EXACT
    assert a.correction.shape == values.shape


def test_sums_of_several_signals_and_targets():
    x = {"a": signal((8,)), "b": signal((8,), seed=5)}
    domains = {"a": wl.DWT("haar", 1), "b": wl.Identity()}

    def net(a, b):
        return torch.stack([(a * b).flatten(1).sum(1), a.square().flatten(1).sum(1) - b.flatten(1).sum(1)], 1)

    for groups in ("signals", "scales"):
        targets = wl.targets.Several(0, 1)
        a = wl.attribute(net, x, targets, domain=domains, method=wl.Owen(groups, permutations=2, steps=2))
        values = wl.shapley(net, x, targets, domain=domains, groups=groups).values
        for k in range(2):
            one = Coefficients(a.joint.data[k], a.joint.layout)
            assert relative(sums(one, groups), values[k]) < EXACT


def test_in_each_group_it_is_the_mean_of_integrals_along_all_orders():
    """Against the definition, order by order, with as many orders and nodes as make every edge and integral exact."""
    net, x, domain = Net(SHAPE), signal(SHAPE, batch=2) / 3, wl.DWT("db2", levels=1)
    z = domain.analysis(x)
    scales = list(z.layout.scales().values())
    places, weights = paths.nodes("gauss-legendre", 12)
    expected = torch.zeros_like(z.data)
    for order in itertools.permutations(range(len(scales))):
        here = torch.zeros_like(z.data)
        for group in order:
            step = z.only(*scales[group]).data
            for place, weight in zip(places, weights, strict=True):
                point = (here + place * step).requires_grad_()
                score = net(Coefficients(point, z.layout).synthesis())[:, 2].sum()
                expected += weight / 2 * real_product(step, torch.autograd.grad(score, point)[0])
            here = here + step
    a = wl.attribute(net, x, 2, domain=domain, method=wl.Owen(permutations=2, steps=12))  # of two groups: all orders
    assert relative(a.data, expected) < 1e-7
    assert a.correction.abs().max() < 1e-7 * a.score.abs().max()
    assert a.spent.tolist() == [4 * 12] * 2


def test_corrections_shrink_with_orders_and_nodes():
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("haar", levels=3)
    sizes = [
        wl.attribute(net, x, 2, domain=domain, method=wl.Owen(permutations=n, steps=k)).correction.abs().mean()
        for n, k in ((2, 2), (8, 4), (64, 12))
    ]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2]


class Energies(torch.nn.Module):
    """A function of the mean squares of a signal's bands in its first channel."""

    def __init__(self, function, domain):
        super().__init__()
        self.function, self.domain = function, domain

    def forward(self, x):
        z = self.domain.analysis(x)
        return self.function([z[band][:, 0].square().mean(1) for band in z.layout.bands])


CLOSED = {
    "additive": (lambda e: 2 * e[1] - e[2], lambda a, b: (2 * a, -b)),
    "product": (lambda e: e[1] * e[2], lambda a, b: (a * b / 2, a * b / 2)),
    "or": (lambda e: 1 - (-1e3 * (e[1] + e[2])).exp(), lambda a, b: (0.5 + 0 * a, 0.5 + 0 * b)),
}


@pytest.mark.parametrize("form", CLOSED)
def test_closed_forms(form):
    """Sums share by themselves, products and alternatives by halves; in a scale each coefficient has its square's."""
    function, expected = CLOSED[form]
    domain, x = wl.DWT("haar", levels=2), signal((16,))
    z = domain.analysis(x)
    squares = [z[band][:, 0].square() for band in z.layout.bands]
    values = expected(*(square.mean(1) for square in squares[1:]))
    a = wl.attribute(Energies(function, domain).eval(), x, None, domain=domain, method=wl.Owen(steps=3))
    assert torch.allclose(sums(a), torch.stack([0 * values[0], *values], 1), atol=1e-9)
    for band, square, value in zip(z.layout.bands[1:], squares[1:], values, strict=True):
        assert relative(a[band][:, 0], value[:, None] * square / square.sum(1, keepdim=True)) < 1e-9
    assert (a.correction.abs().max() < 1e-9) == (form != "or")  # three nodes miss a step


def test_a_correction_goes_where_magnitudes_are():
    data = torch.tensor([[[[1.0, -3.0, 0.0, 0.0]]]], dtype=torch.float64)
    labels, step = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[[5.0, 5.0, 1.0, 2.0]]], dtype=torch.float64)
    values = torch.tensor([[[2.0, 10.0]]], dtype=torch.float64)
    whole, correction = corrected(data, values, labels, step)
    assert correction.tolist() == [[[4.0, 10.0]]]
    assert whole.flatten().tolist() == pytest.approx([2.0, 0.0, 2.0, 8.0])


def test_the_correction_is_stored_and_cut_with_its_item(tmp_path):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 2, domain=wl.DWT(levels=2), method=wl.Owen(permutations=2, steps=2))
    a.save(tmp_path / "owen.safetensors")
    back = wl.Attribution.load(tmp_path / "owen.safetensors")
    assert torch.equal(back.correction, a.correction)
    assert torch.equal(a.item(1).correction, a.correction[1:2])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"permutations": 3}, "permutations must be an even number, orders and their reverses; got 3"),
        ({"groups": "decades"}, "groups must be one of scales, octaves, bands, .*, signals; got 'decades'"),
        ({"steps": 0}, "steps must be a whole number from 1"),
        ({"steps": 10**5}, "gauss-legendre must have at most 10,000 steps"),
    ],
)
def test_wrong_options_say_what_to_do(options, match):
    with pytest.raises(ValueError, match=match):
        wl.Owen(**options)
