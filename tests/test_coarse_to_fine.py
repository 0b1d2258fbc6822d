"""Paths on which scales enter one after another, and paths from shuffled coefficients."""

import itertools

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal, takes
from wavelens.methods.routes import scale_after_scale

SHAPE = (12, 16)
ORDERS = ("coarse-to-fine", "fine-to-coarse", "both")


def ladder(x, domain, reverse=False):
    """The signals with ever more scales, from none to all."""
    z = domain.analysis(x)
    scales = list(z.layout.scales().values())[:: -1 if reverse else 1]
    return [z.only(*itertools.chain(*scales[:k])).synthesis() for k in range(len(scales) + 1)]


def signed(a):
    return wl.maps.profile(a).signed


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_each_scale_has_what_the_score_rises_by_as_it_enters(domain):
    """With fine quadrature, in orthonormal, redundant and complex domains alike."""
    net, x = Net(SHAPE), signal(SHAPE) / 3
    for order, reverse in (("coarse-to-fine", False), ("fine-to-coarse", True)):
        a = wl.attribute(net, x, 2, domain=domain, method=wl.CoarseToFine(order, steps=120))
        scores = torch.stack([net(step)[:, 2] for step in ladder(x, domain, reverse)], 1).diff(dim=1)
        expected = scores.flip(1) if reverse else scores
        assert (signed(a) - expected).abs().max() < 1e-6 * scores.abs().sum(1).max()
        assert a.gap.abs().max() < 1e-8


def test_both_is_the_mean_of_the_two_orders():
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT("db2", levels=2)
    there, back, both = (
        wl.attribute(net, x, 2, domain=domain, method=wl.CoarseToFine(order, steps=steps)).data
        for order, steps in zip(ORDERS, (12, 12, 24), strict=True)
    )
    assert relative(both, (there + back) / 2) < 1e-13
    assert relative(there, back) > 1e-3


@pytest.mark.parametrize("order", ORDERS)
def test_as_many_gradients_as_integrated_gradients(order):
    net, x = Net(SHAPE), signal(SHAPE)
    for steps in (25, 16, 7):
        a = wl.attribute(net, x, 2, domain=wl.DWT(levels=2), method=wl.CoarseToFine(order, steps=steps))
        assert a.spent.tolist() == [steps] * 3
    few = wl.attribute(net, x, 2, domain=wl.DWT(levels=2), method=wl.CoarseToFine(order, steps=1))
    assert few.spent.tolist() == [6 if order == "both" else 3] * 3  # one for each scale at least


def test_one_scale_is_integrated_gradients():
    net, x = Net(SHAPE), signal(SHAPE)
    for rule in ({"steps": 9}, {"steps": 9, "quadrature": "trapezoid"}, {"tolerance": 1e-3}):
        a, b = (
            wl.attribute(net, x, 2, domain=wl.Identity(), method=method(baseline=0.1, **rule))
            for method in (wl.CoarseToFine, wl.IntegratedGradients)
        )
        assert relative(a.data, b.data) < 1e-12
        assert a.spent.tolist() == b.spent.tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_a_tolerance_is_met_item_by_item(order):
    net, x = Net(SHAPE), signal(SHAPE) * torch.tensor([0.01, 1, 20]).reshape(-1, 1, 1, 1)
    a = wl.attribute(net, x, 2, domain=wl.DWT(), method=wl.CoarseToFine(order, tolerance=1e-3, max_steps=1500))
    assert (a.gap.abs() <= 1e-3 * (a.score - a.baseline_score).abs()).all()
    assert a.spent[0] < a.spent[2]


def test_gradients_for_which_there_is_no_room_are_asked_for_again(monkeypatch):
    net, x = Net(SHAPE), signal(SHAPE, batch=2) * 5
    method, domain = wl.CoarseToFine(tolerance=1e-3), wl.DWT(levels=2)
    whole = wl.attribute(net, x, 2, domain=domain, method=method)
    monkeypatch.setattr("wavelens.methods.adaptive.KEPT_GRADIENT_BYTES", 5 * x[0].nbytes)
    again = wl.attribute(net, x, 2, domain=domain, method=method)
    assert relative(again.data, whole.data) < 1e-13
    assert again.spent.sum() > whole.spent.sum()


