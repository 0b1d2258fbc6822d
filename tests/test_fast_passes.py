"""Laws of the lean passes: what they spare, and that they give what the model's own give."""

import copy
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import wavelens as wl
from cases import Convolutional, relative, signal
from wavelens.engine.fast_passes import FastPasses


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("axes", [2, 3])
class TestChannelsLast:
    def test_is_taken_where_the_model_allows(self, axes, strict):
        net, x = Convolutional(axes, strict), signal((19,) * axes).float()
        wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=wl.IntegratedGradients(steps=2))
        assert net.usual == strict

    def test_gives_the_same_result_and_the_weights_back(self, axes, strict):
        net, x = Convolutional(axes, strict), signal((19,) * axes).float()
        given = [(p, p.data_ptr(), p.stride(), p.clone()) for p in net.parameters()]
        method = wl.IntegratedGradients(steps=3)
        fast = wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=method)
        for p, pointer, stride, values in given:
            assert (p.data_ptr(), p.stride()) == (pointer, stride)
            assert torch.equal(p, values)
        plain = wl.attribute(net.double(), x.double(), 1, domain=wl.DWT("haar", 1), method=method)
        assert relative(fast.data.double(), plain.data) < 1e-6

    def test_gives_the_weights_back_after_an_error(self, axes, strict):
        net, x = Convolutional(axes, strict), signal((19,) * axes).float()
        given = [(p.data_ptr(), p.stride()) for p in net.parameters()]
        with pytest.raises(KeyError, match="target"):
            wl.attribute(net, x, lambda out: {}["target"], domain=wl.DWT("haar", 1), method=wl.Saliency())
        assert [(p.data_ptr(), p.stride()) for p in net.parameters()] == given


class Normed(nn.Module):
    """Convolutions around a batch normalisation."""

    def __init__(self, axes: int, affine: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes - 1]
        self.body = nn.Sequential(layer(2, 8, 3), norm(8, affine=affine), nn.Softplus(), layer(8, 3, 3))
        self.body[1].running_mean.normal_()
        self.body[1].running_var.uniform_(0.5, 2)
        for p in self.body[1].parameters():
            nn.init.uniform_(p, 0.5, 2)
        self.eval()

    def forward(self, x):
        return self.body(x).flatten(2).mean(2)


def kept(net, x) -> int:
    """Bytes that a pass of the engine keeps for its backward pass, parameters and buffers left out."""
    with wl.engine.gradients.Gradients(net, x, 0, batch_size=len(x)) as ask:
        return held_by(net, lambda: ask.scores(x.clone().requires_grad_(), torch.arange(len(x))))


def plainly_kept(net, x) -> int:
    """The same of the model's own pass."""
    net.requires_grad_(False)
    return held_by(net, lambda: net(x.clone().requires_grad_()))


def held_by(net, run) -> int:
    held = {}

    def hold(t: torch.Tensor) -> None:
        held[t.untyped_storage().data_ptr()] = t.detach()

    with torch.autograd.graph.saved_tensors_hooks(hold, lambda nothing: nothing), torch.enable_grad():
        own = {t.untyped_storage().data_ptr() for t in [*net.parameters(), *net.buffers()]}  # copies, for volumes
        run()
    return sum(t.untyped_storage().nbytes() for pointer, t in held.items() if pointer not in own)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("axes", [1, 2, 3])
class TestLeanNorms:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_keep_nothing_of_their_input(self, axes, affine, dtype):
        net, x = Normed(axes, affine).to(dtype), signal((9,) * axes).to(dtype)
        hidden = 3 * 8 * 7**axes * x.element_size()
        assert kept(net, x) < plainly_kept(net, x) - 0.9 * hidden  # the reading of the scores keeps a little

    def test_give_the_same_gradients(self, axes, affine):
        net, x = Normed(axes, affine), signal((9,) * axes).float()
        method = wl.IntegratedGradients(steps=3)
        lean = wl.attribute(net, x, 1, domain=wl.DWT("haar", 1), method=method)
        plain = wl.attribute(net.double(), x.double(), 1, domain=wl.DWT("haar", 1), method=method)
        assert relative(lean.data.double(), plain.data) < 3e-6

    @pytest.mark.parametrize("training", [True, False])
    def test_are_themselves_where_a_model_learns_one(self, axes, affine, training):
        """A norm that uses its batch, or that asks for its weight's gradient, in a model that is being explained."""
        net, x = Normed(axes, affine).double(), signal((9,) * axes)
        norm, weight = net.body[1], torch.full((8,), 1.5, dtype=torch.float64, requires_grad=not training)

        def forward(x):
            stats = norm.running_mean.to(x), norm.running_var.to(x)
            found = functional.batch_norm(x, *stats, weight.to(x), training=training, momentum=0.0)
            if training:
                return found
            (gradient,) = torch.autograd.grad(found.pow(2).sum(), weight, create_graph=True)
            return found * gradient.mean().to(x)

        norm.forward = forward
        how = {"domain": wl.Identity(), "method": wl.Saliency(), "batch_size": 3}
        plain = wl.attribute(net, x, 1, **how)
        lean = wl.attribute(net.float(), x.float(), 1, **how)
        assert relative(lean.data.double(), plain.data) < 1e-5

    def test_run_in_other_modes_of_torch(self, axes, affine):
        net, x = Normed(axes, affine), signal((9,) * axes).float()
        expected = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.Saliency())

        class Mapped(Normed):
            def forward(self, x):
                return torch.func.vmap(lambda one: super(Mapped, self).forward(one[None])[0])(x)

        mapped = Mapped(axes, affine)
        mapped.load_state_dict(net.state_dict())
        scripted = torch.jit.trace(net, x)
        for other in (mapped, scripted):
            found = wl.attribute(other, x, 1, domain=wl.Identity(), method=wl.Saliency())
            assert relative(found.data, expected.data) < 1e-5
        halved = wl.attribute(net, x, 1, domain=wl.Identity(), method=wl.Saliency(), autocast=torch.bfloat16)
        assert relative(halved.data, expected.data) < 0.05


