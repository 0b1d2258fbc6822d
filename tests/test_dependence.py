"""Dependence on weights: with energy divided out, behind noise, by the complexity of the map; Quantus' definitions."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from cases import DOMAINS, Net, name, relative, signal
from test_randomization import CLASSES, SALIENCY, SHAPE, Layers
from wavelens.baselines import FromMethod
from wavelens.methods import averages
from wavelens.metrics.measures import parse_metric
from wavelens.metrics.metric import Case, seed_of
from wavelens.metrics.randomization import randomized
from wavelens.seeds import stream

HAAR = wl.DWT("haar", levels=1)
PRODUCT = partial(wl.attribute, domain=HAAR, method=wl.InputTimesGradient())


class Known(nn.Module):
    """A classifier whose layers are reset to known weights, whatever the seed."""

    def __init__(self, size, axes):
        super().__init__()
        self.first, self.last = Fixed(size, 7, 0.3), Fixed(7, 5, 0.7)
        self.axes = axes
        with torch.no_grad():
            for layer in (self.first, self.last):
                layer.weight.copy_(torch.randn(layer.weight.shape, generator=torch.Generator().manual_seed(4)))
        self.eval()

    def forward(self, x):
        return self.last(torch.tanh(self.first(x.flatten(1))))


class Fixed(nn.Module):
    def __init__(self, before, after, pace):
        super().__init__()
        self.weight, self.pace = nn.Parameter(torch.empty(after, before)), pace

    def reset_parameters(self):
        with torch.no_grad():
            self.weight.copy_((self.pace * torch.arange(self.weight.numel())).sin().view_as(self.weight))

    def forward(self, x):
        return x @ self.weight.T


@pytest.mark.parametrize("domain", DOMAINS[:4], ids=name)
def test_the_residual_correlation_is_that_of_what_energy_leaves(domain):
    """The partial correlation is that of the residuals of both rank vectors on the energy's (Yule, 1907)."""
    from scipy.stats import rankdata

    net, x = Layers(), signal(SHAPE)
    explain = partial(wl.attribute, domain=domain, method=wl.InputTimesGradient())
    a = explain(net, x, CLASSES)
    found = wl.metrics.residual_correlation(net, x, CLASSES, a, explainer=explain, samples=2, seed=3)
    energy = domain.analysis(x).data.abs().mean(1).numpy()
    expected = torch.zeros(3, dtype=x.dtype)
    for k in range(2):
        other = explain(randomized(net, seed=stream(3, str(k))), x, CLASSES).data.abs().mean(1).numpy()
        for i in range(3):
            one, two, e = (rankdata(v[i].round(12)) for v in (a.data.abs().mean(1).numpy(), other, energy))
            design = np.stack([e, np.ones_like(e)], 1)
            left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (one, two)]
            expected[i] += np.corrcoef(*left)[0, 1] / 2
    assert relative(found, expected) < 1e-6
    assert expected.abs().max() < 0.7  # energy alone correlates much more
    plain = wl.metrics.spearman(a.data.abs().mean(1), torch.from_numpy(energy))
    assert plain.min() > 0.4


def test_what_does_not_depend_on_weights_has_a_residual_correlation_of_one():
    net, x = Layers(), signal(SHAPE)
    other = signal(SHAPE, seed=6)

    def edges(model, x, target):
        """A map of the signal and of a fixed pattern: no weights."""
        return HAAR.analysis(x * other.sign()[: len(x)])

    a = edges(net, x, CLASSES)
    assert relative(wl.metrics.residual_correlation(net, x, CLASSES, a, explainer=edges), torch.ones(3).double()) < 1e-9

    def energy(model, x, target):
        return wl.metrics.energy_order(x, HAAR)

    alone = wl.metrics.residual_correlation(net, x, CLASSES, energy(net, x, CLASSES), explainer=energy)
    assert alone.tolist() == [1, 1, 1]  # nothing in it is the weights'
    mine = PRODUCT(net, x, CLASSES)

    def trained(model, x, target):
        """A map of the weights that were learnt, and of the energy alone for any others."""
        return mine if torch.equal(model.first.weight, weights) else energy(model, x, target)

    weights = net.first.weight.detach().clone()
    assert wl.metrics.residual_correlation(net, x, CLASSES, mine, explainer=trained).tolist() == [0, 0, 0]
    flat = mine.map(torch.ones_like)
    assert wl.metrics.residual_correlation(net, x, CLASSES, flat, explainer=PRODUCT).isnan().all()
    assert wl.metrics.complexity_rise(net, x, CLASSES, a, explainer=edges).tolist() == [0, 0, 0]
    even = a.map(torch.ones_like)
    assert wl.metrics.complexity_rise(net, x, CLASSES, even, explainer=edges).isnan().all()


def test_a_map_of_weights_alone_shares_nothing_with_that_of_others():
    shape = (40, 40)
    nets = [Net(shape, channels=1, seed=k) for k in range(6)]
    x = signal(shape, channels=1)
    explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())
    found = [wl.metrics.residual_correlation(n, x, CLASSES, explain(n, x, CLASSES), explainer=explain) for n in nets]
    assert torch.stack(found).mean().abs() < 0.05  # 1600 places, 18 pairs


