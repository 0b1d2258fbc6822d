"""Nothing mixes devices, and results lie where the signal lies: all laws of a GPU that need none (see tests/gpu.py)."""

import pytest
import torch
from torch import Tensor, nn

import wavelens as wl
from cases import METHODS, METRICS, PAIRS, SILENT, UNEVEN, Net, name, needing, relative, signal
from gpu import GPU, is_far, pretended

SHAPE = (12, 17)


def same(found: Tensor, expected: Tensor, bound: float = 1e-12) -> None:
    assert is_far(found)
    assert found.dtype == expected.dtype
    assert relative(found.double(), expected.double()) < bound


def test_a_tensor_of_the_cpu_is_refused_there():
    x = torch.ones(3)
    with pretended():
        assert x.device == (x * 2).device == GPU
        assert torch.zeros(3).device.type == (x * 2).cpu().device.type == "cpu"
        assert torch.zeros(3, device=x.device).device == torch.zeros(3).to(x).device == x.new_zeros(3).device == GPU
        assert (x + torch.ones(())).device == x[torch.arange(2)].device == GPU
        for wrong in (
            lambda: x + torch.zeros(3),
            lambda: torch.cat([x, torch.zeros(3)]),
            lambda: torch.stack([x.sum(), torch.zeros(())]),
            lambda: torch.zeros(3)[x.long()],
            lambda: x.numpy(),
            lambda: torch.rand(3, generator=torch.Generator(), device=GPU),
        ):
            with pytest.raises((RuntimeError, TypeError), match="device"):
                wrong()


LONG = [(wl.DWT(w, 2, m), shape) for w in ("haar", "db4") for m in ("periodization", "reflect")
        for shape in [(1500,), (1501,), (130, 333)]]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize(("domain", "shape"), PAIRS + UNEVEN + LONG, ids=str)
def test_domains(domain, shape, dtype):
    x = signal(shape, batch=2).to(dtype)
    c = domain.analysis(x)
    back, pulled = c.synthesis(), domain.adjoint(x, c.layout)
    default = wl.core.Domain.adjoint(domain, x, c.layout)
    bound = 64 * torch.finfo(dtype).eps
    with pretended():
        same(domain.analysis(x).data, c.data, bound)
        same(wl.Coefficients(c.data, c.layout).synthesis(), back, bound)
        same(domain.adjoint(x, c.layout).data, pulled.data, bound)
        if dtype == torch.float64:
            same(wl.core.Domain.adjoint(domain, x, c.layout).data, default.data, bound)


def agree(found: wl.Attribution, expected: wl.Attribution) -> None:
    same(found.data, expected.data)
    for field in ("score", "baseline_score", "gap", "standard_error"):
        one, other = getattr(found, field), getattr(expected, field)
        assert (one is None) == (other is None)
        assert one is None or is_far(one)
    assert found.spent.device.type == "cpu"
    assert found.spent.tolist() == expected.spent.tolist()
    assert is_far(found.item(1).data)


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("method", METHODS, ids=name)
def test_methods(method, baseline):
    if baseline and not hasattr(method, "baseline"):
        pytest.skip("has no baseline")
    net, x, target = Net(SHAPE), signal(SHAPE), [1, 0, 3]
    how = {"method": method, "domain": [wl.DWT("db2", 2), wl.Identity()], "batch_size": 2}

    def start():
        return torch.full(x.shape, 0.25, dtype=x.dtype) if baseline else None

    expected = wl.attribute(net, x, target, baseline=start(), **how)
    with pretended():  # target and baseline lie on the CPU there, and are taken along
        found = wl.attribute(net, x, torch.tensor(target), baseline=start(), **how)
        for pair in zip(found, expected, strict=True):
            agree(*pair)


@pytest.mark.parametrize("target", [2, [1, 0, 3], wl.targets.Contrast([1, 0, 3], 2), wl.targets.Several(0, [1, 0, 3])])
def test_targets(target):
    net, x = Net(SHAPE), signal(SHAPE)
    expected = wl.attribute(net, x, target, domain=wl.DWT(), method=wl.IntegratedGradients(3))
    with pretended():
        agree(wl.attribute(net, x, target, domain=wl.DWT(), method=wl.IntegratedGradients(3)), expected)


