"""A map finds a planted pattern where it ranks it before what is as large, in any domain."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import DOMAINS, Net, name, over_pairs, signal, takes
from wavelens.checks import finds_planted
from wavelens.checks.explanation import another_method
from wavelens.checks.planting import FINDS, MISSES, MOVED, PASSES, outranking
from wavelens.core import Coefficients
from wavelens.models.black_box import BlackBox

HAAR = wl.DWT("haar", levels=2)
IG = wl.IntegratedGradients(steps=8)


def at(shape, size):
    """Signals, and a wave of some size in the middle of each."""
    x = signal(shape, batch=2).float()
    centre = torch.tensor([[n / 2 for n in shape]]).expand(2, -1)
    wave = wl.planted.Wave(4.0, (1.0,) * len(shape), 2.0, size).at(wl.planted.grid(shape), centre, torch.zeros(2))
    return x, wave[:, None].expand_as(x)


@pytest.mark.parametrize("size", [0.1, 1.0])
@over_pairs
def test_the_energy_order_wins_half_of_its_comparisons(domain, shape, size):
    """Whatever the pattern's size: neighbours in energy lie as often below as above."""
    x, pattern = at(shape, size)
    energy, known = domain.analysis(x + pattern), wl.planted.truth(pattern, domain)
    for by_scale in (False, True):
        share = outranking(energy, energy, known, by_scale=by_scale)
        assert (((share - 0.5).abs() <= 0.03) | share.isnan()).all(), share  # exactly, but for equal coefficients
    whole = outranking(energy.map(lambda data: data * 0), energy, known)
    assert torch.equal(whole, torch.full((2,), 0.5, dtype=torch.float64))


@over_pairs
def test_the_pattern_itself_wins_nearly_all(domain, shape):
    x, pattern = at(shape, 1.0)
    energy, known = domain.analysis(x + pattern), wl.planted.truth(pattern, domain)
    for by_scale in (False, True):
        share = outranking(domain.analysis(pattern), energy, known, by_scale=by_scale)
        assert ((share > 0.95) | share.isnan()).all(), share  # 1, but for equal coefficients
    against = outranking(domain.analysis(pattern).map(lambda data: 1 / (1 + data.abs())), energy, known)
    assert (against < 0.05).all()


def test_comparisons_are_with_the_nearest_in_energy():
    """By hand: of 14 coefficients one is planted; the five next below it are 1 to 5, those above 6 to 10."""
    energy = Coefficients(
        torch.tensor([[[5.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 100, 200]]]), wl.Identity().layout((14,))
    )
    pattern = torch.zeros(1, 1, 14)
    pattern[..., 0] = 1
    ranked = energy.map(lambda data: torch.where(data == 5.5, 3, data))  # beats 1 and 2, equals 3; 0, 100, 200 are far
    assert outranking(ranked, energy, wl.planted.truth(pattern, wl.Identity())).tolist() == [0.25]
    loud = energy.map(lambda data: torch.where(data == 5.5, 150, data))  # one is above, so one below counts
    assert outranking(ranked, loud, wl.planted.truth(pattern, wl.Identity())).tolist() == [0.0]
    largest = energy.map(lambda data: torch.where(data == 5.5, 300, data))
    assert outranking(ranked, largest, wl.planted.truth(pattern, wl.Identity())).isnan().all()


def test_by_scale_others_are_of_the_same_scale():
    """A map that knows the scale alone: every coefficient of the planted one is worth 1, all others 0."""
    x, pattern = at((64,), 1.0)
    energy, known = HAAR.analysis(x + pattern), wl.planted.truth(pattern, HAAR)
    sums = {
        scale[0]: known.mask[0, 0, energy.layout.slices[scale[0]]].sum() for scale in energy.layout.scales().values()
    }
    ranked = energy.map(torch.ones_like).only(max(sums, key=sums.get))
    assert outranking(ranked, energy, known).mean() > 0.55
    assert (outranking(ranked, energy, known, by_scale=True) == 0.5).all()