@pytest.mark.parametrize("method", [wl.Saliency(), wl.IntegratedGradients(steps=2)])
def test_lean_norms_run_compiled(method):
    net, x = Normed(2), signal((9, 9)).float()
    expected = wl.attribute(net, x, 1, domain=wl.Identity(), method=method)
    compiled = torch.compile(net, backend="aot_eager")
    found = wl.attribute(compiled, x, 1, domain=wl.Identity(), method=method)
    assert relative(found.data, expected.data) < 1e-5


def steps(net, x, **options):
    """Gradients at points of a path, of the first output: of the model as it is, and in double precision."""
    how = {"domain": wl.Identity(), "method": wl.IntegratedGradients(steps=4), "batch_size": len(x)}
    found = wl.attribute(net, x, 0, **how, **options)
    return found.data.double(), wl.attribute(copy.deepcopy(net).double(), x.double(), 0, **how).data


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("axes", [1, 2, 3])
class TestFolds:
    def test_give_the_same_values_and_gradients_in_fewer_steps(self, axes, affine, bias):
        net, x = Normed(axes, affine).requires_grad_(False), signal((9,) * axes).float()
        if not bias:
            net.body[0].bias = None
        expected, own = net(x), steps(net, x)
        assert relative(*own) < 1e-5
        with torch.no_grad(), FastPasses(net, x) as fast:
            for _ in range(3):
                assert relative(fast(x), expected) < 1e-6
            assert len(fast.folds.made) == 1
            with torch.profiler.profile() as seen:
                fast(x)
            ran = [event.key for event in seen.key_averages()]
        assert "aten::native_batch_norm" not in ran
        assert "aten::convolution" in ran

    def test_keep_the_parameters_and_their_results_apart(self, axes, affine, bias):
        """A model that changes itself between passes is followed."""

        class Changing(Normed):
            def forward(self, x):
                found = super().forward(x)
                with torch.no_grad():
                    self.body[1].running_var.mul_(1.5)
                    self.body[0].weight.add_(0.1)
                return found

        x = signal((9,) * axes).float()
        torch.manual_seed(0)
        changed, plain = (Changing(axes, affine).requires_grad_(False) for _ in range(2))
        if not bias:
            changed.body[0].bias = plain.body[0].bias = None
        with torch.no_grad(), FastPasses(changed, x) as fast:
            for _ in range(4):
                assert relative(fast(x), plain(x)) < 1e-5
            assert len(fast.folds.made) == 1


def test_passes_for_gradients_do_not_fold_by_themselves():
    """A single gradient has no pass to learn from, and those of many come out the same whichever is first."""
    net, x = Normed(2).requires_grad_(False), signal((9, 9)).float()
    with FastPasses(net, x) as fast:
        for _ in range(3):
            fast(x)
        assert not fast.folds.norms
        with torch.no_grad():
            fast.unfolded(x)
        assert not fast.folds.norms


@pytest.mark.parametrize("method", [wl.SmoothGrad(samples=3), wl.IntegratedGradients(steps=3), wl.VarGrad(samples=3)])
def test_gradients_of_many_points_are_folded(method):
    net, x = Normed(2), signal((9, 9)).float()
    with torch.profiler.profile() as seen:
        wl.attribute(net, x, 0, domain=wl.Identity(), method=method, batch_size=len(x))
    ran = {event.key: event.count for event in seen.key_averages()}
    assert ran["aten::convolution_backward"] == 2 * (3 + 1)  # and of one row alone, to compare
    assert "aten::native_batch_norm_backward" not in ran


