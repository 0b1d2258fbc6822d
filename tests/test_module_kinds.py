"""Frozen, optimised, exported and quantised models: explained as the plain ones, or named for what they are."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

import wavelens as wl
from wavelens.engine.gradients import Gradients
from wavelens.models import Geometry, load, scripted
from wavelens.models.module_kinds import quantised
from wavelens.models.scripted import with_gradients

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated", "ignore::UserWarning:torch.ao")
METHOD = wl.IntegratedGradients(steps=3)


class Gated(nn.Module):
    """What networks for telephones are made of: every layer that oneDNN has an operator of its own for."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.grouped, self.point = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.Conv2d(8, 8, 1, bias=False)
        self.squeeze, self.head = nn.Conv2d(8, 8, 1), nn.Linear(8, 5)
        self.acts = nn.ModuleList([nn.ReLU(inplace=True), nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU6()])

    def forward(self, x):
        h = self.acts[0](self.norm(self.first(x)))
        h = h + self.acts[1](self.grouped(h))
        gate = self.acts[2](self.squeeze(nn.functional.adaptive_avg_pool2d(h, 1)))
        h = self.acts[3](self.point(gate * h))
        return self.head(nn.functional.max_pool2d(h, 2).mean((2, 3)))


def network():
    torch.manual_seed(0)
    net = Gated()
    net(torch.rand(8, 3, 16, 16))  # statistics of its own
    return net.eval()


NET, X = network(), torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def exported(net, x=X, rows=torch.export.Dim.DYNAMIC):
    return torch.export.export(net, (x,), dynamic_shapes=({0: rows},))


def saved(net):
    file = io.BytesIO()
    torch.export.save(exported(net), file)
    file.seek(0)
    return torch.export.load(file).module()


def beside(*parts):
    """A sequence in evaluation mode; an exported program refuses to be asked for it."""
    model = nn.Sequential(*parts)
    model.training = model[0].training = False
    return model


KINDS = {
    "scripted": torch.jit.script,
    "frozen": lambda net: torch.jit.freeze(torch.jit.script(net)),
    "traced and frozen": lambda net: torch.jit.freeze(torch.jit.trace(net, X)),
    "optimised for inference": lambda net: torch.jit.optimize_for_inference(torch.jit.script(net)),
    "exported": lambda net: exported(net).module(),
    "exported, in another module": lambda net: beside(nn.Identity(), exported(net).module()),
    "exported and copied": lambda net: copy.deepcopy(exported(net).module()),
    "exported and saved": saved,
    "a traced graph": lambda net: torch.fx.symbolic_trace(net).eval(),
}


def explain(model, x=X, **options):
    return wl.attribute(model, x, 2, domain=wl.DWT("haar", 2), method=METHOD, **options).data


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_explained_as_the_plain_model(kind):
    """In float32, whose sums differ by 1e-6 in another order; a maximum that tips over would be off by 1e-2."""
    model = KINDS[kind](NET)
    flags = [getattr(m, "training", None) for m in model.modules()]
    before = model(X)
    assert relative(explain(model), explain(NET)) < 1e-4
    assert torch.equal(model(X), before)
    assert [getattr(m, "training", None) for m in model.modules()] == flags


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_checked_in_evaluation_mode(kind):
    found = wl.check(KINDS[kind](NET), X[:1], 2, domain=wl.DWT("haar", 2), method=METHOD)
    assert {v.check: v.status for v in found.verdicts if v.status == "fail"} == {}
    assert [found[name].status for name in ("deterministic", "batch_independent", "differentiable")] == ["pass"] * 3


def test_a_part_in_training_beside_an_exported_one_is_still_refused():
    model = beside(nn.Dropout(), exported(NET).module())
    model[0].train()
    with pytest.raises(ValueError, match=r"got training mode in 0\."):
        explain(model)


def test_around_an_exported_part_the_advice_is_one_that_can_be_taken():
    model = nn.Sequential(exported(NET).module(), nn.Softmax(1))
    with pytest.raises(ValueError, match=r"refuses model\.eval\(\): set part\.training = False for each part"):
        explain(model)
    for part in model.modules():
        part.training = False
    explain(model)


def test_lazy_models_are_refused_before_they_are_made():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3)).eval()
    for call in (wl.check, explain):
        with pytest.raises(ValueError, match="some of these are lazy"):
            call(model, X)
    assert isinstance(model[1], nn.LazyLinear)


def test_what_cannot_be_put_back_is_refused(monkeypatch):
    """An operator of oneDNN that has no counterpart, or one that does something else."""
    for others in ({}, scripted.REPLACEMENTS | {"prim::MKLDNNHardSwish": "aten::neg"}):
        monkeypatch.setattr("wavelens.models.scripted.REPLACEMENTS", others)
        with pytest.raises(ValueError, match=r"Explain the module from before torch\.jit\.optimize_for_inference\."):
            explain(KINDS["optimised for inference"](NET))


