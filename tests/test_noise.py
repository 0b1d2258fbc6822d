"""Noise as strong as the signal in each band, and gradients times the input."""

import pytest
import torch

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal, takes
from test_bound import Ranked
from wavelens import masks
from wavelens.core import Coefficients
from wavelens.methods import averages, sampling
from wavelens.methods.lift import Lift

SHAPE = (12, 16)
ORTHONORMAL = [wl.DWT("db2", levels=2), wl.Identity(), wl.Cosine(), wl.Packets("haar", levels=2)]


def copies(x, domain, sigma, count, dtype=torch.float64):
    """The coefficients of the noise in `count` copies, each `(batch, channel, size)`, and those of `x`."""
    bound = domain.bind(x)
    lift = Lift(bound, bound.layout(tuple(x.shape[2:])))
    point = averages.noisy_in_bands(x, lift, sigma, 0, dtype)
    noise = [bound.analysis(point(slice(None), k) - x).data for k in range(count)]
    return [Coefficients(part, lift.layout) for part in noise], Coefficients(lift.analysis(x), lift.layout)


def deviation(part):
    return part.flatten(1).std(1, correction=0)


@pytest.mark.parametrize("domain", [*ORTHONORMAL, Ranked()], ids=name)
def test_each_copy_has_the_deviation_of_the_item_in_each_band(domain):
    x = signal((24,) if isinstance(domain, Ranked) else SHAPE) + 5  # the mean is no deviation
    noise, z = copies(x, domain, 0.5, 3)
    for copy in noise:
        for band, part in copy:
            assert relative(deviation(part), 0.5 * deviation(z[band])) < 1e-9, band
    assert relative(noise[0].data, noise[1].data) > 0.1  # another draw for each copy


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_noise_has_no_mean_and_is_larger_where_the_signal_is(domain):
    if not takes(domain, SHAPE):
        pytest.skip("of two axes")
    x = signal(SHAPE, batch=1)
    loud = x + 20 * domain.analysis(x).only(domain.layout(SHAPE).bands[-1]).synthesis()
    (quiet, _), (strong, _) = copies(x, domain, 1.0, 64), copies(loud, domain, 1.0, 64)
    drawn, louder = (torch.stack([copy.data for copy in each]) for each in (quiet, strong))
    spread = drawn.abs().square().mean().sqrt()
    assert drawn.mean(0).abs().max() < 6 * drawn.abs().square().mean(0).sqrt().max() / 64**0.5
    assert louder.abs().square().mean().sqrt() > 1.5 * spread


def test_noise_of_several_signals_is_of_each_signals_bands():
    x = {"image": signal(SHAPE), "text": signal((5,), channels=4, seed=2) * 1e-3}
    domains = {"image": wl.DWT("haar", levels=2), "text": wl.Identity()}
    joint = wl.Joint.of(x, domains)
    packed = joint.pack(x)
    (copy, *_), z = copies(packed, joint, 0.3, 1)
    for band, part in copy:
        assert relative(deviation(part), 0.3 * deviation(z[band])) < 1e-9, band
    parts = joint.unpack(copy.synthesis())
    assert parts["text"].abs().max() < 1e-2 < parts["image"].abs().max()


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
@pytest.mark.parametrize("noise", ["white", "band"])
def test_times_input_is_the_evidence_of_the_gradient(domain, noise):
    net, x = Net(SHAPE), signal(SHAPE)
    plain, times = (
        wl.attribute(net, x, 2, domain=domain, method=wl.SmoothGrad(5, 0.3, noise=noise, times_input=flag))
        for flag in (False, True)
    )
    assert relative(times.data, masks.evidence(plain, x).data) < 1e-12
    assert not times.data.is_complex()
    assert times.standard_error.shape == plain.standard_error.shape
    assert len(times.layout.scales()) == 1 or not torch.equal(times.standard_error, plain.standard_error)


@pytest.mark.parametrize("domain", [*DOMAINS, [wl.DWT(), wl.STFT("hann", 8)]], ids=name)
@pytest.mark.parametrize("samples", [1, 3, 10])
def test_the_sums_of_all_batches_are_pulled_back_together_or_one_by_one(domain, samples, monkeypatch):
    net, x = Net(SHAPE), signal(SHAPE)
    target = wl.targets.Several(0, 2)
    method = wl.SmoothGrad(samples, 0.3, times_input=samples == 3)

    def explained():
        made = wl.attribute(net, x, target, domain=domain, method=method)
        return made if isinstance(made, list) else [made]

    together = explained()
    for small in (0, 2 * sampling.BATCHES * x.numel()):  # no sums are kept; all are, and coefficients of some are more
        monkeypatch.setattr(sampling, "SMALL", small)
        for a, b in zip(together, explained(), strict=True):
            assert relative(a.data, b.data) < 1e-12
            assert torch.allclose(a.standard_error, b.standard_error, rtol=1e-9, atol=1e-12, equal_nan=samples == 1)


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_saliency_times_input_is_input_times_gradient(domain):
    net, x = Net(SHAPE), signal(SHAPE)
    a, b = (
        wl.attribute(net, x, 2, domain=domain, method=method)
        for method in (wl.Saliency(times_input=True), wl.InputTimesGradient())
    )
    assert torch.equal(a.data, b.data)


