"""Each check fails for the model built to fail it, the others stay quiet; signals of one, two and three axes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import Net, signal
from wavelens import checks, precision
from wavelens.checks import CHECKS, Findings, Verdict, check
from wavelens.metrics.randomization import randomized

SHAPES = [(64,), (12, 16), (8, 8, 8)]
QUIET = ("pass", "not applicable")


class Hidden(Net):
    """A net that looks at the first half of the last axis alone; what passes every check."""

    def __init__(self, shape, between=None):
        super().__init__(shape)
        self.between = between or nn.Identity()
        self.first.data *= half(torch.ones(1, 2, *shape)).flatten(1).T
        self.float().eval()

    def forward(self, x):
        return self.between((torch.tanh(2 * x.flatten(1) @ self.first) + 1) ** 2) @ self.second


class Always(nn.Module):
    def forward(self, h):
        return nn.functional.dropout(h, 0.3, training=True)


class Centred(Hidden):
    """Takes half of the batch's mean off."""

    def forward(self, x):
        return super().forward(2 * x - x.mean(0))


class PartlyDetached(Hidden):
    def forward(self, x):
        return super().forward(x) + 0.3 * super().forward(x.flip(-1).detach())


class PartlyRounded(Hidden):
    def forward(self, x):
        return super().forward(x) + super().forward((x.flip(-1) * 64).round() / 64)


class Rounded(Hidden):
    def forward(self, x):
        return super().forward((x * 64).round() / 64)


class Aside(Hidden):
    def forward(self, x):
        with torch.no_grad():
            seen = super().forward(x)
        return seen + self.second.sum(0)


class Saturated(Hidden):
    def forward(self, x):
        return torch.sigmoid(8 * (super().forward(x) - self.second.sum(0)))  # 1/2 at the baseline


class Dead(Hidden):
    def forward(self, x):
        return torch.relu(super().forward(x) - 1e3)


class PartlyDead(Hidden):
    def forward(self, x):
        out = super().forward(x)
        return torch.cat([torch.relu(out[:, :1] - 1e3), out[:, 1:]], 1)


class OneAtATime(Hidden):
    def forward(self, x):
        if len(x) > 1:
            raise AssertionError
        return super().forward(x)


class Overflowing(Hidden):
    def forward(self, x):
        h = 2 * x.flatten(1) @ (self.first * 1e6)
        return (torch.tanh(h / 1e6) + 1) ** 2 @ self.second


class Wiggly(Hidden):
    def forward(self, x):
        f = super().forward(x)
        return f + 0.1 * torch.sin(9 * f)


class Edges(nn.Module):
    """A fixed filter, and after it weights that are learnt but cannot change the map."""

    def __init__(self, shape):
        super().__init__()
        source = torch.Generator().manual_seed(3)
        self.register_buffer("filter", torch.randn(2 * torch.Size(shape).numel(), 1, generator=source))
        self.scale = nn.Parameter(torch.tensor([1.0, -1.0, 0.5, -0.5, 2.0]))
        self.eval()

    def forward(self, x):
        seen = half(x).flatten(1) @ self.filter
        return torch.tanh(seen / len(self.filter) ** 0.5) * self.scale


