"""Where curves start and which parts they take: the literal formula, closed forms, and padding that does not count."""

import itertools

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal, starts
from wavelens.core import one_item
from wavelens.masks.fills import Noise, Noisy
from wavelens.methods.shuffles import shuffled
from wavelens.metrics.measures import Curves, parse_metric
from wavelens.metrics.metric import Case, seed_of
from wavelens.metrics.perturbation import features
from wavelens.metrics.starts import starts as curve_starts

SHAPE = (12, 17)
CLASSES = [2, 0, 4]
WORDS = ("shuffled", "blur", "noise", "mean")


def first(fill, z, x, k, seed):
    """The coefficients that curves start from, as they are written."""
    domain = z.layout.domain
    if fill == "shuffled":
        return shuffled(z, seed=seed, k=k)
    if fill == "blur":
        return domain.analysis(wl.masks.Blur(10.0)(x)).data
    if fill == "mean":
        means = {band: values.flatten(2).mean(-1, keepdim=True).expand(-1, -1, band.size) for band, values in z}
        return torch.cat(list(means.values()), -1)
    return Noisy(x, domain, Noise(seed), x.dtype)(torch.arange(len(x)), torch.full((len(x),), k))[0]


def zeros(z):
    """Places that are zero in every channel, but for rounding, `(batch, size)`."""
    sizes = z.data.abs().amax(1)
    return sizes <= 64 * 2**-52 * sizes.amax(1, keepdim=True)


def literal(net, x, a, start, steps, left_out):
    """The curves of one start, item by item and step by step: a signal of kept and of filled coefficients."""
    z, curves = a.layout.domain.analysis(x), torch.zeros(2, len(x), steps + 1, dtype=x.dtype)
    scores = a.data.abs().mean(1).masked_fill(left_out, -1)
    order = scores.sort(dim=-1, descending=True, stable=True).indices
    for i, k in itertools.product(range(len(x)), range(steps + 1)):
        total = int((~left_out[i]).sum())
        kept = torch.zeros(a.layout.size, dtype=torch.bool)
        kept[order[i, : round((1 + total) ** (k / steps) - 1)]] = True
        for side, mask in enumerate((kept, ~kept)):
            signal = wl.Coefficients(torch.where(mask, z.data, start), z.layout).synthesis()[i : i + 1]
            curves[side, i, k] = net(signal).softmax(1)[0, CLASSES[i]]
    return curves


@pytest.mark.parametrize("fill", WORDS)
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_the_literal_formula(domain, fill):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.InputTimesGradient())
    z, count = domain.analysis(x), 2 if fill in ("shuffled", "noise") else 1
    left_out = zeros(z) & (fill == "shuffled")
    each = [literal(net, x, a, first(fill, z, x, k, seed=5), 3, left_out) for k in range(count)]
    expected = torch.stack(each).mean(0)
    found = wl.metrics.curves(net, x, CLASSES, a, steps=3, fill=fill, samples=2, seed=5, fractions="log")
    assert relative(found.insertion, expected[0]) < 1e-9
    assert relative(found.deletion, expected[1]) < 1e-9
    assert found.position.tolist() == [0, 1 / 3, 2 / 3, 1]
    area = (expected[..., 1:] + expected[..., :-1]).sum(-1) / 6
    assert relative(found.insertion_area, area[0]) < 1e-9
    assert relative(wl.metrics.deletion(net, x, CLASSES, a, **LIKE, fill=fill), area[1]) < 1e-9