@pytest.mark.parametrize(("size", "folds"), [(5, 0), (10, 0), (40, 1)])
def test_kernels_that_are_large_beside_what_they_give_are_not_folded(size, folds):
    net = nn.Sequential(nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64)).eval().requires_grad_(False)
    for rows in (1, 4):
        with torch.no_grad(), FastPasses(net, torch.zeros(rows, 64, size, size)) as fast:
            fast(torch.zeros(rows, 64, size, size))
            assert len(fast.folds.norms) == folds


@pytest.mark.parametrize(("channels", "same"), [(64, False), (2560, True)])
def test_large_volumetric_kernels_are_not_copied(channels, same):
    net, x = nn.Conv3d(64, channels, 3).eval(), torch.zeros(1, 64, 3, 3, 3)
    pointer = net.weight.data_ptr()
    with FastPasses(net, x):
        assert (net.weight.data_ptr() == pointer) == same


@pytest.mark.parametrize("behind", [nn.Identity(), nn.ReLU()])
def test_a_block_that_runs_again_for_the_gradient_is_itself(behind):
    """A checkpoint's second run is outside of the pass, and takes any tensor of the right form for what it had."""

    class Checkpointed(Normed):
        def forward(self, x):
            block = nn.Sequential(*self.body[:2], behind)
            return self.body[2:](checkpoint(block, x, use_reentrant=False)).flatten(2).mean(2)

    assert relative(*steps(Checkpointed(2), signal((9, 9)).float())) < 1e-5


class Branching(nn.Module):
    """Two convolutions and their batch normalisations, and `what` happens to the first's output after `start` calls."""

    def __init__(self, what, start: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.other = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.last = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        for norm in (self.norm, self.other, self.last[1]):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.what, self.start, self.calls, self.kept = what, start, 0, []
        self.block = nn.Sequential(self.first, self.norm)
        self.eval().requires_grad_(False)

    def forward(self, x):
        self.calls += 1
        y = self.first(x)
        more = self.what(self, x, y) if self.calls > self.start else None
        z = self.norm(y)
        z = torch.tanh(z) + (0 if more is None else more)
        return self.last(z).flatten(2).mean(2)


def swallowed(net, x, y):
    try:
        return y.sin()
    except RuntimeError:
        return 0


OTHERS = {  # what happens to the convolution's output besides, and whether it can be folded all the same
    "nothing": (lambda net, x, y: None, True),
    "its shape is read": (lambda net, x, y: y.shape[1] + y.dim() + y.size(2) + len(str(y.dtype)), True),
    "it is added": (lambda net, x, y: y, False),
    "it is read in place": (lambda net, x, y: y.mul_(2) * 0, False),
    "it is read in a list": (lambda net, x, y: torch.cat([y, y], 3)[..., :7], False),
    "it is read by keyword": (lambda net, x, y: torch.sin(input=y), False),
    "it goes into a custom function": (lambda net, x, y: Doubled.apply(y), False),
    "it meets a second norm": (lambda net, x, y: net.other(y), False),
    "it meets the norm twice": (lambda net, x, y: net.norm(y), False),
    "it is normed by the batch": (lambda net, x, y: functional.batch_norm(y, None, None, training=True), False),
    "it is held": (lambda net, x, y: net.kept.append(y), False),
    "it is held until the next pass": (lambda net, x, y: net.kept.__setitem__(slice(None), [y]), False),
    "its errors are swallowed": (swallowed, False),
    "the convolution is shared": (lambda net, x, y: net.other(net.first(x)), False),
    "the convolution is used without a norm": (lambda net, x, y: net.first(x).sin(), False),
    "the kernel is shared": (lambda net, x, y: net.norm(functional.conv2d(x, net.first.weight, -net.first.bias)), True),
    "its kernel is learnt": (lambda net, x, y: learnt(net, x), True),
    "the next signal has no batch": (lambda net, x, y: unbatched(net, x), True),
    "it is computed in half precision": (lambda net, x, y: halved(net, x), True),
}


UNSEEN = {  # what the first pass cannot tell, or what changes the model itself
    "a transform reads it": lambda net, x, y: torch.func.vmap(lambda one: torch.where(one > 0, 1.0, 0.1))(y),
    "a script reads it": lambda net, x, y: scripted(y),
    "another thread reads it": lambda net, x, y: in_a_thread(y),
    "it becomes a parameter": lambda net, x, y: nn.Parameter(y.detach()).sum() * 0 + torch.where(y > 0, 1.0, 0.1),
    "a gradient is asked for it": lambda net, x, y: own_gradient(net, y),
    "its norm changes in between": lambda net, x, y: filled(net.norm.weight),
    "its norm's data change in between": lambda net, x, y: filled(net.norm.weight.data),
    "its kernel's data change": lambda net, x, y: filled(net.first.weight.data),
    "its kernel gets other data": lambda net, x, y: setattr(net.first.weight, "data", torch.full((4, 2, 3, 3), 0.2)),
    "the norm lets no gradient through": lambda net, x, y: normed_without_gradient(net, x),
    "the norm is inside a custom function": lambda net, x, y: Inside.apply(net.first(x), net.norm),
}


@torch.jit.script
def scripted(y: torch.Tensor) -> torch.Tensor:
    return torch.where(y > 0, 1.0, 0.1)


def in_a_thread(y):
    found = []

    def read():
        try:
            found.append(torch.where(y.detach() > 0, 1.0, 0.1))
        except RuntimeError:
            found.append(torch.zeros(()))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    return found[0]


def own_gradient(net, y):
    return torch.autograd.grad(net.norm(y).square().sum(), y)[0] if y.requires_grad else None


def filled(t):
    with torch.no_grad():
        t.fill_(1.3)


def normed_without_gradient(net, x):
    y = net.first(x)
    with torch.no_grad():
        return net.norm(y)


class Inside(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y, norm):
        return norm(y)

    @staticmethod
    def backward(ctx, g):
        return 3 * g, None


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        return 2 * y

    @staticmethod
    def backward(ctx, g):
        return 2 * g


def halved(net, x):
    with torch.autocast("cpu", torch.bfloat16):
        return net.norm(net.first(x)).float() / 10


def half_rounding(net, x):
    """How far two gradients through `halved` may lie apart, of the largest one.

    Three numbers in bfloat16 lie on the way back: the gradient that comes in, that of the norm, and that of the
    convolution. Sums in another order let each round the other way, a step of `eps` of its size apart.
    """
    with torch.enable_grad():
        points = x.clone().requires_grad_()
        z = net.norm(net.first(points))
        more = z / 10
        score = net.last(torch.tanh(z) + more).flatten(2).mean(2)[:, 0].sum()
        whole, part = torch.autograd.grad(score, (points, more))
    scale = net.norm.weight / (net.norm.running_var + net.norm.eps).sqrt()
    size = functional.conv_transpose2d((part / 10).abs() * scale.abs()[:, None, None], net.first.weight.abs())
    return (3 * torch.finfo(torch.bfloat16).eps * size.amax() / whole.abs().amax()).item()


def learnt(net, x):
    """An output whose gradient for the kernel is asked for inside the model."""
    kernel = net.first.weight.requires_grad_()
    with torch.enable_grad():
        (found,) = torch.autograd.grad(net.norm(net.first(x.detach())).square().sum(), kernel)
    kernel.requires_grad_(False)
    return found.mean()


def unbatched(net, x):
    """Rows take the place of the channels."""
    norm = net.norm
    y = net.first(x[0, :, :6, :6])
    return functional.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps).mean()


