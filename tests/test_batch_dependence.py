"""Models whose answers depend on the batch or on chance in evaluation mode are explained row by row, or named."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import wavelens as wl
from cases import Net, name, relative, signal
from wavelens import checks, masks
from wavelens.engine.gradients import Gradients

SHAPE = (8, 8)
METHODS = [
    wl.Saliency(),
    wl.IntegratedGradients(steps=4),
    wl.IntegratedGradients(tolerance=0.05),
    wl.SmoothGrad(samples=4),
    *(
        pytest.param(wl.methods.Captum(name), marks=pytest.mark.needs("captum"))
        for name in ("Saliency", "IntegratedGradients", "GradientShap")
    ),
]


def signals(batch: int = 3, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The last is the largest."""
    return signal(SHAPE, batch).to(dtype)


class Mixing(nn.Module):
    """A small network in which `mix` looks at more than the row at hand."""

    def __init__(self, mix) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.act, self.mix, self.head = nn.Conv2d(2, 4, 3), nn.ReLU(), mix, nn.Linear(4, 3)
        self.eval()

    def forward(self, x):
        return self.head(self.mix(self.act(self.first(x)) + 0.1).mean((2, 3)))


RECOGNISED = {
    "BatchNorm2d": lambda: nn.BatchNorm2d(4, track_running_stats=False),
    "SyncBatchNorm": lambda: nn.SyncBatchNorm(4, track_running_stats=False),
}
NOTICED = {
    "a norm called as a function": lambda y: functional.batch_norm(y, None, None, training=True),
    "statistics over the batch": lambda y: (y - y.mean((0, 2, 3), keepdim=True)) / (1 + y.std((0, 2, 3), keepdim=True)),
    "a maximum over the batch": lambda y: y / y.amax(),
    "a sum over the batch": lambda y: y * (1 + y.sum(0, keepdim=True)),
    "the first of the batch": lambda y: y - y[:1] / 2,
}
CHANCE = {
    "dropout": lambda y: functional.dropout(y, 0.3),
    "noise": lambda y: y * (1 + torch.rand_like(y)),
}


def made(kind: str) -> nn.Module:
    return Mixing(RECOGNISED[kind]() if kind in RECOGNISED else Called(NOTICED[kind]))


