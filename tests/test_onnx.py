"""ONNX files: as a module, by name, and from a file to its report. The oracle is the same network in torch."""

import json
import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

import wavelens as wl
from cases import relative, signal
from onnx_files import CLASSES, EXTERNAL, network, series_network, twin
from wavelens.cli import main
from wavelens.models import Onnx, load
from wavelens.models.sources.onnx import ROWS

pytestmark = pytest.mark.needs("onnx", "onnxruntime")
SHAPE = (32, 32)
ROUNDING = 2e-6  # sums of 27 products in float32, in another order


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a photo."""
    monkeypatch.chdir(tmp_path)
    rows, columns = np.mgrid[:40, :50]
    Image.fromarray(np.stack([rows * 6, columns * 5, (rows * columns) % 256], -1).astype(np.uint8)).save("photo.png")
    return tmp_path


def photos(count=5):
    return signal(SHAPE, batch=count, channels=3).float() / 10


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, 3, None, None)),
        ({"size": SHAPE}, (None, 3, *SHAPE)),
        ({"batch": 1, "size": SHAPE}, (1, 3, *SHAPE)),
        ({"batch": 4, "size": SHAPE}, (4, 3, *SHAPE)),
        ({"size": SHAPE, "last": True}, (None, 3, *SHAPE)),
        ({"batch": 4, "size": SHAPE, "last": True}, (4, 3, *SHAPE)),
        ({"size": SHAPE, "kind": "FLOAT16"}, (None, 3, *SHAPE)),
        ({"external": EXTERNAL}, (None, 3, None, None)),
    ],
    ids=str,
)
def test_a_file_answers_as_the_network_in_torch(folder, options, shape):
    module = Onnx(network(folder / "net.onnx", **options))
    assert module.shape == shape
    half = options.get("kind") == "FLOAT16"
    for count in (1, 3, 5, ROWS + 1):
        x = photos(count)
        expected = twin()(x).detach()
        assert relative(module(x).float(), expected) < (5e-3 if half else ROUNDING)
        assert module(x.double()).shape == (count, CLASSES)
    assert not module.training
    assert [str(p) for p in module.parameters()] == []


def test_outputs_by_name(folder):
    path = network(folder / "net.onnx")
    x = photos()
    assert relative(Onnx(path, "probs")(x), twin()(x).softmax(1).detach()) < ROUNDING
    with pytest.raises(ValueError, match=r"the outputs of .*net\.onnx are logits, probs; got 'scores'"):
        Onnx(path, "scores")


def test_a_module_travels_and_tells_its_file(folder):
    one = Onnx(network(folder / "net.onnx", batch=2, size=SHAPE))
    again = pickle.loads(pickle.dumps(one))
    assert torch.equal(again(photos(3)), one(photos(3)))
    other = Onnx(network(folder / "other.onnx"))
    assert not torch.equal(other.digest, one.digest)
    assert torch.equal(again.digest, one.digest)


def test_an_account_is_that_of_the_network_in_torch(folder):
    module, x, domain = Onnx(network(folder / "net.onnx", batch=4, size=SHAPE)), photos(3), wl.DWT("haar", 3)
    for method in (wl.ScaleShapley(), wl.KernelSHAP(groups="scales"), wl.HierarchicalShapley(max_groups=6, pairs=2)):
        ours, theirs = (wl.attribute(net, x, 1, domain=domain, method=method) for net in (module, twin()))
        most = float(theirs.score.abs().max())  # differences of scores are rounded by these
        assert (ours.data - theirs.data).abs().max() < 20 * ROUNDING * most
        assert ours.provenance["model"] == "Onnx"


REFUSED = {
    "no network": (
        lambda path: path.write_bytes(b"no network" * 9),
        "onnxruntime cannot read .*: ",
    ),
    "an empty file": (lambda path: path.write_bytes(b""), "onnxruntime cannot read .*: "),
    "half a file": (
        lambda path: path.write_bytes(network(path).read_bytes()[:300]),
        "onnxruntime cannot read .*: ",
    ),
    "weights that are gone": (
        lambda path: network(path, external="gone.bin"),
        r"net\.onnx keeps its weights in a file beside it, which onnxruntime cannot read: .*Put that file into",
    ),
    "weights of somebody else": (
        lambda path: network(path, external="/etc/hostname"),
        "keeps its weights in a file beside it, which onnxruntime cannot read: .*Absolute path not allowed",
    ),
    "weights above the folder": (
        lambda path: network(path, external="../../etc/hostname"),
        "keeps its weights in a file beside it, which onnxruntime cannot read: .*escapes",
    ),
    "two inputs": (lambda path: network(path, second=True), r"takes one signal; .*net\.onnx has inputs x, y\. Write"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_files_that_are_refused_in_one_line(folder, case):
    make, text = REFUSED[case]
    make(folder / "net.onnx")
    with pytest.raises(ValueError, match=text) as caught:
        load("net.onnx")
    assert "\n" not in str(caught.value)
    assert "ONNXRuntimeError" not in str(caught.value)


def test_a_shape_that_a_file_does_not_take(folder):
    module = Onnx(network(folder / "net.onnx", size=SHAPE))
    with pytest.raises(
        ValueError, match=r"net\.onnx takes \(any, 3, 32, 32\); got \(2, 3, 30, 30\): .*invalid dimensions"
    ):
        module(torch.zeros(2, 3, 30, 30))


def test_by_name_with_the_preparation_that_is_asked_for(folder):
    network(folder / "net.onnx")
    loaded = load("net.onnx", input_size=48, mean=0.5, std=(0.2, 0.3, 0.4), class_names=["a", "b", "c", "d"])
    assert loaded.preprocess.shape == (3, 48, 48)
    assert loaded.labels == ("a", "b", "c", "d")
    assert loaded.link == "softmax"
    x = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    std = torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)
    assert relative(loaded.module(x), twin()((x - 0.5) / std).detach()) < ROUNDING
    network(folder / "sized.onnx", size=(32, 48))
    assert load("sized.onnx").preprocess.shape == (3, 32, 48)
    network(folder / "soft.onnx", size=SHAPE, first="probs")
    soft = load("soft.onnx")
    assert (soft.link, soft.number) == ("identity", "probability")
    assert load("soft.onnx::logits").link == "softmax"


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("none.onnx", {}, FileNotFoundError, r"no such model: none\.onnx"),
        (
            "net.onnx",
            {"weights": "photo.png"},
            ValueError,
            r"weights are for a network in torch; net\.onnx has its own",
        ),
        ("net.onnx", {"input_size": 20}, ValueError, r"net\.onnx fails on it: .*Pass the input_size that it takes"),
        (
            "gray.onnx",
            {},
            ValueError,
            r"takes photos \(batch, 3, height, width\), or series .*; gray\.onnx takes \(any, 1, 32, 32\)",
        ),
    ],
)
def test_names_and_options_that_do_not_fit(folder, name, options, error, text):
    network(folder / "net.onnx", size=SHAPE)
    network(folder / "gray.onnx", size=SHAPE, channels=1)
    with pytest.raises(error, match=text):
        load(name, **options)


def test_without_onnxruntime_one_line_names_the_extra(folder, monkeypatch):
    network(folder / "net.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r"onnxruntime is needed here .*: pip install 'wavelens\[onnx\]'"):
        load("net.onnx")


def test_from_a_file_to_its_report(folder, capsys):
    network(folder / "net.onnx", batch=1, size=SHAPE)
    assert main(["explain", "photo.png", "--model", "net.onnx", "--out", "out", "--report"]) == 0
    printed = capsys.readouterr().out
    assert "its rise over a black picture comes from these scales" in printed
    summary = json.loads((folder / "out/photo.json").read_text())
    assert summary["method"].startswith("HierarchicalShapley(")
    assert summary["model"] == "net.onnx"
    assert abs(summary["gap"]) < 1e-5
    loaded = load("net.onnx")
    x = loaded.preprocess(wl.frontends.read_image("photo.png"))
    target = summary["target"]["index"]
    exact = wl.shapley(twin(), x, target, domain=wl.parse(summary["domain"]))
    assert [row["scale"] for row in summary["profile"]] == list(exact.names)
    found = torch.tensor([row["signed"] for row in summary["profile"]])
    assert (found - exact.values[0]).abs().max() < 20 * ROUNDING * float(exact.score.abs())
    assert wl.Attribution.load(folder / "out/photo.safetensors").method == summary["method"]
    page = (folder / "out/report.html").read_text()
    assert "--model net.onnx" in page
    assert Image.open(folder / "out/photo.png").size[0] > 500


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "photo.png", "--method", "Saliency"],
        ["explain", "photo.png", "--method", "IntegratedGradients(tolerance=0.02)"],
        ["check", "photo.png", "--method", "SmoothGrad"],
        ["minimal", "photo.png"],
        ["evaluate", ".", "--method", "IntegratedGradients"],
        ["evaluate", ".", "--method", "GradCAM"],
    ],
    ids=" ".join,
)
def test_gradients_are_refused_in_one_line_before_any_pass(folder, capsys, monkeypatch, words):
    network(folder / "net.onnx", size=SHAPE)
    loaded = load("net.onnx")
    calls = []
    monkeypatch.setattr("wavelens.models.load", lambda *_, **__: loaded)
    monkeypatch.setattr(loaded.module, "run", lambda *_: calls.append(1))
    assert main([*words, "--model", "net.onnx", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: gradients are those of networks in torch; net.onnx is a function of arrays")
    assert "HierarchicalShapley, ScaleShapley, KernelSHAP, RISE, Sobol or HSIC" in error
    assert error.count("\n") == 1
    assert not calls


def test_what_can_be_checked_is_checked(folder, capsys):
    network(folder / "net.onnx", size=SHAPE)
    assert main(["check", "photo.png", "--model", "net.onnx", "--out", "out"]) == 0
    verdicts = {row["check"]: row for row in json.loads((folder / "out/photo-check.json").read_text())["verdicts"]}
    for name in ("precise", "differentiable", "unsaturated", "unique", "model_dependent"):
        assert verdicts[name]["status"] == "not applicable", name
    for name in ("deterministic", "batch_independent", "complete"):
        assert verdicts[name]["status"] == "pass", name
    assert verdicts["deterministic"]["finding"] == "asked twice, the score is the same to the bit."


def test_a_set_is_evaluated(folder, capsys):
    network(folder / "net.onnx", size=SHAPE)
    words = ["evaluate", ".", "--model", "net.onnx", "--metric", "Curves(steps=4)", "--method", "ScaleShapley"]
    assert main([*words, "--out", "run"]) == 0
    network(folder / "net.onnx", size=SHAPE, first="probs")  # another network by the same name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main([*words, "--out", "run"]) == 2
    assert "error" in capsys.readouterr().err


def test_exported_by_torch(folder):
    pytest.importorskip("onnxscript")
    net, x = twin(), photos(2)
    torch.onnx.export(
        net, (x,), str(folder / "net.onnx"), dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
    )
    assert relative(Onnx(folder / "net.onnx")(photos(5)), net(photos(5)).detach()) < ROUNDING


def test_a_series_is_explained_by_its_values_alone(folder, capsys):
    """A file of a fixed length says its preparation; one of any length takes the series as it is."""
    values = torch.randn(1, 2, 64, generator=torch.Generator().manual_seed(0))
    wl.frontends.write_series("beat.csv", wl.frontends.Series(values, 100.0, ("I", "II")))
    wl.frontends.write_series("short.csv", wl.frontends.Series(values[..., :40], 100.0, ("I", "II")))
    for samples in (64, "samples"):
        series_network("net.onnx", samples=samples)
        given = ["--model", "net.onnx", "--target", "1", "--report", "--out", "out"]
        assert main(["explain", "beat.csv", *given]) == 0, capsys.readouterr().err
        summary = json.loads((folder / "out/beat.json").read_text())
        assert summary["method"].startswith("HierarchicalShapley(")
        assert summary["score"] == pytest.approx(float(Onnx("net.onnx")(values)[0, 1]), rel=1e-5)
        rise = summary["score"] - summary["baseline_score"]
        assert sum(sum(row["signed"]) for row in summary["by_channel"]) == pytest.approx(rise, rel=1e-4)
        assert [row["channel"] for row in summary["by_channel"]] == ["I", "II"]
        assert "VIEWS.series" in (folder / "out/report.html").read_text()
    capsys.readouterr()
    series_network("net.onnx")
    assert main(["explain", "short.csv", "--model", "net.onnx", "--out", "out"]) == 2
    assert "the network takes 64 samples (0.64 s); the series has 40 samples" in capsys.readouterr().err
    series_network("net.onnx", samples="samples")
    with pytest.raises(ValueError, match=r"net\.onnx takes \(any, 2, any\)\. Give its preparation, such as"):
        load("net.onnx")
    assert load("net.onnx", preparation=wl.models.Traces((2, 30))).module(values).shape == (1, 2)