def half(x):
    return x * (torch.arange(x.shape[-1]) < x.shape[-1] // 2)


def is_quiet(verdict):
    """Whether nothing is amiss. Weights that are random everywhere may not make a planted pattern stand out."""
    return verdict.status in QUIET or (verdict.check, verdict.status) == ("finds_planted", "warn")


def at(shape, batch=2):
    """Signals whose second half is loud, so that their energy is no guide to what a net goes by."""
    x = signal(shape, batch).float() / 2
    return 5 * x - 4 * half(x)


BROKEN = {  # name: the check, its status, the model, the options of `check`
    "dropout on": ("deterministic", "fail", lambda s: Hidden(s, nn.Dropout(0.3)).train(), {}),
    "batch norm in training": ("batch_independent", "fail", lambda s: Hidden(s, nn.BatchNorm1d(16)).train(), {}),
    "centred on the batch": ("batch_independent", "fail", Centred, {}),
    "overflow in float16": ("precise", "fail", Overflowing, {"autocast": torch.float16}),
    "partly detached": ("differentiable", "fail", PartlyDetached, {}),
    "partly rounded": ("differentiable", "fail", PartlyRounded, {}),
    "rounded": ("differentiable", "fail", Rounded, {}),
    "without gradient": ("differentiable", "fail", Aside, {}),
    "saturated": ("unsaturated", "fail", Saturated, {}),
    "dead": ("unsaturated", "fail", Dead, {"target": 0}),
    "beyond the budget": ("complete", "fail", Wiggly, {"method": wl.IntegratedGradients(steps=2)}),
    "a fixed filter": ("model_dependent", "fail", Edges, {}),
}


@pytest.mark.parametrize("shape", [(64,), (24, 24), (8, 8, 8)], ids=str)
def test_a_clean_model_passes_everything(shape):
    found = check(Hidden(shape), at(shape), domain=wl.DWT("haar", levels=2))
    assert [verdict.check for verdict in found.verdicts] == list(CHECKS)
    assert {verdict.status for verdict in found.verdicts} == {"pass"}, str(found)
    assert found.status == "pass"
    assert not any(verdict.remedy for verdict in found.verdicts)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", BROKEN)
def test_each_check_fails_for_its_model_alone(name, shape):
    broken, status, make, options = BROKEN[name]
    found = check(make(shape), at(shape), domain=wl.DWT("haar", levels=2), **options)
    assert found[broken].status == status, str(found)
    assert found[broken].remedy
    assert all(is_quiet(verdict) for verdict in found.verdicts if verdict.check != broken), str(found)
    assert found.status == status


def test_what_is_random_in_evaluation_too_makes_the_rest_meaningless():
    found = check(Hidden((64,), Always()), at((64,)))
    assert found["deterministic"].status == "fail"
    assert "dropout called as a function" in found["deterministic"].remedy
    assert {verdict.status for verdict in found.verdicts[1:]} == {"not applicable"}
    assert found.verdicts[1].finding == "nothing can be said while deterministic fails."


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.Dropout(0.3), "deterministic"), (nn.BatchNorm1d(16), "batch_independent")]
)
def test_that_evaluation_mode_mends_it_is_tried(layer, name):
    judge = getattr(checks, name)
    assert judge(Hidden((64,), layer).train(), at((64,)), 1).remedy == "Call model.eval(): then it passes."
    assert judge(Hidden((64,), layer), at((64,)), 1).status == "pass"
    random = Hidden((64,), nn.Sequential(layer, Always())).train()
    assert judge(random, at((64,)), 1).remedy.startswith("model.eval() does not mend it.")


@pytest.mark.parametrize("mean", [lambda x: x.mean(0), lambda x: x.mean(0).detach()], ids=["seen", "detached"])
def test_a_mixed_batch_is_no_rounding_in_half_precision(mean):
    class Slightly(Hidden):
        def forward(self, x):
            return super().forward(x - 0.2 * mean(x))

    x = at((64,)).bfloat16()
    assert checks.batch_independent(Slightly((64,)).bfloat16(), x, 1).status == "fail"
    assert checks.batch_independent(Hidden((64,)).bfloat16(), x, 1).status == "pass"


def test_what_does_not_change_is_said_to_be_the_same():
    """Not to differ by 0.0e+00."""

    class First(nn.Module):
        def forward(self, x):
            return x[:, 0, :2] * 2.0

    beside = checks.batch_independent(First(), at((64,)), 1)
    assert (beside.status, beside.finding) == ("pass", "beside two others, the score is the same.")
    alone = checks.unique(First(), at((64,)), 1)
    assert (alone.status, alone.finding) == ("pass", "noise of 1e-10 of the range does not move the gradient.")