def test_signals_go_through_their_scales_side_by_side():
    x = {"image": signal(SHAPE), "text": signal((5,), channels=4, seed=2), "sound": signal((16,), channels=1)}
    domains = {"image": wl.DWT(levels=2), "text": wl.Identity(), "sound": wl.DWT(levels=1)}
    joint = wl.Joint.of(x, domains)
    layout = joint.layout((joint.samples["sound"].stop,))
    shares = scale_after_scale(layout)[:, 0]
    names = ["image a2", "image d2", "image d1", "text x", "sound a1", "sound d1"]
    assert list(layout.scales()) == names
    entering = {key: [shares[:, layout.slices[band]][:, 0] for band in scale] for key, scale in layout.scales().items()}
    expected = {  # legs end at 1/3, 1/2, 2/3 and 1
        "image a2": [1, 0, 0, 0],
        "image d2": [0, 1 / 2, 1 / 2, 0],
        "image d1": [0, 0, 0, 1],
        "text x": [1 / 3, 1 / 6, 1 / 6, 1 / 3],
        "sound a1": [2 / 3, 1 / 3, 0, 0],
        "sound d1": [0, 0, 1 / 3, 2 / 3],
    }
    for key, columns in entering.items():
        for column in columns:
            assert torch.allclose(column, torch.tensor(expected[key], dtype=torch.float64)), key
    back = scale_after_scale(layout, reverse=True)[:, 0]
    assert torch.equal(back[:, layout.slices[layout.scales()["image d1"][0]]][:, 0] > 0, torch.tensor([1, 0, 0, 0]) > 0)
    assert torch.allclose(shares.sum(0), torch.ones(layout.size, dtype=torch.float64))


@pytest.mark.parametrize("domain", [d for d in DOMAINS if takes(d, SHAPE)], ids=name)
def test_from_shuffled_coefficients_the_mean_of_the_rises_is_accounted_for(domain):
    net, x = Net(SHAPE), signal(SHAPE) / 3
    method = wl.IntegratedGradients(steps=60, baseline="shuffled", shuffles=3, seed=4)
    a = wl.attribute(net, x, 2, domain=domain, method=method)
    assert (a.score - a.baseline_score - a.data.sum((1, 2)) - a.gap).abs().max() < 1e-12
    assert a.gap.abs().max() < 1e-7 * a.score.abs().max()
    assert a.standard_error.shape == (3, len(a.layout.scales()))
    assert a.spent.tolist() == [180] * 3


def test_the_standard_error_over_shuffles_is_that_of_their_mean():
    """Of shares of the profile, which are nearly means, it is close to what many runs of as many shuffles spread by."""
    net, x, domain = Net(SHAPE), signal(SHAPE, batch=1), wl.DWT(levels=2)
    runs = [
        wl.attribute(
            net, x, 2, domain=domain, method=wl.IntegratedGradients(8, baseline="shuffled", shuffles=8, seed=k)
        )
        for k in range(40)
    ]
    spread = torch.stack([wl.maps.profile(a).share[0] for a in runs]).std(0)
    told = torch.stack([a.standard_error[0] for a in runs]).square().mean(0).sqrt()
    assert ((told / spread).log().abs() < 0.5).all()
    alone = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(8, baseline="shuffled", shuffles=1))
    assert alone.standard_error.isnan().all()


def test_another_baseline_takes_the_place_of_shuffles():
    net, x, domain = Net(SHAPE), signal(SHAPE), wl.DWT(levels=2)
    a = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(9, baseline="shuffled"), baseline=0.2)
    b = wl.attribute(net, x, 2, domain=domain, method=wl.IntegratedGradients(9, baseline=0.2))
    assert torch.equal(a.data, b.data)


def test_checks_take_a_shuffled_baseline():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * 12 * 16, 3)).double().eval()
    method = wl.IntegratedGradients(steps=4, baseline="shuffled", shuffles=2)
    findings = wl.check(net, signal(SHAPE), 1, domain=wl.DWT(levels=1), method=method)
    assert {one.check: one.status for one in findings.verdicts}["complete"] == "pass"


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: wl.IntegratedGradients(baseline="black"), "baseline must be a number or 'shuffled'; got 'black'"),
        (lambda: wl.IntegratedGradients(shuffles=0), "shuffles must be a whole number from 1; got shuffles=0"),
        (
            lambda: wl.CoarseToFine("upwards"),
            "order must be one of coarse-to-fine, fine-to-coarse, both; got 'upwards'",
        ),
        (lambda: wl.CoarseToFine(steps=0), "steps must be a whole number from 1; got steps=0"),
        (lambda: wl.CoarseToFine(quadrature="simpson"), "quadrature must be one of gauss-legendre"),
        (lambda: wl.CoarseToFine(tolerance=0.1, max_steps=3), "max_steps at least 9; got tolerance=0.1, max_steps=3"),
    ],
)
def test_wrong_options_say_what_to_do(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_a_baseline_for_one_of_several_signals_only_is_refused_beside_shuffles():
    x = {"a": signal((8,)), "b": signal((8,))}
    with pytest.raises(ValueError, match=r"baseline is 'shuffled', for all signals or none; got none for b\."):
        wl.attribute(
            lambda a, b: (a * b).flatten(1).sum(1),
            x,
            None,
            domain={"a": wl.Identity(), "b": wl.Identity()},
            method=wl.IntegratedGradients(baseline="shuffled"),
            baseline={"a": 0.0},
        )