def test_an_optimised_graph_is_put_back_once():
    model = KINDS["optimised for inference"](NET)
    with torch.inference_mode():
        assert relative(explain(model), explain(NET)) < 1e-4
    assert with_gradients(model, X) is with_gradients(model, X)
    assert with_gradients(NET, X) is NET


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_a_program_for_batches_of_one_size_runs_in_them(size, batch_size):
    program = exported(NET, X[:size], rows=None).module()
    assert relative(explain(program, batch_size=batch_size), explain(NET)) < 1e-4
    assert wl.check(program, X[:1], 2, method=METHOD).status != "fail"


class Named(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.mean = mean

    def forward(self, x):
        scores = NET(x)
        return {"scores": scores, "mean": scores.mean() if self.mean else scores.mean(1)}


def test_outputs_of_batches_are_joined_by_name_or_refused():
    def target(out):
        return out["scores"][:, 2]

    def program(mean):
        return exported(Named(mean).eval(), X[:2], rows=None).module()

    found = wl.attribute(program(mean=False), X[:3], target, domain=wl.DWT("haar", 2), method=METHOD)
    assert relative(found.data, explain(NET, X[:3])) < 1e-4
    with pytest.raises(ValueError, match=r"exported for batches of 2 alone gives tensors.*got torch\.Size\(\[\]\)"):
        wl.attribute(program(mean=True), X, target, domain=wl.Identity(), method=METHOD)


def dynamic(net):
    return torch.ao.quantization.quantize_dynamic(copy.deepcopy(net), {nn.Linear}).eval()


def static(net):
    parts = torch.ao.quantization.QuantWrapper(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())).eval()
    parts.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    parts = torch.ao.quantization.prepare(parts)
    parts(X)
    return nn.Sequential(torch.ao.quantization.convert(parts), nn.Flatten(), nn.Linear(784, 5)).eval()


class Rounded(nn.Module):
    def forward(self, x):
        from torch.ao.quantization.fx import _decomposed  # noqa: F401

        how = 0.01, 0, -128, 127, torch.int8
        whole = torch.ops.quantized_decomposed.quantize_per_tensor(x, *how)
        return torch.ops.quantized_decomposed.dequantize_per_tensor(whole, *how)


QUANTISED = {
    "dynamic": (dynamic, r"head is a quantized\.dynamic\.modules\.linear\.Linear"),
    "static": (static, r"0\.quant is a quantized\.modules\.Quantize"),
    "dynamic and scripted": (lambda net: torch.jit.script(dynamic(net)), "it calls quantized::linear_dynamic"),
    "dynamic, scripted and frozen": (
        lambda net: torch.jit.freeze(torch.jit.script(dynamic(net))),
        "it calls quantized::linear_dynamic",
    ),
    "exported": (
        lambda net: exported(nn.Sequential(Rounded(), net)).module(),
        r"the graph of the model calls operators of torch\.ops\.quantized_decomposed",
    ),
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_quantised_models_are_named_as_what_they_are(kind):
    make, what = QUANTISED[kind]
    model = make(NET)
    sentence = rf"this model is quantised \({what}\), and integers have no gradient\. Explain the float model"
    with pytest.raises(ValueError, match=sentence):
        explain(model)
    with pytest.raises(ValueError, match=sentence):
        wl.check(model, X, 2)
    with Gradients(model, X, 2) as ask:  # what needs values alone has them
        torch.testing.assert_close(ask.values(X)[0], model(X)[:, 2])


def test_models_that_will_be_quantised_are_not():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 5)).train()
    net.qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    training = torch.ao.quantization.prepare_qat(net)
    training(X)
    skip = torch.ao.nn.quantized.FloatFunctional()
    assert quantised(nn.Sequential(training, skip)) is None
    assert torch.isfinite(explain(training.eval())).all()


def test_a_pt2_file_computes_what_was_exported(tmp_path):
    file = str(tmp_path / "net.pt2")
    torch.export.save(exported(NET), file)
    loaded = load(file, trust=True)
    assert loaded.preprocess == Geometry((18, 18), (16, 16))
    assert relative(explain(loaded.module), explain(NET)) < 1e-4
    torch.export.save(exported(NET, X[:2], rows=None), file)
    assert relative(load(file, trust=True).module(X[:3]), NET(X[:3])) < 1e-5
    free = torch.export.Dim("side", min=8, max=512)
    pooled = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2)).eval()
    shapes = ({0: torch.export.Dim.DYNAMIC, 2: free, 3: free},)
    torch.export.save(torch.export.export(pooled, (X,), dynamic_shapes=shapes), file)
    assert load(file, trust=True).preprocess == Geometry()


def test_pt2_files_that_are_none_say_what_was_expected(tmp_path):
    file = tmp_path / "net.pt2"
    with pytest.raises(FileNotFoundError, match=r"no such model: absent\.pt2"):
        load("absent.pt2")
    for content in (b"", b"hello", b"PK\x03\x04" + bytes(100)):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"net\.pt2, which torch\.export\.load refuses"):
            load(str(file), trust=True)
