"""Methods of Captum and Zennit in every domain, against those libraries themselves."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import wavelens as wl
from cases import DOMAINS, Net, name, needing, relative, signal
from wavelens.methods.adapters import CAPTUM
from wavelens.methods.lift import Lift

SHAPE = (9, 12)
TARGET = [1, 0, 3]

pytestmark = pytest.mark.filterwarnings("ignore:Setting .*hooks")


class Rectified(nn.Module):
    """A convolutional network whose nonlinearities are modules, as both libraries need it."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5))
        )
        for seed, p in enumerate(self.parameters()):
            p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / 4
        self.eval()

    def forward(self, x):
        return self.layers(x)


NET, X = Rectified(), signal(SHAPE)


def explain(method, domain=wl.DWT("db2", 1), net=NET, x=X, target=TARGET, **options):  # noqa: B008
    return wl.attribute(net, x, target, domain=domain, method=method, **options)


def pulled(domain, g, x=X):
    """The pullback of a gradient in input space."""
    return Lift(domain, domain.analysis(x).layout).pull(g[None])[0]


@pytest.mark.needs("captum")
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_captum_gives_what_we_give(domain):
    ours, theirs = (explain(m, domain) for m in (wl.Saliency(), wl.Captum("Saliency")))
    assert relative(theirs.data, ours.data) < 1e-13
    assert relative(theirs.score, ours.score) < 1e-14
    net, baseline = Net(SHAPE), signal(SHAPE, seed=5)
    ours, theirs = (
        explain(m, domain, net, baseline=baseline)
        for m in (wl.IntegratedGradients(steps=9), wl.Captum("IntegratedGradients", n_steps=9))
    )
    assert relative(theirs.data, ours.data) < 1e-7  # Captum rounds its nodes to float32
    assert relative(theirs.baseline_score, ours.baseline_score) < 1e-14
    assert relative(theirs.gap, ours.gap) < 1e-2


@pytest.mark.needs("captum")
@pytest.mark.parametrize("algorithm", ["GuidedBackprop", "Deconvolution"])
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_modified_gradients_are_captums_pulled_back(domain, algorithm):
    from captum import attr

    theirs = getattr(attr, algorithm)(NET).attribute(X.clone().requires_grad_(), torch.tensor(TARGET))
    assert relative(explain(wl.Captum(algorithm), domain).data, pulled(domain, theirs)) < 1e-13
    assert relative(explain(wl.Saliency(), domain).data, pulled(domain, theirs)) > 1e-2


@pytest.mark.needs("captum")
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_deeplift_is_complete(domain):
    for options in ({}, {"baseline": signal(SHAPE, seed=5)}):
        a = explain(wl.Captum("DeepLift", baseline=0.3), domain, **options)
        start = options.get("baseline", torch.full_like(X, 0.3))
        assert relative(a.data.sum((1, 2)), (NET(X) - NET(start))[range(3), TARGET]) < 1e-12
        assert a.gap.abs().max() < 1e-12 * a.score.abs().max()


@pytest.mark.needs("captum")
def test_gradient_shap_is_complete_for_a_linear_model():
    weights = signal(SHAPE, batch=1, seed=6).flatten()
    a = explain(wl.Captum("GradientShap", baseline=0.3), net=lambda x: x.flatten(1) @ weights, target=None)
    assert relative(a.data.sum((1, 2)), (X - 0.3).flatten(1) @ weights) < 1e-12