def test_a_leak_of_a_millionth_is_one():
    def model(x):
        return Hidden((64,))(x + 1e-6 * x.mean(0))

    found = checks.batch_independent(model, at((64,)), 1)
    assert found.figures["score"] < 7e-6
    assert found.status == "fail"


def test_rounding_is_that_of_the_precision_in_which_products_are_taken(monkeypatch):
    def rounding(dtype, device):
        return precision.rounding(SimpleNamespace(dtype=dtype, device=torch.device(device)))

    monkeypatch.setattr(torch.backends.cudnn, "conv", SimpleNamespace(fp32_precision="tf32"))
    assert rounding(torch.float32, "cpu") == 64 * 2**-23
    assert rounding(torch.float32, "cuda") == 8 * 2**-10
    assert rounding(torch.float64, "cuda") == 64 * 2**-52
    assert rounding(torch.bfloat16, "cpu") == 8 * 2**-7
    monkeypatch.setattr(torch.backends.cudnn, "conv", SimpleNamespace(fp32_precision="ieee"))
    assert rounding(torch.float32, "cuda") == 64 * 2**-23


def test_where_a_random_model_is_asked_in_evaluation_mode_it_is_said():
    found = check(Hidden((64,), nn.Sequential(nn.BatchNorm1d(16), nn.Dropout(0.3))).train(), at((64,)))
    assert found["deterministic"].status == "fail"
    assert found["batch_independent"].status == "pass"
    assert found["batch_independent"].finding.startswith("in evaluation mode: beside two others")


def test_a_model_that_asserts_one_input_is_asked_so():
    found = check(OneAtATime((64,)), at((64,)), domain=wl.DWT("haar", levels=2))
    assert found["batch_independent"].status == "warn"
    assert "takes one input at a time and refuses three (AssertionError)" in found["batch_independent"].finding
    assert {verdict.status for verdict in found.verdicts if verdict.check != "batch_independent"} == {"pass"}


def test_what_asserts_on_the_way_leaves_the_other_verdicts():
    class Bounded(Hidden):
        def forward(self, x):
            if not 0.9 < x.detach().abs().max() < 1.1:
                raise AssertionError("signals are scaled to 1")
            return super().forward(x)

    x = at((64,), batch=1)
    found = check(Bounded((64,)), x / x.abs().max())
    assert found["deterministic"].status == "pass"
    assert found["unsaturated"].finding == "it could not be told: signals are scaled to 1"
    assert found["complete"].finding == "there is no attribution: signals are scaled to 1"


def test_one_dead_item_does_not_silence_the_others():
    found = check(PartlyDead((64,)), at((64,)), [1, 0], domain=wl.DWT("haar", levels=2))
    assert found["unsaturated"].status == "fail"
    assert "all the way from the baseline for 1 of 2 inputs." in found["unsaturated"].finding
    assert found["differentiable"].finding.endswith("(1 of 2 inputs could be told).")
    assert "no rise" in found["complete"].finding
    assert found["model_dependent"].status == "pass"
    assert "nothing can be said" not in str(found)


def test_the_share_of_the_gradient_that_is_missed_is_measured():
    """Of `<a, x> + <b, x.detach()>` the length of b over that of a + b is missed; a few directions estimate it."""
    source = torch.Generator().manual_seed(0)
    a, b = (torch.randn(4096, generator=source, dtype=torch.float64) * size for size in (1.0, 0.2))

    def model(x):
        return x.flatten(1) @ a + x.detach().flatten(1) @ b

    x = torch.rand(1, 1, 4096, generator=source, dtype=torch.float64)
    expected = float(b.norm() / (a + b).norm())
    found = checks.differentiable(model, x, None)
    assert found.status == "fail"
    assert found.figures["near the input"] == pytest.approx(expected, rel=0.6)