@pytest.mark.parametrize("start", [0, 1, 3])
class TestWhatElseMeetsAConvolution:
    """From the first pass on, from the second on, and from the fourth on, when it has long been folded."""

    @pytest.mark.parametrize("what", OTHERS | UNSEEN)
    def test_the_result_is_that_of_the_model(self, what, start):
        x = signal((9, 9)).float()
        act = UNSEEN[what] if what in UNSEEN else OTHERS[what][0]
        lean, plain = (Branching(act, start) for _ in range(2))
        rounding = 1e-5 + ("half precision" in what) * half_rounding(plain, x)
        with FastPasses(lean, x) as fast:
            for call in range(6):
                points = x.clone().requires_grad_()
                with torch.set_grad_enabled(call % 2 == 1):
                    values, expected = fast(points), plain(points)
                assert relative(values, expected) < 1e-5
                if call % 2:
                    ends = (values[:, 0].sum(), expected[:, 0].sum())
                    assert relative(*(torch.autograd.grad(end, points)[0] for end in ends)) < rounding
                lean.calls, lean.kept = plain.calls, lean.kept[: len(plain.kept)]  # a pass that was wrong ran twice

    @pytest.mark.parametrize("what", OTHERS)
    def test_it_is_folded_only_where_it_can_be(self, what, start):
        alone = OTHERS[what][1]
        net, x = Branching(OTHERS[what][0], start), signal((9, 9)).float()
        with torch.no_grad(), FastPasses(net, x) as fast:
            for _ in range(3):
                fast(x)
            late = start == 1 and not alone  # what was folded was wrong: that pass ran again, and nothing is any more
            assert net.calls == 3 + late
            assert len(fast.folds.norms) == (0 if late else 1 + (alone or start == 3))
