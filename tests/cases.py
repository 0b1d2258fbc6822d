"""The tables that every law runs over. A new domain, method or metric is one line here."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import wavelens as wl
from wavelens.core import Coefficients
from wavelens.methods.shuffles import shuffled
from wavelens.seeds import stream

SHAPES = [(37,), (64,), (12, 17), (8, 9, 10)]

DOMAINS = [
    wl.Identity(),
    wl.DWT(),
    wl.DWT("haar", levels=2),
    wl.DWT("db4", levels=2),
    wl.DWT("haar", levels=1, mode="reflect"),
    wl.DWT("db4", levels=2, mode="reflect"),
    wl.DWT("sym5", levels=2, mode="symmetric"),
    wl.DWT("bior2.4", levels=2, mode="zero"),
    wl.DWT("rbio3.1", levels=1, mode="constant"),
    wl.DWT("coif1", levels=2, mode="periodic"),
    wl.DWT("db2", levels=2, mode="antisymmetric"),
    wl.DWT("bior1.3", levels=2, mode="antireflect"),
    wl.DWT("db3", levels=1, mode="smooth"),
    wl.DWT("bior2.4", levels=2),
    wl.Fourier(),
    wl.Cosine(),
    wl.STFT("hann", 8),
    wl.ConstantQ(2, octaves=1),
    wl.FrequencyBands((0.05, 0.1, 0.3)),
    wl.Packets("db2", levels=2, mode="reflect"),
    wl.Stationary("bior2.4", levels=2),
    wl.DualTree(levels=2),
    wl.Shearlets(2, shears=4),
]


def takes(domain: wl.Domain, shape: tuple[int, ...]) -> bool:
    """Whether a domain transforms signals with so many axes: shearlets have two."""
    return len(shape) == 2 or not isinstance(domain, wl.Shearlets)


UNEVEN = [  # levels that differ from axis to axis, with a signal that they fit
    (wl.DWT("haar", levels=(1, 3)), (12, 17)),
    (wl.DWT("haar", levels=(0, 2, 3)), (3, 8, 16)),
    (wl.DWT("haar", levels=(2, 0, 1)), (8, 5, 10)),
    (wl.DWT("db4", levels=(2, 1, 0)), (8, 9, 10)),
    (wl.DWT("db2", levels=(2, 0), mode="reflect"), (12, 17)),
    (wl.DWT("bior2.4", levels=(1, 2, 1), mode="smooth"), (7, 12, 9)),
    (wl.DWT("sym5", levels=(2, 4), mode="symmetric"), (130, 333)),
]

METHODS = [
    wl.Saliency(),
    wl.Saliency(times_input=True),
    wl.InputTimesGradient(),
    wl.SmoothGrad(samples=7, sigma=0.3),
    wl.SmoothGrad(samples=7, sigma=0.3, times_input=True, by_item=True),
    wl.SmoothGrad(samples=7, sigma=0.5, noise="band", by_item=True),
    wl.VarGrad(samples=7, sigma=0.3),
    wl.SquareGrad(samples=7, sigma=0.3),
    wl.IntegratedGradients(steps=12),
    wl.IntegratedGradients(steps=12, quadrature="trapezoid", baseline=0.3),
    wl.IntegratedGradients(steps=12, quadrature="riemann"),
    wl.IntegratedGradients(tolerance=1e-3),
    wl.IntegratedGradients(steps=12, baseline="shuffled", shuffles=2),
    wl.CoarseToFine("both", steps=40, quadrature="trapezoid", baseline=0.3),
    wl.CoarseToFine("fine-to-coarse", tolerance=1e-3),
    wl.Owen(permutations=2, steps=3),
    wl.DecisionGradients(steps=6),
    wl.ImportantDirections(steps=6),
    wl.SmoothGrad(samples=10, tolerance=0.02, max_samples=60),
    wl.ExpectedGradients(samples=7, baseline=0.2),
    wl.ScaleShapley(max_permutations=8),
]
BLACK_BOX = [  # values alone, so that they are no combination of gradients
    wl.RISE(samples=12, grid=3),
    wl.RISE(samples=9, grid=2, keep=0.3, centred=False, baseline=0.2),
    wl.Sobol(samples=4, groups="bands"),
    wl.HSIC(samples=24, groups="bands"),
    wl.KernelSHAP(samples=50, groups="scales"),
    wl.HierarchicalShapley(max_groups=9, pairs=2),
]
METHODS += BLACK_BOX
COSTLY = wl.CoarseToFine | wl.Owen | wl.ScaleShapley  # and black boxes: tens of passes for each domain
ONE_OF_EACH_KIND = [  # with two of DWT: samples, one-sided complex, redundant, redundant and complex
    d for d in DOMAINS if isinstance(d, wl.Identity | wl.Fourier | wl.Stationary | wl.DualTree)
] + [DOMAINS[2], DOMAINS[5]]
PATHS = [m for m in METHODS if isinstance(m, wl.IntegratedGradients | wl.CoarseToFine)]
NONLINEAR = (
    wl.VarGrad | wl.SquareGrad | wl.DecisionGradients | wl.ImportantDirections | wl.Sobol | wl.HSIC
) | wl.HierarchicalShapley
LINEAR = [  # linear in f; an adaptive rule stops elsewhere for another f, so it is not
    m for m in METHODS if getattr(m, "tolerance", None) is None and not isinstance(m, NONLINEAR)
]


def starts(method: Any, x: Tensor, domain: wl.Domain) -> list[Tensor]:
    """Where the paths of a method begin, `(batch, channel, *axes)` each."""
    if method.baseline != "shuffled":
        return [torch.full_like(x, method.baseline)]
    z = domain.analysis(x)
    permuted = [shuffled(z, seed=stream(method.seed, "shuffled"), k=k) for k in range(method.shuffles)]
    return [Coefficients(data, z.layout).synthesis() for data in permuted]


def explainer(a: Coefficients) -> wl.metrics.Explainer:
    """Saliency in the domain of `a`, or in samples where it has none."""
    domain = a.layout.domain if isinstance(a, Coefficients) else wl.Identity()
    return partial(wl.attribute, domain=domain, method=wl.Saliency())


def halves(x: Tensor) -> Tensor:
    """The first half of the first axis as a region."""
    return wl.metrics.boxes(x, [[((0, x.shape[2] // 2), *((0, n) for n in x.shape[3:]))]] * len(x))


class Turned(nn.Module):
    """Another network of the same input and classes: what supports a class in the first opposes it here."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.eval()

    def forward(self, *args: Any, **named: Any) -> Any:
        return -self.model(*args, **named)


