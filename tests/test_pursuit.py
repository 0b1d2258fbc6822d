"""What suffices: exact on linear models, the literal greedy rule elsewhere, and a ceiling of insertion by its kind."""

import pytest
import torch

import wavelens as wl
from cases import Net, over_pairs, relative, signal
from test_given import GIVEN, Asked
from test_minimal import linear, worth
from test_signals import DOMAINS as TWO
from test_signals import Pair, pair
from wavelens import masks
from wavelens.baselines import parse_explainer
from wavelens.core import real_product

SHAPE = (6, 7)
CLASSES = [2, 0, 4]
HAAR = wl.DWT("haar", levels=1)


@over_pairs
def test_a_linear_model_has_its_own_account_as_order(shape, domain):
    model, w = linear(shape)
    x = signal(shape)
    found = masks.pursuit(model, x, 1, domain=domain, steps=4)
    gains = worth(w[1], x, domain).sum(1)
    order = found.order.data[:, 0]
    ranked = gains.gather(1, order.argsort(1, descending=True))
    assert (ranked.diff(dim=1) <= 1e-9 * gains.abs().amax()).all()
    size = found.order.layout.size
    assert found.counts == tuple(sorted({round((1 + size) ** (k / 4) - 1) for k in range(5)}))
    for k, count in enumerate(found.counts):
        assert relative(found.scores[:, k], ranked[:, :count].sum(1)) < 1e-9
    assert torch.equal(order.sort(1).values, torch.arange(1.0, size + 1, dtype=torch.float64).expand_as(order))


@pytest.mark.parametrize("domain", [HAAR, wl.Fourier(), wl.DWT("db2", levels=1, mode="reflect")], ids=str)
def test_the_greedy_rule_as_it_is_written(domain):
    net, x, start = Net(SHAPE), signal(SHAPE), signal(SHAPE, seed=8) / 5
    found = masks.pursuit(net, x, CLASSES, domain=domain, steps=5, baseline=start)
    d, size = domain.analysis(x - start), found.order.layout.size
    for item in range(3):
        kept: list[int] = []
        for before, after in zip(found.counts, found.counts[1:], strict=False):
            mask = torch.zeros(size, dtype=torch.bool)
            mask[kept] = True
            point = start + d.map(lambda data, mask=mask: data * mask).synthesis()
            point = point[item : item + 1].detach().requires_grad_()
            score = net(point)[0, CLASSES[item]]
            assert relative(found.scores[item, found.counts.index(before)], score.detach()) < 1e-9
            (g,) = torch.autograd.grad(score, point)
            gain = real_product(d.data[item], domain.adjoint(g, d.layout).data[0]).sum(0)
            free = [place for place in range(size) if place not in kept]
            kept += sorted(free, key=lambda place, gain=gain: -gain[place].item())[: after - before]
        assert found.order.data[item, 0].argsort(descending=True).tolist() == kept
    assert relative(found.scores[:, -1], net(x)[range(3), CLASSES]) < 1e-12


def test_an_item_alone_is_the_item_in_a_batch_and_in_any_chunk():
    net, x = Asked(), signal((12, 17))
    options = {"domain": wl.DWT("db2", levels=2), "steps": 6, "given": GIVEN}
    together = masks.pursuit(net, x, CLASSES, **options)
    for rows in (1, 2, 7):
        small = masks.pursuit(net, x, CLASSES, batch_size=rows, **options)
        assert torch.equal(small.order.data, together.order.data)
        assert relative(small.scores, together.scores) < 1e-12
    for i in range(3):
        own = {**options, "given": [t[i : i + 1] for t in GIVEN]}
        alone = masks.pursuit(net, x[i : i + 1], CLASSES[i], **own)
        assert torch.equal(alone.order.data, together.order.data[i : i + 1])
        assert relative(alone.scores, together.scores[i : i + 1]) < 1e-12


def test_several_signals_are_entered_together():
    net, x = Pair(), pair()
    found = masks.pursuit(net, x, [2, 0, 1], domain=TWO, steps=6, baseline={"text": 0.1})
    start = {"image": torch.zeros_like(x["image"]), "text": torch.full_like(x["text"], 0.1)}
    assert relative(found.scores[:, 0], net(**start)[range(3), [2, 0, 1]]) < 1e-12
    assert found.order.layout.size == 2 * 96 + 4 * 5
    bound = masks.pursuit(lambda x: x.sum(2), signal((24,)), 1, domain=wl.TreeHaar(coordinates=2), steps=3)
    assert bound.scores.shape == (3, 4)


def test_what_suffices_is_the_least_size_that_reaches_the_share():
    x = torch.ones(2, 1, 7, dtype=torch.float64)
    x[1] = -1  # the score falls: its way is the same
    gains = torch.tensor([5.0, 0.5, 3, 2, 7, 1, 4], dtype=torch.float64)
    found = masks.pursuit(lambda s: s.flatten(1) @ gains, x, None, domain=wl.Identity(), steps=3)
    assert found.counts == (0, 1, 3, 7)
    assert found.scores[0].tolist() == [0, 7, 16, 22.5]
    assert found.sufficient(0.3).tolist() == [1, 7]  # downwards the largest g · d is the least loss
    assert found.sufficient(0.0).tolist() == [0, 0]
    assert found.sufficient().tolist() == [7, 7]
    assert found.mask(0.5).data[0, 0].tolist() == [1, 0, 0, 0, 1, 0, 1]
    assert int(found.mask(0.0).data.sum()) == 0
    with pytest.raises(
        ValueError, match="share, a part of the way to the signal's score, must lie between 0 and 1; got 2"
    ):
        found.sufficient(2)


def test_it_is_the_ceiling_of_insertion_and_a_control_in_runs():
    net, x = Net((12, 17)), signal((12, 17))
    control = parse_explainer("PursuitOrder(domain=DWT('haar', levels=2), steps=20)")
    assert parse_explainer(repr(control)) == control
    order = control(net, x, CLASSES, batch_size=5)
    ask = {"fractions": "log", "steps": 20, "score": "logit"}
    best = wl.metrics.insertion(net, x, CLASSES, order, **ask)
    for method in (wl.Saliency(), wl.IntegratedGradients(steps=8)):
        a = wl.attribute(net, x, CLASSES, domain=control.domain, method=method)
        for reduce in (masks.magnitude, masks.signed):
            assert (wl.metrics.insertion(net, x, CLASSES, a, reduce=reduce, **ask) < best).all()
    assert (wl.metrics.insertion(net, x, CLASSES, wl.metrics.energy_order(x, control.domain), **ask) < best).all()


def test_options():
    x = signal(SHAPE)
    with pytest.raises(ValueError, match="steps must be a whole number from 1; got steps=0"):
        masks.pursuit(Net(SHAPE), x, 1, domain=HAAR, steps=0)
    with pytest.raises(ValueError, match=r"a pursuit must have one target; got targets\.Several"):
        masks.pursuit(Net(SHAPE), x, wl.targets.Several(0, 1), domain=HAAR)
    with pytest.raises(ValueError, match="one signal must have one domain and one baseline; got them by name"):
        masks.pursuit(Net(SHAPE), x, 1, domain={"x": HAAR})