@pytest.mark.parametrize(("part", "status"), [(0.07, "pass"), (0.13, "fail")])
def test_more_may_be_missed_on_the_way_than_near_the_input(part, status):
    """What is rounded is flat near the input and missed on the way: sound networks bend there, and leave 4 % open."""
    a = torch.rand(4096, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.rand(1, 1, 4096, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def model(x):
        return (1 - part) * (x.flatten(1) @ a) + part * ((x * 256).round() / 256).flatten(1) @ a

    found = checks.differentiable(model, x, None)
    assert found.status == status
    assert found.figures["near the input"] < 1e-6
    assert found.figures["on the way from the baseline"] == pytest.approx(part, rel=0.01)


def test_a_curved_score_is_not_taken_for_a_broken_one():
    """Far from linear, yet differentiable: a norm, a product, an exponential."""
    x = at((64,)).double()
    for curved in (lambda x: x.flatten(1).norm(dim=1), lambda x: x.flatten(1).pow(4).sum(1).exp().log1p()):
        assert checks.differentiable(curved, 0.1 * x, None).status == "pass"


def test_equal_samples_are_no_ties():
    """A maximum over equal samples has no derivative; a flat photo is full of them, and its network is sound."""
    pooled = nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Linear(2 * 4 * 4, 5)).eval()
    assert checks.differentiable(pooled, torch.full((1, 2, 16, 16), 0.7), 1).status == "pass"


class Pooled(nn.Module):
    """A maximum over pairs, and a weight for each place: where the two of a pair are equal, one of them has it."""

    def forward(self, x):
        weights = torch.arange(1, x.shape[-1] // 2 + 1, dtype=x.dtype)
        return ((nn.functional.max_pool1d(x, 2) * weights).sum((1, 2)) + x.mean((1, 2)))[:, None]


TIES = {"all flat": slice(None), "one pair is": slice(6, 8)}


@pytest.mark.parametrize("where", TIES)
def test_a_gradient_at_a_tie_is_one_of_many(where):
    """Noise hands the whole weight of a pair from one to the other: 1 of 1 in each pair, whatever the noise."""
    x = torch.linspace(0, 1, 16).repeat(2, 1, 1)
    assert checks.unique(Pooled(), x, None).status == "pass"
    x[:, :, TIES[where]] = 0.5
    verdict = checks.unique(Pooled(), x, None)
    assert verdict.status == "warn"
    assert verdict.remedy.startswith("It is one of many at a tie")
    weight = 8 if where == "all flat" else 4
    assert 0 < verdict.figures["gradient"] <= weight / (8 + 1 / 16) + 1e-12


def test_the_worst_item_is_the_one_at_a_tie():
    x = torch.stack([torch.linspace(0, 1, 16)[None], torch.full((1, 16), 0.5)])
    assert checks.unique(Pooled(), x, None).status == "warn"


def test_kinks_nearby_and_steep_slopes_are_no_ties():
    """ReLUs bend within a millionth of a real input; what moves with the noise shrinks with it."""

    def bent(x):
        places = 0.5 + torch.linspace(-1e-7, 1e-7, 50, dtype=x.dtype)  # none at 0.5 itself
        return (x.flatten(1)[..., None] - places).relu().sum((1, 2))[:, None]

    def steep(x):
        return torch.sin(1e4 * x.flatten(1)).sum(1, keepdim=True)

    x = torch.full((1, 1, 8), 0.5)
    x[..., 0] = 0.0
    for model in (bent, steep):
        assert checks.unique(model, x, None).status == "pass"


def test_the_mean_over_noise_is_a_map_of_its_own_at_a_tie():
    x = torch.full((2, 1, 16), 0.5) + torch.tensor([0.0] * 8 + [0.1] * 8)
    domain = wl.DWT("haar", levels=2)
    for method, status in ((wl.Saliency(), "warn"), (wl.SmoothGrad(samples=8, sigma=1e-6), "pass")):
        verdict = checks.unique(Pooled(), x, None, explainer=partial(wl.attribute, domain=domain, method=method))
        assert verdict.status == status, str(verdict)
        assert verdict.figures["gradient"] > 0.1
        found = check(Pooled(), x, None, domain=domain, method=method)["unique"]
        assert (found.status, found.figures) == (verdict.status, verdict.figures)


@pytest.mark.parametrize("method", [wl.Saliency(), wl.SmoothGrad(samples=8, sigma=1e-6)])
def test_the_remedy_for_a_constant_input_is_one(method):
    """Noise is scaled by the range, here 0: SmoothGrad breaks no tie, and what is named in its place does."""
    x, domain = torch.full((2, 1, 16), 0.5), wl.DWT("haar", levels=2)
    x[0] = torch.linspace(0, 1, 16)
    explainer = partial(wl.attribute, domain=domain, method=method)
    verdict = checks.unique(Pooled(), x, None, explainer=explainer)
    assert verdict.status == "warn"
    assert "SmoothGrad breaks no tie: explain x + 1e-3 * torch.randn_like(x)" in verdict.remedy
    torch.manual_seed(0)
    noisy = x + 1e-3 * torch.randn_like(x)
    remedied = partial(wl.attribute, domain=domain, method=wl.SmoothGrad(samples=8, sigma=1))
    assert checks.unique(Pooled(), noisy, None, explainer=remedied).status == "pass"


def test_where_no_copy_runs_in_float64_uniqueness_cannot_be_told():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    old = net.forward
    net.forward = lambda x: old(x)
    verdict = checks.unique(net, torch.rand(1, 1, 16), 1)
    assert verdict.status == "not applicable"
    assert "still calls the model itself" in verdict.finding


def test_a_score_too_rough_to_tell_is_said_to_be():
    def rough(x):  # in float32 alone, where steps as small as in float64 cannot be taken
        return torch.sin(3000 * x.float().flatten(1).sum(1))

    found = checks.differentiable(rough, at((64,)), None)
    assert found.status == "not applicable"
    assert "too rough" in found.finding


def test_float32_within_a_model_of_float64_is_not_taken_for_a_broken_gradient():
    """Steps that are far above float64's rounding drown in float32's; the longer way is asked instead."""
    net = Hidden((64,))

    def narrow(x):
        return net(x.float()).to(x.dtype)

    found = checks.differentiable(narrow, at((64,)), 1)
    assert found.status == "pass", found
    assert found.figures["near the input"] != found.figures["on the way from the baseline"]


def test_a_function_is_checked_too():
    net = Hidden((64,))
    found = check(lambda x: net(x), at((64,)), domain=wl.DWT("haar", levels=2))
    assert found["model_dependent"].finding == "the model has no parameters that could be reset."
    assert found["precise"].status == "not applicable"
    assert found["differentiable"].status == "pass"
    assert found.status == "pass"


def test_saturation_tells_a_probability_from_a_score():
    net, x = Hidden((64,)), at((64,))

    def probability(out):
        return torch.sigmoid(8 * (out[:, 1] - net.second.sum(0)[1]))

    found = checks.unsaturated(net, x, probability)
    assert "explain the logit" in found.remedy
    steep = checks.unsaturated(net, x, lambda out: 2 + 5 * probability(out))
    assert steep.status == found.status
    assert "IntegratedGradients" in steep.remedy
    assert steep.figures["ratio"] == pytest.approx(found.figures["ratio"], rel=1e-3)


def test_the_length_of_the_gradient_is_that_of_the_formula():
    """For f = σ(k x₁) the ratio is σ'(k x₁) over the largest σ' of the places asked."""
    x = torch.zeros(1, 1, 8, dtype=torch.float64)
    x[..., 0] = 1.0
    found = checks.unsaturated(lambda x: torch.sigmoid(12 * x[:, 0, 0]), x, None)
    places = torch.tensor([*wl.methods.paths.nodes("gauss-legendre", 7)[0], 1.0], dtype=torch.float64)
    s = torch.sigmoid(12 * places)
    slopes = s * (1 - s)
    assert found.figures["ratio"] == pytest.approx(float(slopes[-1] / slopes.max()), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_are_compared_with_float64(dtype):
    net, x = Hidden((64,)).to(dtype), at((64,)).to(dtype)
    found = checks.precise(net, x, 1)
    g = checks.asking.score_and_gradient(net, x, 1, torch.arange(2))[1].double()
    exact = checks.asking.score_and_gradient(Hidden((64,)).to(dtype).double(), x.double(), 1, torch.arange(2))[1]
    expected = ((g - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)).max()
    assert found.figures["gradient"] == pytest.approx(float(expected), rel=1e-6)
    assert found.figures["gradient"] > 1e-4


def test_a_gradient_that_float32_still_has_is_missed_in_bfloat16():
    """σ(8) is 1 in bfloat16, where the gradient is 0; σ(40) is 1 in float32 too."""

    def saturated(size):
        layer = nn.Linear(8, 1, bias=False).requires_grad_(False)
        layer.weight.fill_(size / 8)
        return nn.Sequential(nn.Flatten(), layer, nn.Sigmoid()).eval()

    x = torch.ones(1, 1, 8)
    found = checks.precise(saturated(8), x, 0, autocast=torch.bfloat16)
    assert found.status == "fail"
    assert found.figures["gradient"] > 0.2
    still = checks.precise(saturated(40), x, 0, autocast=torch.bfloat16)
    assert still.finding == "the gradient is too short to move the score beyond rounding in float32."


def test_half_precision_that_overflows_leaves_nothing_to_say():
    class Huge(Hidden):
        def forward(self, x):
            return super().forward(x) * 1e5 / 1e5

    found = check(Huge((64,)).half(), at((64,)).half())
    assert found["precise"].status == "fail"
    assert found["finds_planted"].finding == "nothing can be said while precise fails."


def test_completeness_is_read_off_the_attribution():
    net, x = Hidden((64,)), at((64,), batch=1)
    a = wl.attribute(net, x, 1, domain=wl.DWT("haar", levels=2), method=wl.IntegratedGradients(steps=3))
    part = float(a.gap.abs() / (a.score - a.baseline_score).abs())
    for tolerance, status in ((1.01 * part, "pass"), (0.99 * part, "warn" if part < 0.25 else "fail")):
        found = checks.complete(net, x, 1, a, tolerance=tolerance)
        assert found.status == status
        assert f"{part:.1%}" in found.finding
    assert checks.complete(net, x, 1, wl.metrics.energy_order(x, wl.Identity())).status == "not applicable"
    smooth = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.SmoothGrad())
    assert "by SmoothGrad" in checks.complete(net, x, 1, smooth).finding


def test_a_baseline_with_the_score_of_the_input_leaves_no_rise():
    net, x = Hidden((64,)), at((64,), batch=1)
    a = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.IntegratedGradients(), baseline=x)
    assert "no rise" in checks.complete(net, x, 1, a).finding


def test_an_item_without_a_rise_hides_no_other():
    net, x = Hidden((64,)), at((64,))
    a = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=3))
    score, start = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 1.0])
    for gap, status in ((0.5, "fail"), (0.1, "warn")):
        found = checks.complete(net, x, 1, replace(a, score=score, baseline_score=start, gap=torch.tensor([0, gap])))
        assert found.status == status
        assert f"{gap:.1%} of f(x) − f(x₀) = 1 " in found.finding
    found = checks.complete(net, x, 1, replace(a, score=score, baseline_score=start, gap=torch.tensor([0, 0.01])))
    assert found.status == "warn"
    assert "the score is the same at the baseline (1)" in found.finding