ASKING = {  # these ask the model in chunks, and take the domain that is perturbed
    "insertion": partial(wl.metrics.insertion, steps=6),
    "insertion, ÷ max": partial(wl.metrics.insertion, steps=5, normalize="max"),
    "insertion, shuffled": partial(wl.metrics.insertion, steps=5, fill="shuffled", fractions="log", samples=2),
    "deletion": partial(wl.metrics.deletion, steps=6),
    "deletion, noise": partial(wl.metrics.deletion, steps=4, fill="noise", score="logit", samples=2),
    "deletion, blurred": partial(wl.metrics.deletion, steps=4, fill="blur", fractions="nonzero"),
    "faithfulness": partial(wl.metrics.faithfulness, steps=6),
    "faithfulness, mean": partial(wl.metrics.faithfulness, steps=4, fill="mean", fractions="log"),
    "mu_fidelity": partial(wl.metrics.mu_fidelity, subsets=9, grid=5),
    "mu_fidelity, ranks": partial(wl.metrics.mu_fidelity, subsets=9, correlation="spearman"),
    "ff": wl.metrics.ff,
    "fid_in": partial(wl.metrics.fid_in, fraction=0.1),
    "infidelity, noise": partial(wl.metrics.infidelity, samples=7),
    "infidelity, removal": partial(wl.metrics.infidelity, perturb="removal", samples=7),
    "infidelity, normalized": partial(wl.metrics.infidelity, samples=7, normalize=True),
    "irof": partial(wl.metrics.irof, grid=3),
    "irof, shuffled": partial(wl.metrics.irof, grid=2, fill="shuffled", samples=2),
    "road": partial(wl.metrics.road, steps=4),
    "transfer": lambda m, x, t, a, **options: wl.metrics.transfer(m, x, t, a, other=Turned(m), steps=4, **options),
}
METRICS = ASKING | {
    "sparseness": wl.metrics.sparseness,
    "complexity": wl.metrics.complexity,
    "pointing_game": lambda m, x, t, a: wl.metrics.pointing_game(m, x, t, a, region=halves(x)),
    "max_sensitivity": lambda m, x, t, a: wl.metrics.max_sensitivity(m, x, t, a, explainer=explainer(a), samples=3),
    "relevance_mass": lambda m, x, t, a: wl.metrics.relevance_mass(m, x, t, a, region=halves(x)),
    "relevance_rank": lambda m, x, t, a: wl.metrics.relevance_rank(m, x, t, a, region=halves(x)),
    "residual_correlation": lambda m, x, t, a: wl.metrics.residual_correlation(m, x, t, a, explainer=explainer(a)),
    "complexity_rise": lambda m, x, t, a: wl.metrics.complexity_rise(m, x, t, a, explainer=explainer(a), bins=9),
    "smooth_cascading": lambda m, x, t, a: wl.metrics.smooth_cascading(m, x, t, a, explainer=explainer(a), samples=2),
    "cascading": lambda m, x, t, a: wl.metrics.cascading(m, x, t, a, explainer=explainer(a)),
    "independent": lambda m, x, t, a: wl.metrics.independent(m, x, t, a, explainer=explainer(a)),
}
REGIONAL = ("pointing_game", "relevance_mass", "relevance_rank")  # judge the map of one signal by a region
SILENT = ("sparseness", "complexity", *REGIONAL)  # never ask the model
RANKED = ("cascading", "independent", "smooth_cascading", "residual_correlation")  # correlations of ranks
ANEW = ("max_sensitivity", "complexity_rise", *RANKED)  # explain again
UNITS = ("infidelity, noise", "infidelity, removal", "max_sensitivity")  # the unit of the attribution counts