LIKE = {"steps": 3, "samples": 2, "seed": 5, "fractions": "log"}


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_shuffled_coefficients_are_permuted_within_their_bands(domain):
    z = domain.analysis(signal(SHAPE))
    found = wl.Coefficients(shuffled(z, seed=3, k=0), z.layout)
    pairs = torch.stack([z.data[:, 0].real, z.data[:, 1].real], -1)  # channels go together
    moved = torch.stack([found.data[:, 0].real, found.data[:, 1].real], -1)
    for piece in z.layout.slices.values():
        for one, other in zip(pairs[:, piece], moved[:, piece], strict=True):
            assert sorted(one.tolist()) == sorted(other.tolist())
    assert not torch.equal(found.data, z.data)
    assert torch.equal(shuffled(z, seed=3, k=0), found.data)
    assert not torch.equal(shuffled(z, seed=3, k=1), found.data)
    assert not torch.equal(shuffled(z, seed=4, k=0), found.data)


def test_no_path_begins_where_it_is_judged_from():
    """Of equal seeds: a path from the very start of a curve would be fitted to that curve."""
    x, domain = signal(SHAPE), wl.DWT("haar", levels=2)
    begins = starts(wl.IntegratedGradients(baseline="shuffled", shuffles=4), x, domain)
    parts = features(x, domain.analysis(x))
    judged = [one.start for one in curve_starts(parts, "shuffled", 4, 0)]
    assert not any(relative(a, b) < 1e-6 for a in begins for b in judged)


def test_what_is_zero_stays_in_its_place():
    x = signal((40,))
    x[0, :, 7:30] = 0
    x[1, 0, :20] = 0  # of one channel: no place is silent
    z = wl.Identity().analysis(x)
    found = shuffled(z, seed=0, k=0)
    assert (found[0, :, 7:30] == 0).all()
    assert (found[0].abs().amax(0) > 0).sum() == 17
    assert not torch.equal(found[0], x[0])
    assert (found[1, 0] == 0).sum() == 20
    for i in range(3):  # alone as in a batch, whatever is zero in the others
        assert torch.equal(shuffled(wl.Identity().analysis(x[i : i + 1]), seed=0, k=0), found[i : i + 1])


def test_other_signals_are_a_baseline_each():
    net, x, others = Net(SHAPE), signal(SHAPE), signal(SHAPE, batch=4, seed=9)
    a = wl.metrics.energy_order(x, wl.DWT("db2", levels=2))
    found = wl.metrics.curves(net, x, CLASSES, a, steps=5, fill=others)
    each = [wl.metrics.curves(net, x, CLASSES, a, steps=5, baseline=other) for other in others]
    assert relative(found.insertion, torch.stack([c.insertion for c in each]).mean(0)) < 1e-12
    assert relative(found.deletion, torch.stack([c.deletion for c in each]).mean(0)) < 1e-12


def test_a_function_makes_the_start_of_the_signals():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    for function in (wl.masks.Blur(1.5), lambda x: x.flip(-1)):
        found = wl.metrics.curves(net, x, CLASSES, a, steps=5, fill=function)
        expected = wl.metrics.curves(net, x, CLASSES, a, steps=5, baseline=function(x))
        assert torch.equal(found.insertion, expected.insertion)
        assert torch.equal(found.deletion, expected.deletion)


def test_sizes_on_a_logarithmic_axis_and_their_area():
    """Seven coefficients in three steps: 8^(k/3) - 1 of them are 0, 1, 3 and 7."""
    gains = torch.tensor([5.0, 0.5, 3, 2, 7, 1, 4], dtype=torch.float64)
    x = torch.ones(1, 1, 7, dtype=torch.float64)
    a = wl.Identity().analysis(gains[None, None])
    c = wl.metrics.curves(lambda s: s.flatten(1) @ gains, x, None, a, steps=3, fractions="log")
    assert relative(c.insertion[0], torch.tensor([0, 7, 16, 22.5], dtype=torch.float64)) < 1e-12
    assert relative(c.deletion[0], torch.tensor([22.5, 15.5, 6.5, 0], dtype=torch.float64)) < 1e-12
    assert relative(c.fraction[0], torch.tensor([0, 1 / 7, 3 / 7, 1], dtype=torch.float64)) < 1e-12
    assert relative(c.faithfulness, torch.tensor([(23 + 11.25 - 22 - 11.25) / 3], dtype=torch.float64)) < 1e-12