def test_where_everything_is_planted_there_is_nothing_to_compare_with():
    layout = wl.Identity().layout((3,))
    known = wl.planted.truth(torch.ones(1, 1, 3), wl.Identity())
    energy = Coefficients(torch.ones(1, 1, 3), layout)
    assert outranking(energy, energy, known).isnan().all()


class Local(nn.Module):
    """Answers to short waves wherever they are, one class per direction; counts its passes."""

    def __init__(self, shape):
        super().__init__()
        source, size = torch.Generator().manual_seed(5), (7,) * len(shape)
        middle = torch.full((1, len(shape)), 3.0)
        waves = [
            wl.planted.Wave(length, tuple(torch.randn(len(shape), generator=source).tolist()), 1.5).at(
                wl.planted.grid(size), middle, torch.zeros(1)
            )
            for length in (3.0, 3.5, 4.0, 4.5, 5.0, 7.0)
        ]
        self.weights = nn.Parameter(
            torch.stack(waves) / torch.stack(waves).flatten(1).norm(dim=1).view(-1, *[1] * (len(shape) + 1))
        )
        self.rows = 0
        self.eval()

    def forward(self, x):
        self.rows += len(x)
        convolution = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[x.ndim - 3]
        return torch.logsumexp(convolution(x.mean(1, keepdim=True), self.weights).flatten(2), 2)


ASKED = {"IG": IG, "saliency": wl.Saliency(), "SmoothGrad": wl.SmoothGrad(samples=8, sigma=0.05)}


@pytest.mark.parametrize("method", ASKED)
@pytest.mark.parametrize("shape", [(400,), (24, 32), (12, 12, 12)], ids=str)
def test_maps_of_the_model_find_it_and_maps_of_the_signal_do_not(shape, method):
    net, x = Local(shape), signal(shape, batch=6).float() / 4
    explain = partial(wl.attribute, domain=wl.Identity(), method=ASKED[method])
    verdict = finds_planted(net, x, 1, explainer=explain)
    assert verdict.status == "pass", str(verdict)
    assert verdict.figures["map"] > max(FINDS, verdict.figures["energy order"] + 0.1)
    for order in (wl.metrics.energy_order, wl.metrics.random_order):
        unasked = finds_planted(net, x, 1, explainer=lambda m, x, t, order=order: order(x, wl.Identity()))
        assert unasked.status != "pass", str(unasked)
        assert "Take another method, such as HierarchicalShapley or SmoothGrad." in unasked.remedy
        assert ("The warning is common" in unasked.remedy) == (unasked.status == "warn")


@pytest.mark.parametrize(
    ("method", "others"),
    [
        (IG, "HierarchicalShapley or SmoothGrad"),
        (wl.SmoothGrad, "HierarchicalShapley or IntegratedGradients"),
        (wl.RISE(), "IntegratedGradients or SmoothGrad"),
    ],
)
def test_the_remedy_names_methods_unlike_the_one_used(method, others):
    explain = partial(wl.attribute, domain=HAAR, method=method)
    assert another_method(explain, Local((24, 32))) == f"another method, such as {others}"
    box = BlackBox(lambda array: array)
    assert "Gradients" not in another_method(explain, box)


def test_a_map_that_never_asks_the_model_does_not_pass_where_nothing_else_has_detail():
    """In a smooth signal a filter of detail finds any pattern; a copy with its layers reset has the same map."""
    net, x = Local((24, 32)), torch.linspace(0, 8, 32).expand(1, 1, 24, 32).contiguous()
    net.weights.data -= net.weights.data.mean((2, 3), keepdim=True)  # which answers to no slope of its own
    explain = partial(wl.attribute, domain=HAAR, method=IG)
    verdict = finds_planted(net, x, 1, explainer=explain)
    assert verdict.status == "pass", str(verdict)
    assert verdict.figures["shared with a reset copy"] < 0.8
    edges = finds_planted(net, x, 1, explainer=lambda m, x, t: HAAR.analysis((x - wl.masks.Blur(1.0)(x)).abs()))
    assert min(edges.figures["map"], edges.figures["map, of one scale"]) > FINDS, str(edges)
    assert edges.figures["shared with a reset copy"] == pytest.approx(1)
    assert (edges.status, "whatever the model has learnt" in edges.remedy) == ("warn", True)
    bare = finds_planted(lambda x: net(x), x, 1, explainer=explain)  # a function has no layers
    assert bare.figures["map"] == verdict.figures["map"]
    assert "shared with a reset copy" not in bare.figures


