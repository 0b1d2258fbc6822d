"""Gradients through normalisations do not depend on the layout of memory, wherever and however these are called."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import wavelens as wl
from cases import relative
from wavelens.checks.asking import score_and_gradient
from wavelens.engine.gradients import Gradients
from wavelens.engine.norms import Kernels, Norms

CHANNELS = 6
SHAPES = [(5, 4), (5, 1), (1, 4), (5, 4, 3), (5, 1, 3), (1, 1)]
PRECISION = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.05, torch.float16: 0.01}  # a few roundings


def dense(t: torch.Tensor) -> torch.Tensor:
    return t.contiguous()


def last(t: torch.Tensor) -> torch.Tensor:
    """Channels last in memory."""
    return t.movedim(1, -1).contiguous().movedim(-1, 1)


def transposed(t: torch.Tensor) -> torch.Tensor:
    """As it comes from tokens, `(rows, places, channels)`, where axes of length one have strides of no use."""
    return last(t).flatten(2).mT.contiguous().mT.reshape(t.shape)


def odd(t: torch.Tensor) -> torch.Tensor:
    """Channels last, with strides of one along axes of length one."""
    strides = [1 if n == 1 else stride for n, stride in zip(t.shape, last(t).stride(), strict=True)]
    return last(t).as_strided(t.shape, strides)


LAYOUTS = [dense, last, transposed, odd]


def statistics(dtype: torch.dtype) -> list[torch.Tensor]:
    """Mean, variance, weight and bias."""
    source = torch.Generator().manual_seed(3)
    return [torch.rand(CHANNELS, generator=source, dtype=torch.float64).add(0.3).to(dtype) for _ in range(4)]


def by_hand(x: torch.Tensor, mean, variance, weight, bias) -> torch.Tensor:
    def along(t: torch.Tensor) -> torch.Tensor:
        return t.double().view(*t.shape, *[1] * (x.ndim - t.ndim)) if t.ndim > 1 else along(t[None])

    return (x - along(mean)) * (along(variance) + 1e-5).rsqrt() * along(weight) + along(bias)


def moments(x: torch.Tensor, *axes: int) -> tuple[torch.Tensor, torch.Tensor]:
    return x.mean(axes), x.var(axes, correction=0)


NORMS = {  # a call, and the same in plain arithmetic
    "frozen": (functional.batch_norm, by_hand),
    "frozen, torch": (
        lambda x, m, v, w, b: torch.batch_norm(x, w, b, m, v, False, 0.0, 1e-5, False),
        by_hand,
    ),
    "frozen, operator": (
        lambda x, m, v, w, b: torch.ops.aten.batch_norm.default(x, w, b, m, v, False, 0.0, 1e-5, False),
        by_hand,
    ),
    "exported": (
        lambda x, m, v, w, b: torch.ops.aten._native_batch_norm_legit_no_training.default(x, w, b, m, v, 0.0, 1e-5)[0],
        by_hand,
    ),
    "frozen, packet": (
        lambda x, m, v, w, b: torch.ops.aten.batch_norm(x, w, b, m, v, False, 0.0, 1e-5, False),
        by_hand,
    ),
    "frozen, native": (
        lambda x, m, v, w, b: torch.ops.aten.native_batch_norm(x, w, b, m, v, False, 0.0, 1e-5)[0],
        by_hand,
    ),
    "frozen, legit": (
        lambda x, m, v, w, b: torch.ops.aten._native_batch_norm_legit(x, w, b, m, v, False, 0.0, 1e-5)[0],
        by_hand,
    ),
    "frozen, decomposed": (
        lambda x, m, v, w, b: torch._native_batch_norm_legit_no_training(x, w, b, m, v, 0.0, 1e-5)[0],
        by_hand,
    ),
    "frozen, implementation": (
        lambda x, m, v, w, b: torch._batch_norm_impl_index(x, w, b, m, v, False, 0.0, 1e-5, False)[0],
        by_hand,
    ),
    "frozen, without update": (
        lambda x, m, v, w, b: torch.ops.aten._batch_norm_no_update(x, w, b, m, v, 0.0, 1e-5)[0],
        by_hand,
    ),
    "by the batch": (
        lambda x, m, v, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        lambda x, m, v, w, b: by_hand(x, *moments(x, 0, *range(2, x.ndim)), w, b),
    ),
    "by the item": (
        lambda x, m, v, w, b: functional.instance_norm(x, weight=w, bias=b),
        lambda x, m, v, w, b: by_hand(x, *moments(x, *range(2, x.ndim)), w, b),
    ),
    "by the item, frozen": (
        lambda x, m, v, w, b: functional.instance_norm(x, m, v, w, b, use_input_stats=False),
        by_hand,
    ),
}


@pytest.mark.parametrize("mode", [Norms, Kernels])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_are_right_in_any_layout(dtype, norm, mode):
    act, expected = NORMS[norm]
    numbers = statistics(dtype)
    for axes in SHAPES:
        if "frozen" not in norm and norm != "exported" and max(axes) == 1:
            continue  # of one place there are no statistics
        for rows in (1, 2):
            source = torch.Generator().manual_seed(rows)
            x, g = (torch.randn(rows, CHANNELS, *axes, generator=source, dtype=torch.float64) for _ in range(2))
            x, g = x.to(dtype), g.to(dtype)
            wide = x.double().requires_grad_()
            exact = torch.autograd.grad(by := expected(wide, *numbers), wide, g.double())[0]
            for lay_x in LAYOUTS:
                for lay_g in LAYOUTS:
                    point = lay_x(x).requires_grad_()
                    with mode():
                        output = act(point, *numbers)
                        found = torch.autograd.grad(output, point, lay_g(g))[0]
                    assert relative(output.detach().double(), by.detach()) < PRECISION[dtype]
                    assert relative(found.double(), exact) < PRECISION[dtype], (axes, rows, lay_x, lay_g)


class Tokens(nn.Module):
    """A norm between a convolution and what reads its places as tokens; `call` runs the norm."""

    def __init__(self, norm: nn.Module, call=lambda norm, x: norm(x)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.call = nn.Conv2d(2, CHANNELS, 2, 2), norm, call
        for t in (*norm.parameters(), *norm.buffers()):
            if t.is_floating_point():
                nn.init.uniform_(t, 0.5, 2)
        self.mix, self.head = nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, 3)
        self.eval()

    def forward(self, x):
        tokens = self.call(self.norm, self.conv(x)).flatten(2).transpose(1, 2)
        return self.head(torch.tanh(self.mix(tokens)).mean(1))


class Energy(Tokens):
    """A model that takes a gradient of its own through the norm."""

    def forward(self, x):
        with torch.enable_grad():
            points = x if x.requires_grad else x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(super().forward(points)[:, 0].sum(), points, create_graph=True)
        return slope.flatten(1)[:, :3] * 10


def by_rows(norm, x):
    return torch.func.vmap(lambda one: norm(one[None])[0])(x)


def with_learnt_weight(norm, x):
    weight = norm.weight.detach().requires_grad_()
    return functional.batch_norm(x, norm.running_mean, norm.running_var, weight, norm.bias)


def scripted(make):
    return lambda: torch.jit.trace(make(), torch.zeros(1, 2, 8, 8), check_trace=False)


def calling(make):
    def wrapped():
        net = make()
        return lambda x: net(x)

    return wrapped


MODELS = {
    "batch norm": lambda: Tokens(nn.BatchNorm2d(CHANNELS)),
    "batch norm without weights": lambda: Tokens(nn.BatchNorm2d(CHANNELS, affine=False)),
    "synchronised batch norm": lambda: Tokens(nn.SyncBatchNorm(CHANNELS)),
    "instance norm": lambda: Tokens(nn.InstanceNorm2d(CHANNELS, affine=True)),
    "instance norm with running statistics": lambda: Tokens(nn.InstanceNorm2d(CHANNELS, track_running_stats=True)),
    "learnt weight": lambda: Tokens(nn.BatchNorm2d(CHANNELS), with_learnt_weight),
    "mapped": lambda: Tokens(nn.BatchNorm2d(CHANNELS), by_rows),
    "instance norm, mapped": lambda: Tokens(nn.InstanceNorm2d(CHANNELS), by_rows),
    "checkpoint": lambda: Tokens(nn.BatchNorm2d(CHANNELS), lambda norm, x: checkpoint(norm, x, use_reentrant=False)),
    "gradient of its own": lambda: Energy(nn.BatchNorm2d(CHANNELS)),
    "a function": calling(lambda: Tokens(nn.BatchNorm2d(CHANNELS))),
    "TorchScript": scripted(lambda: Tokens(nn.BatchNorm2d(CHANNELS))),
    "TorchScript, instance norm": scripted(lambda: Tokens(nn.InstanceNorm2d(CHANNELS))),
    "TorchScript in a function": calling(scripted(lambda: Tokens(nn.BatchNorm2d(CHANNELS)))),
    "TorchScript in a module": lambda: nn.Sequential(scripted(lambda: Tokens(nn.BatchNorm2d(CHANNELS)))()).eval(),
    "compiled": lambda: torch.compile(Tokens(nn.BatchNorm2d(CHANNELS)), backend="aot_eager"),
}


def typed(model, dtype):
    """The model in a precision; what hides its module is made of one in it."""
    if isinstance(model, nn.Module):
        return model.to(dtype)
    model.__closure__[0].cell_contents.to(dtype)
    return model


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_an_item_alone_is_the_item_in_a_batch(dtype, model):
    """And both are what finite differences say, in float64."""
    net = typed(MODELS[model](), dtype)
    x = torch.randn(2, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)
    how = {"domain": wl.Identity(), "method": wl.IntegratedGradients(steps=3)}
    alone = wl.attribute(net, x[:1], 1, **how, batch_size=1)
    beside = wl.attribute(net, x, 1, **how, batch_size=6).item(0)
    assert relative(alone.data.double(), beside.data.double()) < PRECISION[dtype] * 4
    if dtype == torch.float64:
        g = wl.attribute(net, x[:1], 1, domain=wl.Identity(), method=wl.Saliency()).data.view(2, 8, 8)
        v = torch.randn(g.shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
        with Gradients(net, x[:1], 1, batch_size=1) as ask:
            up, down = (ask.values(x[:1] + step * v)[0] for step in (1e-5, -1e-5))
        assert abs(float((up - down) / 2e-5 - (g * v).sum())) < 1e-7


class Plain(nn.Module):
    """A frozen batch norm in plain arithmetic, whose gradient no kernel can mistake."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        scale = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
        self.register_buffer("scale", scale.view(-1, 1, 1))
        self.register_buffer("shift", (norm.bias.detach() - norm.running_mean * scale).view(-1, 1, 1))

    def forward(self, x):
        return x * self.scale + self.shift