@pytest.mark.parametrize("domain", [d for d in DOMAINS if d != wl.Identity()], ids=name)
@pytest.mark.parametrize("fill", ["zero", "shuffled"])
def test_the_order_of_padding_does_not_count(domain, fill):
    net, x = Net(SHAPE), signal(SHAPE)
    x[0, :, :, 8:] = 0
    z = domain.analysis(x)
    zero = zeros(z)[:, None]
    a = wl.attribute(net, x, CLASSES, domain=domain, method=wl.IntegratedGradients(steps=3))
    noise = torch.randn(a.data.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
    other = a.map(lambda data: torch.where(zero, 100 * noise.abs(), data))  # padding first, in another order
    for fractions in ("nonzero", "log"):
        options = {"steps": 5, "fractions": fractions, "fill": fill, "samples": 1}
        one, two = (wl.metrics.curves(net, x, CLASSES, order, **options) for order in (a, other))
        assert torch.equal(one.insertion, two.insertion)
        assert torch.equal(one.deletion, two.deletion)
        assert torch.equal(one.fraction, two.fraction)
    if zero[0].double().mean() > 0.2:  # the uniform fractions, which count all, see the difference
        one, two = (wl.metrics.curves(net, x, CLASSES, order, steps=5, fill=fill, samples=1) for order in (a, other))
        assert not torch.allclose(one.insertion[0], two.insertion[0])


def test_counts_are_of_what_is_not_zero_item_by_item():
    x = torch.zeros(2, 1, 10, dtype=torch.float64)
    x[0, 0, [1, 4, 5, 8]], x[1, 0] = torch.tensor([4.0, 3, 2, 1], dtype=torch.float64), 1 + torch.arange(10.0)
    a, seen = wl.metrics.energy_order(x, wl.Identity()), []

    def model(s):
        seen.append((s != 0).sum((1, 2)))
        return s.sum((1, 2))

    c = wl.metrics.curves(model, x, None, a, steps=4, fractions="nonzero")
    assert c.fraction.tolist() == [[0, 0.25, 0.5, 0.75, 1], [0, 0.2, 0.5, 0.7, 1]]
    assert c.insertion.tolist() == [[0, 4, 7, 9, 10], [0, 19, 40, 49, 55]]
    assert c.deletion.tolist() == [[10, 6, 3, 1, 0], [55, 36, 15, 6, 0]]
    whole = wl.metrics.curves(model, x[1:], None, one_item(a, 1), steps=4)
    assert torch.equal(whole.insertion[0], c.insertion[1])  # without zeros the same as of all


def test_a_signal_of_nothing_has_flat_curves():
    net, x = Net(SHAPE), torch.zeros(3, 2, *SHAPE, dtype=torch.float64)
    a = wl.metrics.random_order(x, wl.DWT("haar", levels=2))
    for fractions, fill in itertools.product(("nonzero", "log"), ("zero", "shuffled")):
        c = wl.metrics.curves(net, x, CLASSES, a, steps=4, fractions=fractions, fill=fill)
        assert relative(c.insertion_area, net(x).softmax(1)[range(3), CLASSES]) < 1e-12
        assert c.faithfulness.abs().max() < 1e-12


@pytest.mark.usefixtures("no_looks")
def test_steps_that_take_no_more_are_not_asked_again():
    rows = []

    def model(s):
        rows.append(len(s))
        return s.sum((1, 2))

    x = 1 + signal((20,), batch=1, channels=1).abs()
    a = wl.metrics.energy_order(x, wl.Identity())
    c = wl.metrics.curves(model, x, None, a, steps=12, fractions="log", batch_size=1)
    sizes = [round(21 ** (k / 12) - 1) for k in range(13)]
    assert sizes == [0, 0, 1, 1, 2, 3, 4, 5, 7, 9, 12, 15, 20]
    assert sum(rows) == 2 + 2 * len({*sizes} - {0, 20})
    total = [x.flatten().sort(descending=True).values[:k].sum().item() for k in sizes]
    assert c.insertion[0].tolist() == pytest.approx(total)


@pytest.mark.parametrize("fill", ["zero", *WORDS])
def test_insertion_is_deletion_of_the_least_important_first(fill):
    """So insertion less deletion is the symmetric relevance gain."""
    net, x = Net((24,)), signal((24,))
    a = wl.attribute(net, x, CLASSES, domain=wl.Identity(), method=wl.InputTimesGradient())
    turned = a.map(lambda data: data / data.abs().mean(1, keepdim=True) ** 2)
    options = {"steps": 12, "fill": fill, "samples": 2}
    one, other = (wl.metrics.curves(net, x, CLASSES, order, **options) for order in (a, turned))
    assert relative(one.insertion, other.deletion.flip(1)) < 1e-12
    assert relative(one.faithfulness, other.deletion_area - one.deletion_area) < 1e-12


def test_a_logit_beside_the_probability():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    c = wl.metrics.curves(net, x, CLASSES, a, steps=3, score="logit")
    assert torch.equal(c.insertion[:, -1], net(x)[range(3), CLASSES])
    assert torch.equal(c.insertion[:, 0], net(torch.zeros_like(x))[range(3), CLASSES])
    assert relative(wl.metrics.insertion(net, x, CLASSES, a, steps=3, score="logit"), c.insertion_area) < 1e-12


def test_the_metric_has_a_seed_and_a_word_for_each():
    metric = parse_metric("Curves(steps=4, fractions='log', fill='shuffled', samples=2)")
    assert parse_metric(repr(metric)) == metric
    assert metric.named_columns[2].name == "faithfulness(steps=4, fractions='log', fill='shuffled', samples=2)"
    assert [column.name for column in Curves().named_columns] == [column.name for column in Curves.columns]
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.DWT("haar", levels=2))
    case = Case(net, x, CLASSES, a, print, 8, lambda output: output[:, 1].sigmoid(), "one.png")
    options = {"steps": 4, "fractions": "log", "fill": "shuffled", "samples": 2, "seed": seed_of(0, "one.png")}
    assert torch.equal(metric(case)[2], wl.metrics.faithfulness(net, x, case.followed, a, **options, batch_size=8))
    assert not torch.equal(metric(case)[2], metric(case._replace(name="two.png"))[2])
    logits = Curves(steps=4, score="logit")(case)[3]
    assert torch.equal(logits[:, -1], net(x)[range(3), CLASSES])


def test_options():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.metrics.energy_order(x, wl.Identity())
    for metric in (wl.metrics.curves, wl.metrics.insertion, wl.metrics.deletion, wl.metrics.faithfulness):
        for fill in ("mode", 3, None):
            with pytest.raises(
                ValueError, match=r"fill must be one of zero, shuffled, blur, noise, mean, a set of signals"
            ):
                metric(net, x, 1, a, fill=fill)
        with pytest.raises(ValueError, match="a baseline goes with fill='zero'; got one with fill='blur'"):
            metric(net, x, 1, a, fill="blur", baseline=0.1)
        with pytest.raises(ValueError, match="fractions must be one of uniform, nonzero, log; got 'linear'"):
            metric(net, x, 1, a, fractions="linear")
        with pytest.raises(ValueError, match="score must be one of probability, logit; got 'loss'"):
            metric(net, x, 1, a, score="loss")
        with pytest.raises(ValueError, match="samples must be a whole number from 1; got samples=0"):
            metric(net, x, 1, a, fill="shuffled", samples=0)
        with pytest.raises(ValueError, match=r"baseline must be a finite set of signals \(number, \*\(2, 12, 17\)\)"):
            metric(net, x, 1, a, fill=torch.zeros(3, 5))
