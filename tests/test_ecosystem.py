"""Other libraries take our explanations: the real ones are run. Importing wavelens imports none of them."""

import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import wavelens as wl
from cases import Net, relative, signal, tiny_vit

SHAPE = (8, 16)
HAAR = wl.DWT("haar", levels=2)


class Standing(nn.Module):
    """A small convolutional classifier of three channels."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 5)
        )
        self.eval()

    def forward(self, x):
        return self.net(x)


@pytest.mark.needs("captum")
def test_captum_sums_to_the_rise_and_takes_part_in_its_own_metrics():
    from captum.attr import Attribution, NoiseTunnel
    from captum.metrics import sensitivity_max

    from wavelens.captum import Wavelet

    net, x = Net(SHAPE), signal(SHAPE)
    ours = Wavelet(net, wl.IntegratedGradients(steps=40), HAAR)
    assert isinstance(ours, Attribution)
    start = torch.full_like(x, 0.1)
    found, delta = ours.attribute(x, baselines=start, target=2, return_convergence_delta=True)
    assert found.shape == x.shape
    rise = (net(x) - net(start))[:, 2]
    assert relative(found.flatten(1).sum(1), rise + delta) < 1e-12
    assert delta.abs().max() < 1e-3 * rise.abs().max()
    (pair,) = ours.attribute((x,), baselines=(start,), target=2)
    assert torch.equal(pair, found)
    whole = ours.coefficients(x, start, target=2)
    assert relative(whole.data.sum(-1), found.flatten(2).sum(-1)) < 1e-12
    pixels = Wavelet(net, wl.Saliency(), wl.Identity())
    leaf = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(net(leaf)[:, 2].sum(), leaf)
    assert relative(pixels.attribute(x, target=2), g) < 1e-12
    smooth = NoiseTunnel(pixels).attribute(x, nt_samples=1, stdevs=0.0, target=2)
    assert relative(smooth, g) < 1e-12
    moved = sensitivity_max(pixels.attribute, x, perturb_radius=1e-3, n_perturb_samples=2, target=2)
    assert (moved > 0).all()
    assert (moved < 0.1).all()
    with pytest.raises(ValueError, match="a convergence delta belongs to path methods; got Saliency"):
        pixels.attribute(x, target=2, return_convergence_delta=True)


@pytest.mark.needs("captum")
@pytest.mark.parametrize(
    ("method", "has"),
    [
        (wl.IntegratedGradients(steps=3), True),
        (wl.ExpectedGradients(samples=3), False),
        (wl.Saliency(), False),
        (wl.SmoothGrad(samples=3), False),
        (wl.methods.Captum("GradientShap", n_samples=3), True),
        (wl.methods.Captum("Saliency"), False),
    ],
)
def test_captum_asks_for_a_delta_where_there_is_one(method, has):
    from wavelens.captum import Wavelet

    ours, x = Wavelet(Net(SHAPE), method, HAAR), signal(SHAPE)
    assert ours.has_convergence_delta() == has
    if has:
        assert len(ours.attribute(x, target=2, return_convergence_delta=True)[1]) == len(x)
    else:
        with pytest.raises(ValueError, match="a convergence delta belongs to path methods"):
            ours.attribute(x, target=2, return_convergence_delta=True)


def test_a_model_is_given_arrays_in_its_own_type():
    from wavelens.quantus import explain

    net, x = Standing(), np.random.default_rng(1).random((2, 3, 16, 16))
    found = explain(net, x, [1, 2], domain=HAAR, method=wl.Saliency())
    assert np.array_equal(found, explain(net, x.astype(np.float32), [1, 2], domain=HAAR, method=wl.Saliency()))
    assert found.std() > 0


@pytest.mark.needs("quantus")
def test_quantus_calls_it_and_scores_the_map_that_it_gives():
    import quantus

    from wavelens.quantus import explain

    net, x = Standing(), torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    y = net(x).argmax(1).numpy()
    options = {"domain": HAAR, "method": wl.SmoothGrad(samples=4)}
    a = wl.attribute(net, x, torch.from_numpy(y), **options)
    maps = explain(net, x.numpy(), y, **options)
    assert maps.shape == (3, 1, 16, 16)
    assert np.array_equal(maps[:, 0], wl.maps.spatial_map(a).numpy())
    metric = quantus.Sparseness(disable_warnings=True, display_progressbar=False)
    call = partial(metric, model=net, x_batch=x.numpy(), y_batch=y, device="cpu")
    ours = call(a_batch=None, explain_func=explain, explain_func_kwargs=options)
    assert np.allclose(ours, call(a_batch=maps))
    assert np.std(ours) > 0


@pytest.mark.needs("torchmetrics")
def test_torchmetrics_means_over_batches_as_over_all():
    from torchmetrics import MetricCollection

    from wavelens.torchmetrics import Explained

    net, x = Net(SHAPE), signal(SHAPE, batch=5)
    explainer = wl.baselines.FromMethod(wl.IntegratedGradients(steps=4), HAAR)
    judge = partial(wl.metrics.insertion, steps=5)
    expected = judge(net, x, 2, explainer(net, x, 2)).mean()
    net.train()
    both = MetricCollection(
        {"insertion": Explained(judge, explainer), "gini": Explained(wl.metrics.sparseness, explainer)}
    )
    for part in x.split(2):
        both.update(net, part, 2)
    found = both.compute()
    assert found["insertion"].item() == pytest.approx(expected.item(), rel=1e-12)
    assert 0 < found["gini"] < 1
    assert net.training
    both.reset()
    assert both["insertion"].count == 0
    some = Explained(lambda m, x, t, a: torch.tensor([1.0, torch.nan, 3.0]), explainer)
    some.update(net, x[:3], 2)
    assert some.compute() == 2


@pytest.mark.needs("torchmetrics")
def test_torchmetrics_counts_items_over_processes_where_lightning_validates():
    """Two processes with 2 and 3 items, in inference mode, whose states the first one gathers."""
    from wavelens.torchmetrics import Explained

    net, x = Net(SHAPE), signal(SHAPE, batch=5)
    explainer = wl.baselines.FromMethod(wl.Saliency(), HAAR)
    expected = wl.metrics.sparseness(net, x, 2, explainer(net, x, 2)).mean()
    theirs = Explained(wl.metrics.sparseness, explainer)

    def gather(state, group=None):
        return [state, theirs.total if state is ours.total else theirs.count]

    ours = Explained(wl.metrics.sparseness, explainer, dist_sync_fn=gather, distributed_available_fn=lambda: True)
    with torch.inference_mode():
        ours.update(net, x[:2], 2)
        theirs.update(net, x[2:], 2)
        assert ours.compute().item() == pytest.approx(expected.item(), rel=1e-12)
    assert ours.count == 2
    copy = pickle.loads(pickle.dumps(theirs))
    assert copy.compute() == theirs.compute()
    ours.reset()
    assert ours.count == ours.total == 0


@pytest.mark.needs("transformers:ViTForImageClassification", "transformers:pipeline")
def test_a_pipeline_of_transformers_is_explained_as_it_answers():
    import transformers

    from wavelens.huggingface import explain

    model = tiny_vit("cat", "dog", "owl")
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    pipe = transformers.pipeline("image-classification", model=model, image_processor=processor)
    source = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(source)
    best = pipe(picture)[0]
    x, a = explain(pipe, picture, domain=HAAR, method=wl.IntegratedGradients(steps=30))
    assert x.shape == (1, 3, 32, 32)
    logits = model(x).logits[0]
    assert model.config.id2label[int(logits.argmax())] == best["label"]
    assert logits.softmax(0).max().item() == pytest.approx(best["score"], rel=1e-5)
    assert a.score.item() == pytest.approx(logits.max().item(), rel=1e-5)
    _, owl = explain(pipe, picture, "owl", domain=HAAR)
    assert owl.score.item() == pytest.approx(logits[2].item(), rel=1e-5)
    with pytest.raises(ValueError, match="target must be an index or a label of the pipeline's model; got 'fox'"):
        explain(pipe, picture, "fox")
    with pytest.raises(ValueError, match="pipe must be an image-classification pipeline of transformers; got 7"):
        explain(7, picture)


OPTIONAL = (
    "matplotlib transformers timm torchvision captum zennit pytorch_grad_cam monai nibabel pydicom plotly av gradio "
    "ray skimage scipy sklearn pandas librosa quantus torchmetrics typer rich torch._dynamo torch._inductor"
).split()


def test_importing_wavelens_imports_nothing_that_is_optional():
    """Names instead of seconds: what is not imported takes no time."""
    code = "import sys, torch; before = set(sys.modules); import wavelens; wavelens.attribute; "
    code += "print('\\n'.join(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = found.stdout.split()
    assert "wavelens.core" in names
    assert not [name for name in names if any(name == top or name.startswith(f"{top}.") for top in OPTIONAL)]


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [("captum", "captum", "baselines"), ("torchmetrics", "torchmetrics", "torchmetrics")],
)
def test_an_absent_extra_is_one_line_with_the_command(module, package, extra):
    code = f"import sys; sys.modules['{package}'] = None; import wavelens.{module}"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    last = found.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {package} is needed here")
    assert last.endswith(f"pip install 'wavelens[{extra}]'")


@pytest.mark.parametrize(
    ("model", "package"),
    [
        ("torchvision:resnet18", "torchvision"),
        pytest.param("timm:resnet18", "timm", marks=pytest.mark.needs("timm")),
        pytest.param("hf:vit", "transformers", marks=pytest.mark.needs("transformers")),
    ],
)
def test_what_is_installed_and_cannot_be_loaded_is_one_line_with_the_reason(tmp_path, model, package):
    """A torchvision that was made for another torch, and all that imports it."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision/__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms\\n does not exist')"
    )
    (tmp_path / "torchvision-0.99.0.dist-info").mkdir()
    (tmp_path / "torchvision-0.99.0.dist-info/METADATA").write_text("Name: torchvision\nVersion: 0.99.0\n")
    (tmp_path / "vit").mkdir()
    (tmp_path / "vit/config.json").write_text('{"model_type": "vit"}')
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    code = "import sys; sys.path.insert(0, ''); from wavelens.cli import main; sys.exit(main(sys.argv[1:]))"
    given = [sys.executable, "-c", code, "explain", "a.png", "--model", model]
    found = subprocess.run(given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {package} is needed here and cannot be loaded (RuntimeError: operator ")
    assert "torchvision::nms does not exist). It is installed; reinstall it" in found.stderr
    assert found.stderr.count("\n") == 1