class Net(nn.Module):
    """A smooth classifier of five classes for signals of any number of axes, made anew from a seed."""

    def __init__(self, shape: tuple[int, ...], channels: int = 2, hidden: int = 16, seed: int = 0) -> None:
        super().__init__()
        source = torch.Generator().manual_seed(seed)
        size = channels * torch.Size(shape).numel()
        self.first = nn.Parameter(torch.randn(size, hidden, generator=source, dtype=torch.float64) / size**0.5)
        self.second = nn.Parameter(torch.randn(hidden, 5, generator=source, dtype=torch.float64))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return (torch.tanh(x.flatten(1) @ self.first) + 1) ** 2 @ self.second


def needing(module: str, values: Iterable[Any]) -> list[Any]:
    """Parameters of a test that need an optional module: they alone are skipped where it cannot be imported."""
    return [pytest.param(value, marks=pytest.mark.needs(module)) for value in values]


def held(run: Callable[[], Any], folder: Path) -> int:
    """Bytes of tensors on the CPU at the peak of a call, above those before it: torch's own count."""
    run()  # what is kept for later calls is there
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    seen.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    counts = sorted((event for event in events if event.get("name") == "[memory]"), key=lambda event: event["ts"])
    totals = [event["args"]["Total Allocated"] for event in counts]
    return max(totals) - (totals[0] - counts[0]["args"]["Bytes"])


def tiny_vit(*labels: str) -> nn.Module:
    """An image classifier of transformers with random weights, for 32 × 32 pixels."""
    import transformers

    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=32,
        patch_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: k for k, label in enumerate(labels)},
    )
    torch.manual_seed(0)
    return transformers.ViTForImageClassification(config).eval()


class Convolutional(nn.Module):
    """A small network of convolutions; with `strict`, one that only takes contiguous activations."""

    def __init__(self, axes: int, strict: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = (nn.Conv2d, nn.Conv3d)[axes - 2]
        self.first, self.second, self.strict = layer(2, 4, 3), layer(4, 3, 3), strict
        self.eval()

    def forward(self, x):
        self.usual = x.is_contiguous() and self.first.weight.is_contiguous()
        y = torch.relu(self.second(torch.tanh(self.first(x))))
        flat = y.view(len(y), -1) if self.strict else y.flatten(1)
        return flat.unflatten(1, (3, -1)).sum(2)


def signal(shape: tuple[int, ...], batch: int = 3, channels: int = 2, seed: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    scale = torch.arange(1, batch + 1).reshape(-1, *[1] * (len(shape) + 1))
    return torch.randn(batch, channels, *shape, generator=source, dtype=torch.float64) * scale


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest error, relative to the largest value; infinite where the shapes differ."""
    if found.shape != expected.shape:
        return float("inf")
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300)).item()


def name(value: object) -> str:
    return repr(value).replace("samples=", "n=").replace("wavelet=", "")


PAIRS = [(domain, shape) for shape in SHAPES for domain in DOMAINS if takes(domain, shape)]
over_pairs = pytest.mark.parametrize(("domain", "shape"), PAIRS, ids=name)


def pairs(methods: list[Any]) -> list[tuple[wl.Domain, Any]]:
    """Every domain with every method; costly methods with one domain of each kind."""
    return [
        (domain, method)
        for domain in DOMAINS
        for method in methods
        if domain in ONE_OF_EACH_KIND or not (method in BLACK_BOX or isinstance(method, COSTLY))
    ]


def over_domains_and(methods: list[Any]) -> pytest.MarkDecorator:
    """One case of each of the `pairs`."""
    return pytest.mark.parametrize(("domain", "method"), pairs(methods), ids=name)