class Own:
    """A caller's method that is no dataclass."""

    tolerance, max_steps = 0.02, 500

    def __call__(self, ask, lifts, baseline):
        return wl.IntegratedGradients(tolerance=self.tolerance)(ask, lifts, 0.0)


@dataclass(frozen=True)
class Unlimited(Own):
    """A caller's method with a tolerance and no limit of its own name."""

    tolerance: float = 0.02
    max_steps = property()


@pytest.mark.parametrize("method", [Own, Unlimited])
def test_a_method_of_the_caller_is_judged(method):
    assert hasattr(method(), "max_steps") == (method is Own)
    found = check(Hidden((64,)), at((64,)), domain=wl.DWT("haar", levels=2), method=method())
    assert {verdict.status for verdict in found.verdicts} == {"pass"}, str(found)


def test_a_path_through_infinity_is_said_to_be_one():
    found = check(lambda x: torch.log(x.square().flatten(1).sum(1)), at((64,)), None)
    assert found["complete"].status == "fail"
    assert "NaN or infinity" in found["complete"].finding


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_model_dependence_does_not_count_what_the_energy_brings(start):
    """Multiplied with the coefficients, maps of any two models rank alike where these are sparse."""
    net, x = Net((12, 16)).float(), at((12, 16))
    sparse = start + x * (torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.03)
    method = wl.IntegratedGradients(steps=8)
    found = check(net, sparse, 1, domain=wl.Identity(), method=method, baseline=start)["model_dependent"]
    assert found.figures["correlation"] > 0.8
    assert found.figures["beyond the energy order"] < 0.5
    assert found.status == "pass"