@pytest.mark.needs("quantus")
def test_quantus_has_the_same_rise_in_complexity_and_the_same_smooth_cascade():
    import quantus

    shape = (8, 8)
    net, x = Known(64, 2), signal(shape, channels=1).float()
    explain = partial(wl.attribute, domain=wl.Identity(), method=wl.Saliency())

    def theirs(model, inputs, targets, **_):
        return explain(model, torch.as_tensor(inputs), torch.as_tensor(targets)).data.numpy().reshape(-1, 1, *shape)

    a = explain(net, x, CLASSES)
    named = {"x_batch": x.numpy(), "y_batch": np.array(CLASSES), "explain_func": theirs, "device": "cpu"}
    options = {"normalise": False, "abs": True, "disable_warnings": True, "layer_order": "bottom_up"}
    rise = quantus.EfficientMPRT(complexity_func_kwargs={"n_bins": 40}, **options)(net, **named)
    found = wl.metrics.complexity_rise(net, x, CLASSES, a, explainer=explain, bins=40)
    assert relative(found, torch.tensor(rise, dtype=torch.float32)) < 1e-5
    smooth = quantus.SmoothMPRT(nr_samples=2, noise_magnitude=0.0, return_average_correlation=True, **options)
    theirs = torch.tensor(smooth(net, **named))  # the mean of one before the resets, and of each of two
    found = wl.metrics.smooth_cascading(net, x, CLASSES, a, explainer=explain, samples=2, sigma=0.0)
    assert relative((1 + 2 * found) / 3, theirs.to(found)) < 1e-5


def test_a_smooth_cascade_is_a_cascade_of_averages_over_noise():
    net, x = Layers(), signal(SHAPE)
    a = SALIENCY(net, x, CLASSES)
    spans = (x.flatten(1).amax(1) - x.flatten(1).amin(1)).reshape(-1, 1, 1, 1)

    def average(model, x, target):
        total = 0
        for k in range(3):
            source = averages.generator(averages.stream(2, "smooth_cascading"), k, x.device)
            noise = torch.randn(x.shape[1:], generator=source, dtype=torch.float32).double()
            total = total + SALIENCY(model, x + 0.2 * noise * spans, target).data
        return wl.Coefficients(total / 3, a.layout)

    options = {"layers": ["first", "last"], "seed": 2}
    found = wl.metrics.smooth_cascading(net, x, CLASSES, a, explainer=SALIENCY, samples=3, sigma=0.2, **options)
    before = average(net, x, CLASSES)
    expected = wl.metrics.cascading(net, x, CLASSES, before, explainer=average, order="bottom-up", **options)
    assert relative(found, expected) < 1e-9
    plain = wl.metrics.cascading(net, x, CLASSES, a, explainer=SALIENCY, order="bottom-up", **options)
    assert relative(found, plain) > 1e-3
    still = wl.metrics.smooth_cascading(net, x, CLASSES, a, explainer=SALIENCY, samples=2, sigma=0.0, **options)
    assert relative(still, plain) < 1e-9


@pytest.mark.parametrize("text", ["ResidualCorrelation(samples=2)", "SmoothCascading(samples=2, layers=('last',))"])
def test_each_file_has_its_own_chance(text):
    net, x = Layers(), signal(SHAPE)
    explainer, metric = FromMethod(wl.InputTimesGradient(), HAAR), parse_metric(text)
    assert parse_metric(repr(metric)) == metric
    case = Case(net, x, CLASSES, PRODUCT(net, x, CLASSES), explainer, 7, name="one.png")
    (found,) = metric.measured(case).values()
    function = getattr(wl.metrics, metric.columns[0].name)
    options = {key: value for key, value in vars(metric).items() if key != "seed"}
    own = function(*case[:4], explainer=PRODUCT, **options, seed=seed_of(0, "one.png"))
    assert relative(found, own) < 1e-12
    assert relative(function(*case[:4], explainer=PRODUCT, **options), own) > 1e-6


def test_options():
    net, x = Layers(), signal(SHAPE)
    a = SALIENCY(net, x, CLASSES)
    for metric in (wl.metrics.residual_correlation, wl.metrics.complexity_rise):
        with pytest.raises(TypeError, match="model must be a module whose layers can be reset; got function"):
            metric(lambda x: x.flatten(1), x, CLASSES, a, explainer=SALIENCY)
    with pytest.raises(ValueError, match="samples must be a whole number from 1; got samples=0"):
        wl.metrics.residual_correlation(net, x, CLASSES, a, explainer=SALIENCY, samples=0)
    with pytest.raises(ValueError, match="bins must be a whole number from 1; got bins=0"):
        wl.metrics.complexity_rise(net, x, CLASSES, a, explainer=SALIENCY, bins=0)
    with pytest.raises(ValueError, match="sigma, a fraction of the signal's range"):
        wl.metrics.smooth_cascading(net, x, CLASSES, a, explainer=SALIENCY, sigma=-1)
