"""Cycle spinning: the mean over shifted runs, from one pass of gradients."""

import pytest
import torch

import wavelens as wl
from cases import SHAPES, Net, relative, signal

BASES = [wl.DWT("haar", levels=2), wl.DWT("db4", levels=2, mode="reflect"), wl.ConstantQ(2, octaves=1), wl.Identity()]
over_bases = pytest.mark.parametrize("base", BASES, ids=repr)


def spun(base, shape):
    return wl.Shifted(base, ((0,) * len(shape), tuple(range(1, len(shape) + 1)), (-2,) * len(shape)))


@over_bases
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_laws_of_a_domain(base, shape):
    x, domain = signal(shape), spun(base, shape)
    z = domain.analysis(x)
    assert relative(z.synthesis(), x) < 1e-12
    g = torch.randn_like(x)
    assert relative(domain.adjoint(g, z.layout).data, wl.Domain.adjoint(domain, g, z.layout).data) < 1e-12
    assert wl.parse(repr(domain)) == domain
    assert list(z.layout.scales()) == list(base.layout(shape).scales())
    assert [s.extent for s in z.layout.scales().values()] == [s.extent for s in base.layout(shape).scales().values()]


@over_bases
def test_an_account_is_the_mean_of_the_shifted_accounts(base):
    shape = (12, 17)
    net, x, domain = Net(shape), signal(shape), spun(base, shape)
    method = wl.IntegratedGradients(steps=6)
    a = wl.attribute(net, x, 2, domain=domain, method=method)
    profiles = []
    for shift in domain.shifts:
        moved = x.roll(shift, (2, 3))
        run = wl.attribute(
            lambda y, s=shift: net(y.roll([-k for k in s], (2, 3))), moved, 2, domain=base, method=method
        )
        profiles.append(wl.maps.profile(run).signed)
    assert relative(wl.maps.profile(a).signed, torch.stack(profiles).mean(0)) < 1e-10
    assert (a.data.sum((1, 2)) + a.gap - a.score + a.baseline_score).abs().max() < 1e-10


def test_all_shifts_of_a_wavelet_are_shift_invariant():
    domain = wl.Shifted(wl.DWT("db2", levels=2), (0, 1, 2, 3))
    x = signal((32,))
    here = wl.maps.scale_maps(domain.analysis(x))
    moved = wl.maps.scale_maps(domain.analysis(x.roll(5, 2)))
    energy = [{k: v.sum(1) for k, v in maps.items()} for maps in (here, moved)]
    for key in here:
        assert relative(energy[1][key], energy[0][key]) < 1e-12
    alone = [wl.DWT("db2", levels=2).analysis(one).data.abs().sum() for one in (x, x.roll(5, 2))]
    assert abs(alone[0] / alone[1] - 1) > 1e-4


def test_an_impulse_is_seen_where_it_lies_whatever_the_shift():
    x = torch.zeros(1, 1, 64, dtype=torch.float64)
    x[..., 41] = 1
    heat = wl.maps.spatial_map(wl.Shifted(wl.DWT("haar", levels=2), (0, 1, 2, 3)).analysis(x))[0]
    assert abs(int(heat.argmax()) - 41) <= 1
    assert heat.sum().item() == pytest.approx(
        wl.Shifted(wl.DWT("haar", levels=2), (0, 1, 2, 3)).analysis(x).data.abs().sum()
    )


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: wl.Shifted(wl.DWT(), ()), r"shifts must be one or more different numbers; got \(\)"),
        (lambda: wl.Shifted(wl.DWT(), (1, 1)), "shifts must be one or more different numbers"),
        (lambda: wl.Shifted(wl.TreeHaar()), "one whose samples can be shifted, such as DWT"),
        (
            lambda: wl.Shifted(wl.DWT(), ((0, 1),)).layout((8,)),
            r"a shift must be one number, or one per axis; got \(0, 1\)",
        ),
    ],
)
def test_what_cannot_be(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()