def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)
    )


CONV = convolutional()
CONV(torch.zeros(1, 2, *SHAPE))
CONV = CONV.double().eval()


@pytest.mark.parametrize(
    "method",
    [wl.Captum("DeepLift"), wl.Captum("GradientShap", n_samples=3), wl.Captum("Saliency", "smoothgrad", nt_samples=3)],
    ids=name,
)
@pytest.mark.needs("captum")
@pytest.mark.filterwarnings("ignore:Setting .*hooks")
def test_captum(method):
    x, options = signal(SHAPE), {"domain": wl.DWT("haar", 1), "method": method, "batch_size": 2}
    expected = wl.attribute(CONV, x, 1, **options).data
    with pretended():
        same(wl.attribute(CONV, x, 1, **options).data, expected)


@pytest.mark.parametrize("explainer", ["GradCAM", "GradCAMPlusPlus", "LayerCAM", *needing("zennit", ["LRP", "SRD"])])
def test_baselines(explainer):
    x, explain = signal(SHAPE), getattr(wl.baselines, explainer)()
    expected = explain(CONV, x, [1, 0, 3]).data
    with pretended():
        same(explain(CONV, x, [1, 0, 3]).data, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("metric", METRICS)
def test_metrics(metric, dtype):
    """In float32 too: the types of what is drawn and of what is added differ there."""
    net, x, target = Net(SHAPE).to(dtype), signal(SHAPE).to(dtype), [1, 0, 3]
    a = wl.attribute(net, x, target, domain=wl.DWT("db2", 1), method=wl.InputTimesGradient())
    expected = METRICS[metric](net, x, target, a)
    with pretended():
        found = METRICS[metric](net, x, target, a)
        assert is_far(found)
        assert torch.allclose(found.double(), expected.double(), rtol=1e-4, atol=1e-4)
        if metric not in SILENT:
            assert torch.isfinite(METRICS[metric](net, x, torch.tensor(target), a)).all()


def test_metrics_in_another_domain():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 1, domain=wl.DWT("db2", 1), method=wl.Saliency())
    options = {"domain": wl.Identity(), "baseline": torch.zeros(x.shape[1:], dtype=x.dtype), "steps": 5}
    expected = wl.metrics.insertion(net, x, 1, a, **options)
    with pretended():
        options["baseline"] = torch.zeros(x.shape[1:], dtype=x.dtype)
        same(wl.metrics.insertion(net, x, 1, a, **options), expected)
        for order in (wl.metrics.random_order(x, wl.DWT()), wl.metrics.energy_order(x, wl.DWT())):
            assert is_far(order.data)


FILLS = {
    "zero": lambda x: 0.0,
    "number": lambda x: 0.5,
    "tensor": lambda x: torch.full(x.shape[1:], 0.25, dtype=x.dtype),
    "blur": lambda x: wl.masks.Blur(2.0),
    "noise": lambda x: wl.masks.Noise(),
}


@pytest.mark.parametrize("fill", FILLS)
def test_minimal(fill):
    net, x = Net(SHAPE), signal(SHAPE)
    options = {"domain": wl.DWT("haar", 1), "alpha": [0.5, 20.0], "steps": 4, "spatial": 0.1}
    start = wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=wl.InputTimesGradient())
    for begin in (None, start):
        expected = wl.masks.minimal(net, x, 1, baseline=FILLS[fill](x), start=begin, **options)
        with pretended():
            found = wl.masks.minimal(net, x, 1, baseline=FILLS[fill](x), start=begin, **options)
            for field in ("after", "before", "objective", "rebuilt"):
                same(getattr(found, field), getattr(expected, field), 1e-9)
            same(found.mask.data, expected.mask.data, 1e-9)
            if fill != "noise":
                assert found.front().spent.tolist() == expected.front().spent.tolist()