def test_a_map_that_turns_from_the_pattern_fails():
    explain = partial(wl.attribute, domain=wl.Identity(), method=IG)

    def turned(model, x, target):
        return explain(model, x, target).map(lambda data: 1 / (1e-6 + data.abs()))

    net, x = Local((24, 32)), signal((24, 32), batch=6).float() / 4
    verdict = finds_planted(net, x, 1, explainer=turned)
    assert verdict.figures["map"] < MISSES
    assert verdict.status == "fail"


def test_passes_are_as_many_as_said():
    net, x = Local((64,)), signal((64,), batch=1).float()
    finds_planted(net, x, 1, explainer=lambda m, x, t: wl.metrics.energy_order(x, HAAR))
    assert net.rows <= PASSES
    deaf = Local((64,))
    deaf.weights.data.zero_()
    finds_planted(deaf, x, 1, explainer=lambda m, x, t: wl.metrics.energy_order(x, HAAR))
    assert deaf.rows == PASSES


def test_a_model_that_does_not_answer_is_not_judged():
    x = signal((64,), batch=2).float()
    explain = partial(wl.attribute, domain=HAAR, method=IG)

    class Loud(Local):
        def forward(self, x):
            return super().forward(x) + 1e3 * torch.arange(6)

    verdict = finds_planted(Loud((64,)), x, 1, explainer=explain)
    assert verdict.status == "not applicable"
    assert verdict.figures["moved"] < MOVED
    assert "no planted pattern moves the model's outputs" in verdict.finding


def test_items_that_are_not_moved_are_left_out():
    """One of two items has a first sample of 100, for which the outputs are so far apart that nothing moves them."""

    class Certain(Local):
        def forward(self, x):
            return super().forward(x) + 1e6 * (x[:, 0, :1] > 50) * torch.arange(6)

    x = signal((64,), batch=2).float()
    x[1, 0, 0] = 100
    explain = partial(wl.attribute, domain=wl.Identity(), method=IG)
    verdict = finds_planted(Certain((64,)), x, 1, explainer=explain)
    assert "(1 of 2 inputs could be told)" in verdict.finding
    alone = finds_planted(Certain((64,)), x[:1], 1, explainer=explain)
    assert verdict.figures["map"] == pytest.approx(alone.figures["map"], abs=1e-6)


def test_what_is_no_tensor_of_classes_is_read_by_the_target():
    """A segmenter, say: its dictionary is read by the caller's target, and the change compared with the rise."""
    net, x = Local((128,)), signal((128,), batch=2).float()
    explain = partial(wl.attribute, domain=wl.Identity(), method=IG)
    verdict = finds_planted(lambda x: {"out": net(x)}, x, lambda out: out["out"][:, 0], explainer=explain)
    assert verdict.status == "pass", str(verdict)


@pytest.mark.parametrize("domain", [domain for domain in DOMAINS if takes(domain, (37,))], ids=name)
def test_every_domain_gives_a_verdict(domain):
    net, x = Net((37,)), signal((37,), batch=2)
    explain = partial(wl.attribute, domain=domain, method=wl.Saliency())
    verdict = finds_planted(net, x, 1, explainer=explain)
    assert verdict.status == "not applicable" or 0 <= verdict.figures["map"] <= 1
    assert verdict == finds_planted(net, x, 1, explainer=explain)
