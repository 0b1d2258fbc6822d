"""Faults that the tests once did not notice. None of these tests takes its truth from what it tests."""

import math

import pytest
import torch

import wavelens as wl
from wavelens.baselines.controls import EnergyOrder
from wavelens.methods.sampling import Spread
from wavelens.methods.shapley import _standard_error
from wavelens.metrics import measures

SEED = torch.Generator().manual_seed(0)
X = torch.rand(2, 1, 8, 8, generator=SEED, dtype=torch.float64) * torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)


def cubes(x):
    """A score whose gradient is x²: of noisy inputs the mean gradient is x² + σ²."""
    return x.pow(3).flatten(1).sum(1) / 3


@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_the_noise_of_smoothgrad_has_sigma_times_the_items_range(sigma):
    """The mean of 500 × 64 squares of normal numbers is their variance to within 3 % (four standard errors)."""
    a = wl.attribute(cubes, X, None, domain=wl.Identity(), method=wl.SmoothGrad(samples=500, sigma=sigma))
    ranges = X.flatten(1).amax(1) - X.flatten(1).amin(1)
    found = (a.data.flatten(1) - X.flatten(1).square()).mean(1)
    assert (found / (sigma * ranges).square()).tolist() == pytest.approx([1, 1], abs=0.06)


def test_the_noise_of_vargrad_and_squaregrad_has_sigma_times_the_items_range():
    """Of x² / 2 the gradient is the noisy input itself: its variance is σ², its mean square x² + σ²."""
    ranges = X.flatten(1).amax(1) - X.flatten(1).amin(1)
    options = {"domain": wl.Identity()}
    square = lambda x: x.square().flatten(1).sum(1) / 2  # noqa: E731
    variance = wl.attribute(square, X, None, method=wl.VarGrad(samples=500, sigma=0.2), **options)
    assert (variance.data.flatten(1).mean(1) / (0.2 * ranges).square()).tolist() == pytest.approx([1, 1], abs=0.06)
    mean = wl.attribute(square, X, None, method=wl.SquareGrad(samples=500, sigma=0.2), **options)
    above = (mean.data.flatten(1) - X.flatten(1).square()).mean(1)
    assert (above / (0.2 * ranges).square()).tolist() == pytest.approx([1, 1], abs=0.06)


def test_band_noise_has_sigma_times_the_deviation_of_each_band():
    """In an orthonormal domain the mean of squared noise is that of its bands; halved noise would leave a quarter."""
    domain = wl.DWT("haar", levels=1)
    method = wl.SmoothGrad(samples=100, sigma=0.5, noise="band")
    a = wl.attribute(cubes, X, None, domain=domain, method=method)
    z = domain.analysis(X)
    above = (a.synthesis().flatten(1) - X.flatten(1).square()).mean(1)
    bands = [z.data[..., place].flatten(1) for place in z.layout.slices.values()]
    wanted = sum(0.25 * band.var(1, correction=0) * band.shape[1] for band in bands) / X[0].numel()
    assert (above / wanted).tolist() == pytest.approx([1, 1], abs=0.4)


def test_the_standard_error_of_batches_is_their_deviation_over_the_root_of_their_number():
    own = torch.rand(5, 1, 3, 4, generator=SEED, dtype=torch.float64)  # (batches, targets, items, scales)
    spread, items = Spread(), torch.arange(3)
    for k in range(5):
        spread.add(own[: k + 1].mean(0), items, 3, range(10 * k, 10 * k + 10))
    expected = own.std(0, correction=1) / math.sqrt(5)
    torch.testing.assert_close(spread.standard_error(), expected)


def test_the_standard_error_of_sampled_shapley_values_is_that_of_a_mean():
    gains = torch.rand(6, 1, 2, 3, generator=SEED, dtype=torch.float64)
    squares = (gains - gains.mean(0)).square().sum(0)
    found = _standard_error(squares, torch.tensor([6, 6]))
    torch.testing.assert_close(found, gains.std(0, correction=1) / math.sqrt(6))


def test_the_energy_control_counts_from_its_baseline():
    """Over a baseline of the largest value the darkest sample has the most energy, over zero the brightest."""
    x = torch.tensor([[[0.0, 0.25, 0.5, 1.0]]])
    for baseline, largest in ((0.0, 3), (1.0, 0)):
        order = EnergyOrder(wl.Identity(), baseline=baseline)(None, x, None)
        assert int(order.data.abs().argmax()) == largest
        torch.testing.assert_close(order.data, x - baseline)


def test_ff_is_summed_up_by_its_median_and_nothing_else_is():
    middles = {column.name: column.middle for cls in measures.METRICS for column in cls.columns}
    assert {name for name, middle in middles.items() if middle == "median"} == {"ff", "ff over energy"}


def test_judging_metrics_draw_other_numbers_than_what_they_judge():
    """With one seed a metric must not disturb by the very noise that the explanation was averaged over."""
    asked = {}

    def watched(name):
        def model(x):
            asked.setdefault(name, []).append(x.detach().clone())
            return x.flatten(1).sum(1)

        return model

    x = X[:1].float()
    domain = wl.Identity()
    a = wl.attribute(watched("smooth"), x, None, domain=domain, method=wl.SmoothGrad(samples=3, sigma=0.1, seed=5))

    def explain(model, x, target):
        return wl.attribute(model, x, target, domain=domain, method=wl.Saliency())

    wl.metrics.infidelity(watched("infidelity"), x, None, a, samples=3, sigma=0.1, seed=5)
    wl.metrics.max_sensitivity(watched("sensitivity"), x, None, a, explainer=explain, samples=3, seed=5)
    noise = {name: (torch.cat(points) - x).flatten(1) for name, points in asked.items()}
    ours = [row for row in noise["smooth"] if row.norm() > 0]
    assert len(ours) >= 3
    for name in ("infidelity", "sensitivity"):
        others = [row for row in noise[name] if row.norm() > 0]
        alike = [abs(float(torch.corrcoef(torch.stack([one, other]))[0, 1])) for one in ours for other in others]
        assert max(alike) < 0.5, name  # of 64 independent numbers, 0.5 is four standard errors