class Called(nn.Module):
    """A function as a layer."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, y):
        return self.function(y)


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("kind", RECOGNISED | NOTICED)
def test_an_item_is_the_same_alone_and_in_a_batch(kind, method):
    net, x = made(kind), signals()
    explain = partial(wl.attribute, target=1, domain=wl.Identity(), method=method)
    words = "normalises by its batch" if kind in RECOGNISED else "depends on its batch"
    with pytest.warns(UserWarning, match=words) as said:
        found = explain(net, x)
    assert len(said) == 1
    assert said[0].filename == __file__
    alone = explain(net, x[1:2], batch_size=1)
    assert relative(found.item(1).data, alone.data) < 1e-5  # rows went through one at a time: nothing but rounding
    assert relative(found.score[1:2], alone.score) < 1e-5


@pytest.mark.parametrize("kind", RECOGNISED | NOTICED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_points_of_one_item_do_not_mix(kind):
    how = {"domain": wl.Identity(), "method": wl.IntegratedGradients(steps=6)}
    net, x = made(kind), signals(1)
    assert relative(wl.attribute(net, x, 1, **how).data, wl.attribute(net, x, 1, **how, batch_size=1).data) < 1e-5


OTHERS = {
    "Grad-CAM": lambda net, x: wl.baselines.GradCAM("act")(net, x, 1).data,
    "insertion": lambda net, x: wl.metrics.insertion(net, x, 1, magnitudes(x), steps=4),
    "mu-fidelity": lambda net, x: wl.metrics.mu_fidelity(net, x, 1, magnitudes(x), subsets=8, grid=4),
    "minimal": lambda net, x: masks.minimal(net, x, 1, domain=wl.DWT("haar", 1), alpha=0.5, steps=5).mask.data,
}


def magnitudes(x):
    return wl.Identity().analysis(x.abs())


@pytest.mark.parametrize("kind", RECOGNISED | NOTICED)
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_explainers_metrics_and_masks_keep_items_apart_too(other, kind):
    net, x = made(kind), signals()
    found, alone = (OTHERS[other](net, part) for part in (x, x[1:2]))
    assert relative(found[1:2], alone) < 1e-4  # a few steps of descent


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.needs("captum")
def test_deep_lift_refuses_a_model_that_mixes_its_pairs():
    with pytest.raises(ValueError, match="DeepLift passes an input beside its baseline"):
        wl.attribute(made("BatchNorm2d"), signals(), 1, domain=wl.Identity(), method=wl.methods.Captum("DeepLift"))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 3, None])
@pytest.mark.parametrize("kind", CHANCE)
def test_a_random_model_is_named(kind, batch_size, batch):
    net, x = Mixing(Called(CHANCE[kind])), signals(batch)
    with pytest.warns(UserWarning, match="random in evaluation mode.*differed by 0") as said:
        wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.Saliency(), batch_size=batch_size)
    assert len(said) == 1


def test_numbers_drawn_elsewhere_are_noticed_in_a_batch():
    source = np.random.default_rng(0)
    net = Mixing(Called(lambda y: y * float(source.uniform(1, 2))))
    with pytest.warns(UserWarning, match="random in evaluation mode"):
        wl.attribute(net, signals(), 1, domain=wl.Identity(), method=wl.Saliency())


SOUND = {
    "batch norm": lambda: Mixing(nn.BatchNorm2d(4)),
    "instance norm": lambda: Mixing(nn.InstanceNorm2d(4)),
    "layer norm": lambda: Mixing(nn.LayerNorm(6)),
    "unused random numbers": lambda: Mixing(Called(lambda y: functional.dropout(y, 0.0) + 0 * torch.rand(1).to(y))),
    "a score that nearly cancels": lambda: nn.Sequential(
        Mixing(nn.Identity()), Called(lambda y: y * 1e4 + 1e-3)
    ).eval(),
    "float32 inside": lambda: nn.Sequential(Called(lambda x: Mixing(nn.Identity())(x.float()).to(x))).eval(),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", SOUND)
def test_sound_models_are_not_warned_of(kind, dtype):
    net, x, rows = SOUND[kind]().to(dtype), signals(dtype=dtype), []
    net.register_forward_pre_hook(lambda module, points: rows.append(len(points[0])))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=4), batch_size=3)
    assert set(rows) == {1, 3}
    # The score of the baseline, which all share, and the price: two scores, and with one of them its gradient, and one
    # score where gradients have begun.
    assert rows.count(1) == 4


class Rescaled(torch.autograd.Function):
    """The identity, whose gradient is divided by that of the whole batch."""

    @staticmethod
    def forward(ctx, y):
        return y.clone()

    @staticmethod
    def backward(ctx, g):
        return g / g.norm() if g.norm() > 0 else g


def with_hook(y):
    y = y * 1
    if y.requires_grad:
        y.register_hook(lambda g: g - g.mean(0, keepdim=True) / 2)
    return y


def through_mates(y):
    """Adds nothing, with a slope."""
    others = y.roll(1, 0)
    return y + others - others.detach()


IN_GRADIENTS = {"a function": Rescaled.apply, "a hook": with_hook, "a term that is zero": through_mates}


@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("method", [wl.Saliency(), wl.SmoothGrad(samples=4), wl.IntegratedGradients(steps=4)], ids=name)
@pytest.mark.parametrize("kind", IN_GRADIENTS)
def test_gradients_that_depend_on_the_batch_where_values_do_not(kind, method, batch_size):
    net, x = nn.Sequential(Called(IN_GRADIENTS[kind]), Mixing(nn.Identity())).eval(), signals()
    with torch.no_grad():
        torch.testing.assert_close(net(x)[:1], net(x[:1]))
    how = {"target": 1, "domain": wl.Identity(), "method": method}
    with pytest.warns(UserWarning, match=r"model's gradient about an item depends on its batch") as said:
        found = wl.attribute(net, x, **how, batch_size=batch_size)
    assert len(said) == 1
    alone = wl.attribute(net, x[1:2], **how, batch_size=1)
    assert relative(found.item(1).data, alone.data) < 1e-5
    verdict = checks.batch_independent(net, x, 1)
    assert verdict.status == "fail"
    assert "its gradient by" in verdict.finding


def test_a_gradient_that_rounding_decides_is_not_taken_for_a_dependence():
    """At ties and kinks another number of rows may be rounded to another gradient, which no row is to blame for."""
    net, x = Net(SHAPE).float(), signals()

    def kinked(points):
        """The sign of the slope is that of the number of rows, not of their values."""
        return net(points) * 1.0 if len(points) > 1 else 2 * net(points).detach() - net(points)

    how = {"target": 1, "domain": wl.Identity(), "method": wl.Saliency()}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = wl.attribute(kinked, x, **how, batch_size=3)
    assert relative(found.data, wl.attribute(net, x, **how).data) < 1e-5


def test_a_random_gradient_is_named():
    generator = torch.Generator().manual_seed(0)

    def noisy(y):
        if y.requires_grad:
            y.register_hook(lambda g: g * (1 + torch.rand(g.shape, generator=generator)))
        return y

    net = Mixing(Called(noisy))
    with pytest.warns(UserWarning, match=r"random in evaluation mode: .* its gradient differed by") as said:
        wl.attribute(net, signals(), 1, domain=wl.Identity(), method=wl.Saliency(), batch_size=3)
    assert len(said) == 1


def test_equal_inputs_of_different_classes_are_not_taken_for_each_other():
    net, x = Mixing(nn.BatchNorm2d(4)), signals(1).repeat(3, 1, 1, 1)
    with warnings.catch_warnings(), Gradients(net, x, [0, 1, 2]) as ask:
        warnings.simplefilter("error", UserWarning)
        assert ask.rows > 1  # the second item was measured
        ask.values(x[:2], torch.tensor([2, 2]))


def test_a_model_that_takes_no_single_row_is_taken():
    net = Net(SHAPE).float()

    def fixed(x):
        return net(x.view(3, -1).view(3, 2, *SHAPE))

    how = {"domain": wl.Identity(), "method": wl.Saliency()}
    assert (
        relative(
            wl.attribute(fixed, signals(), 1, **how, batch_size=3).data, wl.attribute(net, signals(), 1, **how).data
        )
        < 1e-5
    )


def test_rows_stay_alone_once_they_were_told_apart():
    rows = []
    net = made("a maximum over the batch")
    net.register_forward_pre_hook(lambda module, points: rows.append(len(points[0])))
    with Gradients(net, signals(), 1, batch_size=3) as ask:
        with pytest.warns(UserWarning, match="one at a time"):
            ask.values(signals())
        ask.at_input()
        assert ask.apart
    assert rows == [3, 1, *[1] * 4, *[1] * 3, *[1] * 3]  # in a batch, alone, again twice, in two ways, then each


def inverted_if_bright(x):
    """As documents are: ink becomes light, by the mean of all that is there."""
    return 1 - x if x.mean() > 0.5 else x


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "method", [wl.IntegratedGradients(steps=8), wl.CoarseToFine(steps=8), wl.ScaleShapley()], ids=name
)
def test_a_decision_about_the_whole_batch_is_noticed(method, batch):
    net = nn.Sequential(Called(inverted_if_bright), Mixing(nn.Identity())).eval()
    x = torch.rand(batch, 2, *SHAPE, generator=torch.Generator().manual_seed(0)).sqrt()
    how = {"target": 1, "domain": wl.DWT("haar", levels=2), "method": method}
    with pytest.warns(UserWarning, match="depends on its batch"):
        found = wl.attribute(net, x, **how)
    assert relative(found.data, wl.attribute(net, x, **how, batch_size=1).data) < 1e-5
    assert checks.batch_independent(net, x, 1).status == "fail"


def masked(scores):
    return scores.masked_fill(torch.tensor([False, False, True]), -1e4)


LARGE_BESIDE = {
    "a class that is masked": (lambda y: masked(y), 1),
    "boxes in pixels": (lambda y: {"logits": y, "boxes": 640 * y.sigmoid()}, lambda out: out["logits"][:, 1]),
}


@pytest.mark.parametrize("mix", ["a maximum over the batch", "dropout"])
@pytest.mark.parametrize("beside", LARGE_BESIDE)
def test_large_numbers_beside_the_score_do_not_hide_that_it_depends(beside, mix):
    after, target = LARGE_BESIDE[beside]
    net = nn.Sequential(Mixing(Called((NOTICED | CHANCE)[mix])), Called(after)).eval()
    words = "random in evaluation mode" if mix in CHANCE else "depends on its batch"
    how = {"domain": wl.Identity(), "method": wl.RISE(samples=32)}
    with pytest.warns(UserWarning, match=words):
        found = wl.attribute(net, signals(1), target, **how)
    if mix in NOTICED:
        assert relative(found.data, wl.attribute(net, signals(1), target, **how, batch_size=1).data) < 1e-5


class HalfInside(nn.Module):
    """Float32 outside, bfloat16 within: under autocast, or behind casts."""

    def __init__(self, autocast: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.first, self.layers, self.head = nn.Conv2d(2, 16, 2, 2), nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)
        self.autocast = autocast
        if not autocast:
            self.bfloat16()

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            x = x if self.autocast else x.bfloat16()
            return self.head(self.layers(self.first(x).flatten(2).mT).mean(1)).float()


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("batch", [1, 2, 6])
def test_half_precision_inside_is_taken_for_neither_chance_nor_a_broken_gradient(autocast, batch):
    net, x = HalfInside(autocast).eval(), signals(batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for steps in (8, 25):
            method = wl.IntegratedGradients(steps=steps)
            wl.attribute(net, x, 1, domain=wl.Identity(), method=method)
    assert checks.differentiable(net, x, 1).status != "fail"
    assert checks.batch_independent(net, x, 1).status == "pass"


class Remembering(nn.Module):
    """Adds a part of what the call before it has left, where that has its shape; a buffer, or a plain attribute."""

    def __init__(self, buffer: bool) -> None:
        super().__init__()
        if buffer:
            self.register_buffer("left", torch.zeros(1, 4, 6, 6))
        else:
            self.left = None

    def forward(self, y):
        before, self.left = self.left, y.detach()
        return y if before is None or before.shape != y.shape else y + before / 2


@pytest.mark.parametrize("buffer", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_state_that_is_kept_between_calls_is_noticed(batch, buffer):
    net = Mixing(Remembering(buffer))
    with pytest.warns(UserWarning, match=r"keeps state from one call to the next|random in evaluation mode"):
        wl.attribute(net, signals(batch), 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=6))


def test_a_counter_is_no_state_that_answers_go_by():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, y):
            self.calls += 1
            return y

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        wl.attribute(Mixing(Counting()), signals(), 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=4))


class Particular(nn.Module):
    """A folded network of which `read` makes something between convolution and normalisation, or of what they give."""

    def __init__(self, read) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.second = nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 3)
        self.head, self.read = nn.Linear(4, 3), read
        with torch.no_grad():
            self.norm.running_mean.normal_()
            self.norm.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, x):
        return self.head(self.second(self.read(self.first(x), self.norm).tanh()).mean((2, 3)))


def as_if_contiguous(y, norm):
    return torch.as_strided(norm(y), (len(y), 8, *SHAPE), (8 * 64, 64, 8, 1))


PARTICULAR = {
    "memory as it lies": as_if_contiguous,
    "the type of a tensor": lambda y, norm: norm(y) if type(y) is torch.Tensor else 2 * norm(y),
    "strides": lambda y, norm: norm(y) * (1 + (y.stride(1) == 1)),
}


@pytest.mark.parametrize("batch_size", [None, 1, 4])
@pytest.mark.parametrize("read", PARTICULAR)
@pytest.mark.parametrize("method", [wl.IntegratedGradients(steps=6), wl.RISE(samples=24)], ids=name)
def test_fast_passes_end_where_they_are_not_the_model(method, read, batch_size):
    net, x = Particular(PARTICULAR[read]), signals()
    how = {"target": 1, "domain": wl.Identity(), "method": method}
    exact = wl.attribute(net, x, **how, exact_passes=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        found = wl.attribute(net, x, **how, batch_size=batch_size)
    assert len(said) <= 1
    assert all("goes by the layout of memory or by the type" in str(one.message) for one in said)
    if not said:
        assert relative(found.data, exact.data) < 1e-4
    if batch_size is None:
        assert relative(found.data, exact.data) < 1e-4
