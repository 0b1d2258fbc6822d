"""Insertion and deletion: against the literal formula, brute force over all orders, exact ends, and Quantus."""

import itertools

import numpy as np
import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal
from wavelens.engine.gradients import Gradients

SHAPE = (12, 17)
CLASSES = [2, 0, 4]
SMALL = [
    (wl.Identity(), (5,)),
    (wl.DWT("haar", levels=2), (4,)),
    (wl.DWT("db2", levels=1), (6,)),
    (wl.DWT("bior2.4"), (2, 2)),
]


def literal(net, x, classes, a, steps, start):
    """Both curves as they are written: the coefficients of a masked signal, item by item and step by step."""
    domain, size = a.layout.domain, a.layout.size
    z, z0 = domain.analysis(x), domain.analysis(start)
    curves = torch.zeros(2, len(x), steps + 1, dtype=x.dtype)
    for i, k in itertools.product(range(len(x)), range(steps + 1)):
        score = np.abs(a.data[i].numpy()).mean(0)
        top = sorted(range(size), key=lambda place: (-score[place], place))[: k * size // steps]
        mask = torch.zeros(size, dtype=x.dtype)
        mask[top] = 1
        for side, m in enumerate((mask, 1 - mask)):
            rebuilt = wl.Coefficients(z0.data + m * (z.data - z0.data), z.layout).synthesis()[i : i + 1]
            curves[side, i, k] = net(rebuilt).softmax(1)[0, classes[i]]
    return curves


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_literal_formula(domain):
    net, x, start = Net(SHAPE), signal(SHAPE), signal(SHAPE, seed=7) / 5
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.InputTimesGradient())
    c = wl.metrics.curves(net, x, CLASSES, a, steps=7, baseline=start)
    expected = literal(net, x, CLASSES, a, 7, start)
    assert relative(c.insertion, expected[0]) < 1e-9
    assert relative(c.deletion, expected[1]) < 1e-9
    counts = [k * a.layout.size // 7 for k in range(8)]
    assert c.fraction.tolist() == [count / a.layout.size for count in counts]
    area = torch.trapezoid(expected, torch.tensor(counts, dtype=x.dtype) / a.layout.size)
    assert relative(wl.metrics.insertion(net, x, CLASSES, a, steps=7, baseline=start), area[0]) < 1e-9
    assert relative(wl.metrics.deletion(net, x, CLASSES, a, steps=7, baseline=start), area[1]) < 1e-9
    assert relative(c.faithfulness, area[0] - area[1]) < 1e-8


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_ends_are_the_signal_and_the_baseline_exactly(domain):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.random_order(x, domain)
    for baseline, start in ((0.0, torch.zeros_like(x)), (0.3, torch.full_like(x, 0.3)), (x.flip(0), x.flip(0))):
        c = wl.metrics.curves(net, x, CLASSES, a, steps=3, baseline=baseline)
        own = net(x).softmax(1)[range(3), CLASSES]
        blank = net(start).softmax(1)[range(3), CLASSES]
        assert torch.equal(c.insertion[:, -1], own)
        assert torch.equal(c.deletion[:, 0], own)
        assert torch.equal(c.insertion[:, 0], blank)
        assert torch.equal(c.deletion[:, -1], blank)


@pytest.mark.parametrize(("domain", "shape"), SMALL, ids=str)
def test_no_order_beats_the_perfect_one(domain, shape):
    z = domain.analysis(torch.rand(1, 1, *shape, dtype=torch.float64) + 0.2)
    size = z.layout.size
    gains = torch.randperm(size, dtype=torch.float64) + 1

    def model(x):  # each coefficient gives its own gain, all different
        return (domain.analysis(x).data * (gains / z.data)).sum((1, 2))

    x = z.synthesis()

    def areas(order):
        score = torch.zeros(1, 1, size, dtype=torch.float64)
        score[0, 0, list(order)] = torch.arange(size, 0, -1, dtype=torch.float64)
        c = wl.metrics.curves(model, x, None, wl.Coefficients(score, z.layout), steps=size)
        return c.insertion_area.item(), c.deletion_area.item()

    perfect = gains.argsort(descending=True).tolist()
    inserted = torch.trapezoid(torch.cat([torch.zeros(1), gains[perfect].cumsum(0)]), dx=1 / size).item()
    assert areas(perfect) == pytest.approx((inserted, gains.sum().item() - inserted), rel=1e-9)
    assert areas(perfect[::-1]) == pytest.approx((gains.sum().item() - inserted, inserted), rel=1e-9)
    others = list(itertools.permutations(range(size)))
    every = [areas(order) for order in others[:: max(1, len(others) // 120)]]
    assert max(a for a, _ in every) <= areas(perfect)[0] + 1e-9
    assert min(d for _, d in every) >= areas(perfect)[1] - 1e-9
    assert min(a for a, _ in every) >= areas(perfect[::-1])[0] - 1e-9


@pytest.mark.usefixtures("no_looks")
def test_a_model_sees_nested_masks_of_the_stated_size():
    seen = []

    def model(x):
        seen.append(x.clone())
        return x.flatten(1)

    x = torch.rand(1, 2, 40, dtype=torch.float64) + 1
    a = wl.metrics.energy_order(x, wl.Identity())
    wl.metrics.insertion(model, x, 0, a, steps=7, batch_size=1)
    counts = [int((one[0, 0] != 0).sum()) for one in seen]
    assert sorted(counts) == [0, 5, 11, 17, 22, 28, 34, 40]
    ordered = sorted(seen, key=lambda one: int((one != 0).sum()))
    assert all(((b != 0) | (a == 0)).all() for a, b in itertools.pairwise(ordered))
    assert torch.equal(ordered[1][0, 0] != 0, ordered[1][0, 1] != 0)  # channels go together
    assert len(seen) == 8


def test_ties_are_ranked_by_place():
    x = torch.rand(1, 1, 6, dtype=torch.float64) + 1
    even = wl.Identity().analysis(torch.ones_like(x))
    c = wl.metrics.curves(lambda s: s.flatten(1) @ 10.0 ** torch.arange(6, dtype=x.dtype), x, None, even, steps=6)
    kept = [(x[0, 0] * 10.0 ** torch.arange(6))[:k].sum().item() for k in range(7)]
    assert c.insertion[0].tolist() == pytest.approx(kept)


def test_ranking_told_otherwise():
    x = torch.ones(1, 2, 4, dtype=torch.float64)
    a = wl.Identity().analysis(torch.tensor([[[4.0, -9, 1, 0], [4, -1, -2, 0]]], dtype=torch.float64))
    seen = {}
    for reduce in (wl.masks.magnitude, wl.masks.signed, torch.abs):
        found = []
        wl.metrics.insertion(
            lambda s, found=found: found.append(s.clone()) or s.sum((1, 2)),
            x, None, a, steps=2, reduce=reduce, batch_size=1,
        )  # fmt: skip
        seen[reduce] = next(one[0].tolist() for one in found if one.sum() == 4)
    assert seen[wl.masks.magnitude] == [[1, 1, 0, 0], [1, 1, 0, 0]]
    assert seen[wl.masks.signed] == [[1, 0, 0, 1], [1, 0, 0, 1]]
    assert seen[torch.abs] == [[1, 1, 0, 0], [1, 0, 1, 0]]


def test_the_authors_normalization():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    plain = wl.metrics.curves(net, x, 1, a, steps=5)
    high = wl.metrics.curves(net, x, 1, a, steps=5, normalize="max")
    assert relative(high.insertion, plain.insertion / plain.insertion.amax(1, keepdim=True)) < 1e-12
    assert relative(high.deletion, plain.deletion / plain.deletion.amax(1, keepdim=True)) < 1e-12
    assert relative(wl.metrics.faithfulness(net, x, 1, a, steps=5, normalize="max"), high.faithfulness) < 1e-12


def test_what_a_curve_is_of():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.Identity())
    for target, expected in [
        (torch.tensor(CLASSES), net(x).softmax(1)[range(3), CLASSES]),
        (wl.targets.Contrast(1, 2), net(x)[:, 1] - net(x)[:, 2]),
        (lambda output: output[:, 3], net(x)[:, 3]),
        (wl.targets.ByItem(lambda output, items: output[:, 1] + items), net(x)[:, 1] + torch.arange(3)),
    ]:
        assert torch.equal(wl.metrics.curves(net, x, target, a, steps=2).insertion[:, -1], expected)
    half = Net(SHAPE).bfloat16()
    c = wl.metrics.curves(half, x.bfloat16(), 1, a.map(torch.Tensor.bfloat16), steps=4)
    assert c.insertion.dtype == torch.float32
    assert relative(c.insertion.double(), wl.metrics.curves(net, x, 1, a, steps=4).insertion) < 0.1
    with pytest.raises(TypeError, match=r"the model's output must be a tensor .* where target is a class; got tuple"):
        wl.metrics.curves(lambda s: (net(s),), x, 1, a, steps=2)


def test_one_step_and_more_steps_than_coefficients():
    x = torch.rand(2, 1, 3, dtype=torch.float64)
    a = wl.metrics.energy_order(x, wl.Identity())
    one = wl.metrics.curves(lambda s: s.sum((1, 2)), x, None, a, steps=1)
    assert relative(one.insertion_area, x.sum((1, 2)) / 2) < 1e-12
    many = wl.metrics.curves(lambda s: s.sum((1, 2)), x, None, a, steps=12)
    exact = wl.metrics.curves(lambda s: s.sum((1, 2)), x, None, a, steps=3)
    assert torch.equal(many.fraction[::4], exact.fraction)
    assert relative(many.insertion_area, exact.insertion_area) < 1e-12  # over the true fraction, stairs have no area
    assert torch.equal(many.insertion[:, ::4], exact.insertion)


def test_options():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.Identity())
    for metric in (wl.metrics.curves, wl.metrics.insertion, wl.metrics.deletion, wl.metrics.faithfulness):
        with pytest.raises(ValueError, match="steps must be a whole number from 1; got steps=0"):
            metric(net, x, 1, a, steps=0)
        with pytest.raises(ValueError, match="normalize must be None or 'max'; got 'min'"):
            metric(net, x, 1, a, normalize="min")
        with pytest.raises(ValueError, match=r"baseline must be a finite number, a signal .* got a tensor of shape"):
            metric(net, x, 1, a, baseline=torch.zeros(5))
        with pytest.raises(ValueError, match="batch_size must be at least 1, or None to measure it; got 0"):
            metric(net, x, 1, a, batch_size=0)
        with pytest.raises(ValueError, match="the model must be in evaluation mode"):
            metric(Net(SHAPE).train(), x, 1, a)
        with pytest.raises(ValueError, match="target must be a class from 0 to 4"):
            metric(net, x, 5, a)


@pytest.mark.needs("quantus")
def test_quantus_flips_pixels_alike():
    import quantus

    shape = (8, 8)
    net = Net(shape, channels=1).float()
    x = signal(shape, channels=1).float()
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.Saliency())
    flipping = quantus.PixelFlipping(
        features_in_step=4, abs=True, normalise=False, perturb_baseline=0.0, disable_warnings=True
    )
    heat = a.data.numpy().reshape(3, 1, *shape).copy()
    theirs = flipping(net, x.numpy(), np.array(CLASSES), a_batch=heat, softmax=True, device="cpu")
    c = wl.metrics.curves(net, x, CLASSES, a, steps=16)
    assert relative(c.deletion[:, 1:], torch.tensor(np.array(theirs), dtype=torch.float32)) < 1e-5


def test_a_lone_logit_is_a_probability_by_its_sigmoid():
    x = signal((8, 8), batch=2)
    a = wl.attribute(
        lambda s: s.sum((1, 2, 3))[:, None], x, 0, domain=wl.DWT("haar", 2), method=wl.InputTimesGradient()
    )
    c = wl.metrics.curves(lambda s: s.sum((1, 2, 3))[:, None], x, 0, a, steps=4)
    assert relative(c.insertion[:, -1], x.sum((1, 2, 3)).sigmoid()) < 1e-12
    assert relative(c.insertion[:, 0], torch.full((2,), 0.5, dtype=torch.float64)) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_random_order_has_no_ties_in_half_precision(dtype):
    order = wl.metrics.random_order(torch.zeros(1, 1, 300, 300, dtype=dtype), wl.Identity()).data
    assert order.isfinite().all()
    assert len(order.unique()) == 300 * 300


@pytest.mark.parametrize("rows", [2, 3, 4, 7])
def test_no_more_signals_are_made_at_once_than_go_through_the_model(rows, monkeypatch):
    net, x = Net((9, 12)), signal((9, 12))
    made, ask = [], Gradients.values
    monkeypatch.setattr(Gradients, "values", lambda self, x, *rest: made.append(len(x)) or ask(self, x, *rest))
    a = wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=wl.Saliency())
    wl.metrics.curves(net, x, 1, a, steps=8, batch_size=rows)
    assert len(made) > 8
    assert max(made) <= max(rows, len(x))