@pytest.mark.needs("captum")
@pytest.mark.parametrize("tunnel", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_captums_noise_tunnel(tunnel):
    from captum import attr

    method = wl.Captum("GuidedBackprop", tunnel=tunnel, seed=7, nt_samples=4, stdevs=0.2)
    a = explain(method, x=X[:1], target=1)
    torch.manual_seed(7)
    theirs = attr.NoiseTunnel(attr.GuidedBackprop(NET)).attribute(
        X[:1].clone().requires_grad_(), tunnel, 4, 1, 0.2, target=1
    )
    assert relative(a.data, pulled(wl.DWT("db2", 1), theirs)) < 1e-13
    assert a.spent.tolist() == [4]
    assert torch.equal(explain(method, x=X[:1], target=1, batch_size=4).data, a.data)
    other = wl.Captum("GuidedBackprop", tunnel=tunnel, seed=8, nt_samples=4, stdevs=0.2)
    assert relative(explain(other, x=X[:1], target=1).data, a.data) > 1e-3


SEEDED = [
    wl.Captum("GradientShap", baseline=0.2),
    wl.Captum("Saliency", tunnel="smoothgrad", nt_samples=4, stdevs=0.2),
]
DETERMINISTIC = [wl.Captum(a, baseline=0.2) for a in CAPTUM if a != "GradientShap"]
ZENNIT = [
    wl.Zennit(c, m) for c in ("GuidedBackprop", "DeconvNet", "BetaSmooth") for m in (wl.Saliency(), wl.SmoothGrad(3))
]
UNSEEDED = [*needing("captum", DETERMINISTIC), *needing("zennit", ZENNIT)]


@pytest.mark.parametrize("method", [*UNSEEDED, *needing("captum", SEEDED)], ids=name)
def test_an_item_does_not_depend_on_its_batch_mates(method):
    whole = explain(method)
    for i, target in enumerate(TARGET):
        alone = explain(method, x=X[i : i + 1], target=target, batch_size=1)
        assert relative(alone.data, whole.data[i : i + 1]) < 1e-12
        assert alone.spent.tolist() == whole.spent[i : i + 1].tolist()


@pytest.mark.parametrize("method", UNSEEDED, ids=name)
def test_several_targets_are_each_what_they_are_alone(method):
    together = explain(method, target=wl.targets.Several(TARGET, 2))
    for n, target in enumerate((TARGET, 2)):
        assert relative(together.data[n], explain(method, target=target).data) < 1e-12


@pytest.mark.needs("captum")
@pytest.mark.parametrize("method", SEEDED, ids=name)
def test_random_numbers_come_from_the_seed_and_no_global_generator_moves(method):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = explain(method)
    assert torch.equal(explain(method).data, first.data)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    other = wl.Captum(method.algorithm, method.tunnel, method.baseline, 5, **dict(method.options))
    assert relative(explain(other).data, first.data) > 1e-6


@pytest.mark.needs("captum")
def test_batch_size_bounds_captums_paths():
    rows = []

    def net(x):
        rows.append(len(x))
        return NET(x)

    for batch_size in (1, 3, 100):
        rows.clear()
        explain(wl.Captum("IntegratedGradients", n_steps=10), net=net, batch_size=batch_size)
        assert max(rows) == min(batch_size, 10)


class Broken(Rectified):
    """Fails at its `fails_at`-th call, after its modules have run."""

    calls, fails_at = 0, 0

    def forward(self, x):
        out = super().forward(x)
        self.calls += 1
        if self.calls == self.fails_at:
            raise KeyboardInterrupt
        return out


def state(model):
    return [
        {
            key: list(value.items()) if "hooks" in key or key == "_modules" else {k: str(v) for k, v in value.items()}
            for key, value in vars(module).items()
            if isinstance(value, dict)
        }
        | {key: value for key, value in vars(module).items() if not isinstance(value, dict) and key != "calls"}
        for module in model.modules()
    ]


@pytest.mark.parametrize("method", UNSEEDED, ids=name)
@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_the_model_comes_back_as_it_was(method, fails_at):
    net, around = Broken(), torch.get_rng_state()
    net.fails_at = fails_at
    net.layers[1].register_forward_hook(lambda *_: None)
    net.layers[0].weight.requires_grad_(False)
    net.layers[3].output = "the caller's own"
    before = state(net)
    if fails_at:
        with pytest.raises(KeyboardInterrupt):
            explain(method, net=net, batch_size=1)
    else:
        explain(method, net=net)
    assert net.calls >= fails_at
    assert state(net) == before
    assert torch.equal(torch.get_rng_state(), around)


@pytest.mark.needs("captum", "zennit")
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
@pytest.mark.parametrize(
    ("composite", "algorithm"), [("GuidedBackprop", "GuidedBackprop"), ("DeconvNet", "Deconvolution")]
)
def test_zennit_and_captum_agree(domain, composite, algorithm):
    assert relative(explain(wl.Zennit(composite), domain).data, explain(wl.Captum(algorithm), domain).data) < 1e-13


def by_zennit(composite, x):
    """The gradient of Zennit alone."""
    from zennit import composites

    x = x.clone().requires_grad_()
    with getattr(composites, composite)().context(NET) as model:
        return torch.autograd.grad(model(x)[range(len(x)), TARGET].sum(), x)[0]


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("composite", ["GuidedBackprop", "DeconvNet", "BetaSmooth"])
@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_modified_gradients_are_zennits_pulled_back(domain, composite):
    theirs = pulled(domain, by_zennit(composite, X))
    assert relative(explain(wl.Zennit(composite), domain).data, theirs) < 1e-13
    assert relative(explain(wl.Saliency(), domain).data, theirs) > 1e-2


@pytest.mark.needs("zennit")
def test_any_method_under_zennit():
    domain = wl.DWT("db2", 1)
    smooth = wl.SmoothGrad(samples=4, sigma=0.2)
    points = wl.methods.averages.noisy(X, smooth.sigma, smooth.seed)
    mean = sum(by_zennit("GuidedBackprop", points(slice(None), k)) for k in range(4)) / 4
    assert relative(explain(wl.Zennit("GuidedBackprop", smooth)).data, pulled(domain, mean)) < 1e-13
    path = wl.Zennit("GuidedBackprop", wl.IntegratedGradients(steps=3, quadrature="riemann", baseline=0.5))
    starts = (torch.full_like(X, 0.5), signal(SHAPE, seed=5))
    for start, options in zip(starts, ({}, {"baseline": starts[1]}), strict=True):
        mean = sum(by_zennit("GuidedBackprop", torch.lerp(start, X, k / 3)) for k in (1, 2, 3)) / 3
        expected = domain.analysis(X - start).data * pulled(domain, mean)
        assert relative(explain(path, **options).data, expected) < 1e-13
    with pytest.raises(ValueError, match="baseline belongs to methods with one"):
        explain(wl.Zennit("GuidedBackprop"), baseline=0.0)


@pytest.mark.parametrize("algorithm", ["LRP", "Occlusion", "LayerGradCam", "saliency"])
def test_algorithms_without_a_gradient_are_refused(algorithm):
    with pytest.raises(
        ValueError, match=f"algorithm must be one of Saliency, .*DeepLift.*got '{algorithm}', .*Identity domain"
    ):
        wl.Captum(algorithm)


@pytest.mark.parametrize("algorithm", ["IntegratedGradients", "GradientShap", "DeepLift"])
def test_paths_through_the_tunnel_are_refused(algorithm):
    with pytest.raises(ValueError, match=f"the first three in a tunnel.*got '{algorithm}', tunnel='smoothgrad'"):
        wl.Captum(algorithm, tunnel="smoothgrad")


@pytest.mark.parametrize("composite", ["EpsilonPlusFlat", "LRP", "guidedbackprop"])
def test_composites_without_a_gradient_are_refused(composite):
    with pytest.raises(
        ValueError, match=f"composite must be GuidedBackprop, .*got '{composite}'.*LRP.*Identity domain"
    ):
        wl.Zennit(composite)


@pytest.mark.parametrize(
    "method", [wl.Captum("GuidedBackprop"), wl.Captum("DeepLift"), wl.Zennit("DeconvNet")], ids=name
)
def test_a_function_has_no_modules_to_change(method):
    with pytest.raises(TypeError, match=r"model must be an nn.Module for .*; got function. Wrap"):
        explain(method, net=lambda x: NET(x))


@pytest.mark.parametrize(
    ("method", "module"),
    [(wl.Captum("Saliency"), "captum.attr"), (wl.Zennit("GuidedBackprop"), "zennit.composites")],
    ids=["captum", "zennit"],
)
def test_a_missing_package_says_what_to_install(method, module, monkeypatch):
    package = module.partition(".")[0]
    for missing in (package, module):
        monkeypatch.setitem(sys.modules, missing, None)
    before = state(NET)
    with pytest.raises(ImportError, match=rf"{package} is needed here .*pip install 'wavelens\[baselines\]'"):
        explain(method)
    assert state(NET) == before