class Rectified(Tokens):
    """Of modules alone, as those who look into layers need them."""

    def __init__(self) -> None:
        super().__init__(nn.BatchNorm2d(CHANNELS))
        self.before, self.after, self.bend = nn.Conv2d(2, CHANNELS, 1), nn.ReLU(), nn.ReLU()
        self.conv = nn.Conv2d(CHANNELS, CHANNELS, 2, 2)
        self.eval()

    def forward(self, x):
        tokens = self.norm(self.conv(self.after(self.before(x)))).flatten(2).transpose(1, 2)
        return self.head(self.bend(self.mix(tokens)).mean(1))


LOOKING = [
    wl.baselines.GradCAM("before"),
    wl.baselines.SRD(),
    *(
        pytest.param(wl.baselines.FromMethod(wl.methods.Captum(name)), marks=pytest.mark.needs("captum"))
        for name in ("Saliency", "GuidedBackprop", "DeepLift", "IntegratedGradients")
    ),
    pytest.param(
        wl.baselines.FromMethod(wl.methods.Zennit("GuidedBackprop")),
        marks=pytest.mark.needs("zennit"),
    ),
]


@pytest.mark.parametrize("explainer", LOOKING, ids=repr)
def test_explainers_that_look_into_layers_are_right_for_one_row(explainer):
    net = Rectified().double()
    x = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = explainer(net, x, 1)
    net.norm = Plain(net.norm).eval()
    assert relative(found.data, explainer(net, x, 1).data) < 1e-10


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_checks_pass_a_sound_model_of_one_row(dtype):
    net = Tokens(nn.BatchNorm2d(CHANNELS)).to(dtype)
    x = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(1)).to(dtype)
    verdicts = wl.check(net, x, 1)
    assert verdicts["differentiable"].status == "pass"
    assert verdicts["precise"].status == "pass"
    _, g = score_and_gradient(net.requires_grad_(False), x, 1, torch.tensor([0]))  # as checks find it: frozen
    with Gradients(net, torch.cat([x, x]), 1, batch_size=2) as ask:
        assert relative(g, ask.at_input()[0][0, :1]) < PRECISION[dtype]


def test_second_derivatives_of_a_frozen_norm():
    x = torch.randn(1, CHANNELS, 2, 2, dtype=torch.float64, requires_grad=True)
    with Norms():
        assert torch.autograd.gradgradcheck(lambda x: NORMS["frozen"][0](x, *statistics(torch.float64)).pow(3), x)
        assert torch.autograd.gradcheck(
            lambda x: NORMS["frozen"][0](x, *statistics(torch.float64)), x, check_forward_ad=True
        )


def test_models_without_norms_run_in_no_mode():
    """Which would cost time, and keep torch from its fast path for transformers."""
    modes = []

    def model(x):
        depth = torch._C._len_torch_function_stack() + torch._C._len_torch_dispatch_stack()
        modes.append(depth - (len(x) == 1))  # of a row alone the types are noted
        return x.flatten(1).tanh()

    wl.attribute(model, torch.randn(2, 1, 4, 4), 1, domain=wl.Identity(), method=wl.IntegratedGradients(steps=3))
    assert modes[0] > 0
    assert set(modes[1:]) <= {0, -1}  # the score of the baseline is a row of a pass