@pytest.mark.parametrize("noise", ["white", "band"])
def test_times_input_of_a_linear_model_is_exact_whatever_the_noise(noise):
    weights = signal(SHAPE, batch=1, seed=5)
    x = signal(SHAPE)
    method = wl.SmoothGrad(samples=4, sigma=0.5, noise=noise, times_input=True)
    a = wl.attribute(lambda x: (x * weights).flatten(1).sum(1), x, None, domain=wl.DWT("db2", 1), method=method)
    assert relative(a.data.sum((1, 2)), a.score) < 1e-12


def test_samples_go_on_until_the_shares_of_the_product_are_known():
    net, x = Net(SHAPE), signal(SHAPE)
    method = wl.SmoothGrad(samples=10, sigma=0.5, tolerance=0.004, max_samples=400, times_input=True, noise="band")
    a = wl.attribute(net, x, 2, domain=wl.DWT(), method=method)
    assert ((a.standard_error.amax(1) <= 0.004) | (a.spent == 400)).all()
    assert a.spent.min() > 10


def test_an_interval_over_items_carries_the_error_of_sampling_where_noise_is_drawn_by_item():
    """Of x² / 2 the mean gradient is off by the mean noise: alike for 24 like items, or for each by its own."""
    x = torch.linspace(1, 2, 8, dtype=torch.float64).reshape(1, 1, 8) + 1e-3 * torch.arange(24).reshape(24, 1, 1)
    square = lambda x: x.square().sum((1, 2)) / 2  # noqa: E731
    kinds = [wl.SmoothGrad(samples=4, sigma=0.5, by_item=flag) for flag in (False, True)]
    off = [wl.attribute(square, x, None, domain=wl.Identity(), method=m).data.flatten(1) - x.flatten(1) for m in kinds]
    (shared, own), error = (part.mean(1) for part in off), 0.5 / (4 * 8) ** 0.5
    assert shared.std() < 1e-9 < error / 3 < own.std() < 3 * error
    again = wl.attribute(square, x[5:6], None, domain=wl.Identity(), method=kinds[1])
    assert torch.equal(again.data.flatten(1)[0] - x[5].flatten(), off[1][5])  # by its values, wherever it is
    other = wl.attribute(
        square, x, None, domain=wl.Identity(), method=wl.SmoothGrad(samples=4, sigma=0.5, by_item=True, seed=1)
    )
    assert relative(other.data.flatten(1) - x.flatten(1), off[1]) > 0.1


def test_each_of_several_domains_has_passes_of_its_own():
    net, x = Net(SHAPE), signal(SHAPE)
    together = wl.attribute(net, x, 2, domain=ORTHONORMAL[:3], method=wl.SmoothGrad(5, noise="band"))
    assert [a.spent.tolist() for a in together] == [[15, 15, 15]] * 3


def test_a_constant_item_gets_no_noise():
    x = torch.full((1, 2, *SHAPE), 0.7, dtype=torch.float64)
    noise, _ = copies(x, wl.DWT("haar", levels=1), 1.0, 1)
    assert noise[0].data.abs().max() < 1e-12


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: wl.SmoothGrad(noise="pink"), "noise must be one of white, band; got 'pink'"),
        (lambda: wl.VarGrad(noise=None), "noise must be one of white, band; got None"),
        (lambda: wl.SmoothGrad(times_input=1), "times_input must be True or False; got 1"),
        (lambda: wl.SmoothGrad(by_item=1), "by_item must be True or False; got 1"),
        (lambda: wl.VarGrad(by_item="no"), "by_item must be True or False; got 'no'"),
        (lambda: wl.Saliency(times_input="yes"), "times_input must be True or False; got 'yes'"),
    ],
)
def test_wrong_options_say_what_to_do(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_small_draws_are_kept_for_the_next_input_and_large_ones_are_not(monkeypatch):
    draws, randn = [], torch.randn
    monkeypatch.setattr(torch, "randn", lambda *args, **options: draws.append(args[0]) or randn(*args, **options))
    monkeypatch.setattr(averages, "MAX_KEPT_NUMBERS", 40)
    averages._kept_draw.cache_clear()
    for count, length, drawn in ((3, 20, 3), (5, 20, 5), (3, 21, 6)):
        net, x, rule = Net((length,)), signal((length,)), wl.SmoothGrad(samples=count, sigma=0.3, seed=5)
        first, again = (wl.attribute(net, x, 2, domain=wl.Identity(), method=rule) for _ in range(2))
        assert draws.count((2, length)) == drawn
        sources = [averages.generator(5, k, x.device) for k in range(count)]
        points = [x + 0.3 * averages.ranges(x) * randn(2, length, generator=source) for source in sources]
        slopes = [wl.attribute(net, one, 2, domain=wl.Identity(), method=wl.Saliency()).data for one in points]
        assert relative(first.data, sum(slopes) / count) < 1e-12
        assert torch.equal(first.data, again.data)