def test_randomized_is_a_copy_and_leaves_the_random_state():
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).eval()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    copied = randomized(net, seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert not torch.equal(copied[0].weight, net[0].weight)
    assert not torch.equal(copied[2].weight, net[2].weight)
    assert not torch.equal(copied[0].weight, randomized(net, seed=2)[0].weight)


@pytest.mark.parametrize("name", ["dropout on", "batch norm in training", "overflow in float16", "partly detached"])
def test_the_model_comes_back_as_it_was(name):
    _, _, make, options = BROKEN[name]
    net, x = make((64,)), at((64,)).requires_grad_()
    modes = [m.training for m in net.modules()]
    state = {key: t.clone() for key, t in net.state_dict().items()}
    torch.manual_seed(3)
    random = torch.get_rng_state()
    check(net, x, **options)
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(t, state[key]) for key, t in net.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert x.grad is None


def test_the_top_class_of_each_item_is_what_is_explained():
    net, x = Hidden((64,)), at((64,))
    top = net(x).argmax(1)
    assert check(net, x) == check(net, x, top)
    with pytest.raises(ValueError, match=r"target must be 'top', a class, .* got 'cat'"):
        check(net, x, "cat")
    with pytest.raises(ValueError, match=r"the top class is that of outputs \(batch, classes\); got \(1,\)"):
        check(lambda x: x.flatten(1).sum(1), at((64,)))


def test_several_targets_are_refused():
    with pytest.raises(ValueError, match="a metric judges one target at a time"):
        check(Hidden((64,)), at((64,)), wl.targets.Several(0, 1))


def test_findings_as_text_and_for_json():
    found = Findings(
        (Verdict("a", "pass", "fine."), Verdict("b", "warn", "hm.", "Do this.", {"x": math.inf, "y": 0.5}))
    )
    assert str(found) == "pass: a: fine.\nwarn: b: hm. Do this."
    assert found.status == "warn"
    assert json.loads(json.dumps(found.summary()))["verdicts"][1] == {
        "check": "b",
        "status": "warn",
        "finding": "hm.",
        "remedy": "Do this.",
        "figures": {"x": None, "y": 0.5},
    }
    with pytest.raises(KeyError, match="a check must be one of a, b; got 'c'"):
        found["c"]
    with pytest.raises(ValueError, match="status must be one of fail, warn, pass, not applicable; got 'good'"):
        Verdict("a", "good", "")