def test_masks_and_maps():
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 1, domain=wl.DWT("db2", 2), method=wl.IntegratedGradients(steps=3))

    def everything():
        top = wl.masks.top(a, 0.1)
        profile = wl.maps.profile(a)
        yield from (top.apply(x), top.complement().apply(x, baseline=0.5), wl.masks.threshold(a, 0.5).data)
        yield from wl.masks.decompose(x, top).so_far.values()
        yield from (wl.masks.soft(a, 4.0).data, wl.masks.evidence(a, x).data, wl.masks.order(a))
        yield from (profile.signed, profile.share, profile.band_signed, wl.maps.mosaic(a), wl.maps.density(a).data)
        yield from (*wl.maps.scale_maps(a).values(), *wl.maps.contributions(a).values(), wl.maps.spatial_map(a))
        yield from wl.maps.courses(a, 0).values()

    expected = list(everything())
    with pretended():
        for one, other in zip(everything(), expected, strict=True):
            same(one, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("front", ["LogMel", "KaldiMel"])
def test_front_ends(front, dtype):
    build = {"LogMel": lambda: wl.frontends.LogMel(8000, n_fft=256, n_mels=16, top_db=60.0),
             "KaldiMel": lambda: wl.frontends.KaldiMel(8000, n_mels=16)}[front]  # fmt: skip
    module, x = build(), signal((1200,), channels=1).to(dtype)
    x = x.requires_grad_(dtype != torch.float16)
    expected = module(x)
    slope = torch.autograd.grad(expected.sum(), x)[0] if x.requires_grad else None
    with pretended():
        found = module(x)
        same(found.detach(), expected.detach(), 1e-3)
        if slope is not None:
            same(torch.autograd.grad(found.sum(), x)[0], slope, 1e-3)


def test_checks():
    net, x = Net(SHAPE), signal(SHAPE)
    expected = wl.check(net, x)
    with pretended():
        found = wl.check(net, x)
    assert [v.status for v in found.verdicts] == [v.status for v in expected.verdicts]


def test_an_attribution_is_written_and_drawn(tmp_path):
    net, x = Net(SHAPE), signal(SHAPE)
    a = wl.attribute(net, x, 1, domain=wl.DWT("db2", 2), method=wl.SmoothGrad(4))
    with pretended():
        for half in (False, True):
            a.save(tmp_path / "a.safetensors", half=half)
            again = wl.Attribution.load(tmp_path / "a.safetensors")
            assert not is_far(again.data)
            same(again.data.to(GPU).double(), a.data, 1e-3)
        wl.plots.save(wl.plots.panel(a, x), tmp_path / "a.png", dpi=20)


class TestEngine:
    def test_measures_the_memory_of_the_gpu(self):
        rows = []

        def model(x):
            rows.append(len(x))
            return net(x)

        net, x = Net(SHAPE), signal(SHAPE, batch=9)
        for free, most in ((2**30, 9), (0, 1)):
            rows.clear()
            with pretended(free):
                wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency())
            assert max(rows) == most

    def test_takes_models_that_answer_from_the_cpu(self):
        net, x = Net(SHAPE), signal(SHAPE)
        for target in (1, [1, 0, 3], wl.targets.Contrast([1, 0, 3], 2)):
            expected = wl.attribute(net, x, target, domain=wl.DWT(), method=wl.IntegratedGradients(4))
            with pretended():
                a = wl.attribute(lambda x: net(x).cpu(), x, target, domain=wl.DWT(), method=wl.IntegratedGradients(4))
                same(a.data, expected.data)
                same(a.gap, expected.gap, 1e-6)

    def test_frees_the_gpu_before_it_tries_with_fewer_rows(self, monkeypatch):
        net, x, seen = Net(SHAPE), signal(SHAPE, batch=4), []

        def model(x):
            seen.append(len(x))
            if len(x) > 2:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return net(x)

        expected = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.Saliency()).data
        with pretended():
            monkeypatch.setattr(torch.cuda, "empty_cache", lambda: seen.append("empty"))
            same(wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency(), batch_size=4).data, expected)
        assert seen[:3] == [4, "empty", 2]
