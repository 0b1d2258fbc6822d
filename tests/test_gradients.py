"""Laws of the engine: chunks, memory, errors, and the caller's things as they were."""

import copy
import gc
import sys
import threading
import types
import weakref
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import wavelens as wl
from cases import Convolutional, Net, name, relative, signal
from wavelens.engine.batch_dependence import ROWS_PER_LOOK
from wavelens.engine.gradients import Gradients

SHAPE = (6, 7)
METHODS = [
    wl.Saliency(),
    wl.SmoothGrad(samples=4, sigma=0.3),
    wl.IntegratedGradients(steps=4),
    wl.IntegratedGradients(tolerance=0.05),
    wl.VarGrad(samples=4, sigma=0.3),
]
FIXED = [m for m in METHODS if getattr(m, "tolerance", None) is None]


def explain(model, x, target=2, method=METHODS[0], domain=wl.DWT("db2", 1), **options):  # noqa: B008
    return wl.attribute(model, x, target, domain=domain, method=method, **options)


class Busy(nn.Module):
    """A network that does to itself what networks do: it counts, it assigns, it draws; and it fails when told to."""

    def __init__(self, fails_at=None, error=None):
        super().__init__()
        self.net, self.head = Net(SHAPE), nn.Sequential(nn.Tanh(), nn.Linear(5, 4, dtype=torch.float64))
        for seed, p in enumerate(self.head.parameters()):
            p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(seed), dtype=p.dtype)
        self.register_buffer("assigned", torch.tensor([1.0, float("nan")]))
        self.register_buffer("nothing", None)
        self.calls, self.fails_at, self.error = 0, fails_at, error
        self.net.first.requires_grad_(False)
        self.net.second.grad = torch.ones_like(self.net.second)
        self.hooks = []
        self.net.register_forward_hook(lambda *_: self.hooks.append("forward"))
        self.head.register_full_backward_hook(lambda *_: self.hooks.append("backward"))
        self.eval()

    def forward(self, x):
        self.calls += 1
        self.net.calls += 1
        self.assigned = self.assigned * 2 + torch.rand(2)
        self.nothing = torch.rand(1)
        self.head.training = True
        if self.calls == self.fails_at:
            raise self.error
        return self.head(self.net(x) + torch.rand((), dtype=x.dtype) / 100)


HOOKS = [slot for slot in vars(nn.Module()) if slot.endswith(("hooks", "with_kwargs", "always_called"))]


def state(model):
    """All that a caller could find changed, with the objects' identities."""
    modules = list(model.modules())
    parameters = list(model.parameters())
    return {
        "training": [m.training for m in modules],
        "requires_grad": [p.requires_grad for p in parameters],
        "grad": [(id(p.grad), p.grad if p.grad is None else p.grad.tolist()) for p in parameters],
        "parameters": [(id(p), p.tolist()) for p in parameters],
        "buffers": [(k, id(b), b if b is None else str(b.tolist())) for m in modules for k, b in m._buffers.items()],
        "hooks": [[list(getattr(m, slot).items()) for slot in HOOKS] for m in modules],
    }


def surroundings():
    return {
        "random": torch.get_rng_state().tolist(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": (
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
    }


FAILURES = {
    "no failure": (Busy, 2, None),
    "first call": (lambda: Busy(1, RuntimeError("broken")), 2, RuntimeError),
    "third call": (lambda: Busy(3, ValueError("broken")), 2, ValueError),
    "interrupt": (lambda: Busy(2, KeyboardInterrupt()), 2, KeyboardInterrupt),
    "target": (Busy, lambda out: out.nonsense, AttributeError),
    "no gradient": (Busy, lambda out: out.argmax(1), ValueError),
    "NaN": (Busy, lambda out: (out[:, 0] * 0).sqrt(), ValueError),
}


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("failure", FAILURES)
def test_the_model_comes_back_as_it_was(method, failure):
    make, target, error = FAILURES[failure]
    model, x = make(), signal(SHAPE)
    before, around = state(model), surroundings()
    expectation = pytest.raises(error) if error else nullcontext()
    with expectation:
        explain(model, x, target, method, batch_size=1)
    assert model.calls > 0
    assert state(model) == before
    assert surroundings() == around
    if not error:
        assert {"forward", "backward"} == set(model.hooks)


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_the_signal_comes_back_as_it_was(method):
    def careless(x):
        with torch.no_grad():
            x.clamp_(-1, 1)
        return Net(SHAPE)(x)

    x = signal(SHAPE).requires_grad_()
    x.grad = torch.ones_like(x)
    grad, values, version = x.grad, x.detach().clone(), x._version
    for model in (Net(SHAPE), careless):
        a = explain(model, x, method=method)
        assert not any(t.requires_grad for t in (a.data, a.score) if t is not None)
    assert x.requires_grad
    assert x.grad is grad
    assert torch.equal(x, values)
    assert torch.equal(grad, torch.ones_like(x))
    assert x._version == version


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("mode", MODES)
def test_a_call_does_not_care_where_it_is_made(method, mode):
    """float32, because autocast leaves float64 alone."""
    net, x = Net(SHAPE).float(), signal(SHAPE).float()
    expected = explain(net, x, method=method)
    with MODES[mode]():
        around = surroundings()
        found, inside = explain(net, x, method=method), explain(net, x.clone(), method=method)
        assert surroundings() == around
    assert torch.equal(found.data, expected.data)
    assert torch.equal(inside.data, expected.data)
    assert not found.data.is_inference()


@pytest.mark.parametrize("method", FIXED, ids=name)
def test_a_call_does_not_care_about_defaults(method):
    net, x = Net(SHAPE), signal(SHAPE)
    expected = explain(net, x, [1, 0, 3], method=method)
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float16)
    try:
        around = surroundings()
        found = explain(net, x, [1, 0, 3], method=method)
        assert surroundings() == around
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found.data, expected.data)
    assert torch.equal(found.score, expected.score)


def test_buffers_made_in_inference_mode_are_no_obstacle():
    net, x = Net(SHAPE), signal(SHAPE)
    expected = explain(net, x).data
    with torch.inference_mode():
        net.calls = net.calls + 1
    kept = net.calls
    assert torch.equal(explain(net, x).data, expected)
    assert net.calls is kept


def test_parameters_made_in_inference_mode_stay_as_they_are():
    with torch.inference_mode():
        layer = nn.Linear(7, 5).double().eval()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        explain(layer, signal(SHAPE), lambda out: out.sum((1, 2, 3)))
    assert all(p.requires_grad for p in layer.parameters())


def test_models_that_work_on_their_input_in_place_are_taken():
    net, x = Net(SHAPE), signal(SHAPE)

    def model(x):
        return net(x.mul_(2))

    before = x.clone()
    for method in METHODS:
        found = explain(model, x, method=method, batch_size=2)
        assert relative(found.data, explain(lambda x: net(x * 2), x, method=method, batch_size=2).data) < 1e-14
    assert torch.equal(x, before)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_scripted_models_come_back_as_they_were():
    layers = nn.Sequential(nn.Flatten(), nn.Linear(84, 4), nn.BatchNorm1d(4)).double().eval()
    scripted, x = torch.jit.script(layers), signal(SHAPE)
    assert torch.equal(explain(scripted, x).data, explain(layers, x).data)
    assert all(p.requires_grad for p in scripted.parameters())
    assert [str(b) for b in scripted.buffers()] == [str(b) for b in layers.buffers()]


@pytest.mark.parametrize("axes", [2, 3])
def test_calls_of_several_threads_that_overlap_give_the_model_back(axes):
    """The second begins while the first goes on, which ends while the second goes on."""
    net, x = Convolutional(axes), signal((19,) * axes).float()
    found, strides = state(net), [p.stride() for p in net.parameters()]
    begun, ended, results = threading.Event(), threading.Event(), {}

    def first(done, expected):
        begun.set()
        assert inside.wait(30)

    def second(done, expected):
        inside.set()
        assert ended.wait(30)

    def call(name, progress):
        results[name] = explain(net, x, 1, wl.Saliency(), progress=progress).data

    inside = threading.Event()
    threads = [threading.Thread(target=call, args=pair) for pair in (("first", first), ("second", second))]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    threads[0].join()
    assert not any(p.requires_grad for p in net.parameters())
    ended.set()
    threads[1].join()
    assert state(net) == found
    assert [p.stride() for p in net.parameters()] == strides
    expected = explain(net, x, 1, wl.Saliency()).data
    assert all(relative(results[name], expected) < 1e-6 for name in ("first", "second"))


def recorded(net):
    """`net`, and the rows of each of its calls."""
    rows = []

    def model(x):
        rows.append(len(x))
        return net(x)

    return model, rows


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 100])
def test_batch_size_bounds_the_rows_of_a_pass(method, batch_size):
    model, rows = recorded(Net(SHAPE))
    a = explain(model, signal(SHAPE), method=method, batch_size=batch_size)
    assert max(rows) <= batch_size
    if batch_size <= 3:
        assert max(rows) == batch_size  # and it is used
    scores = 0 if isinstance(method, wl.Saliency) else 3 + isinstance(method, wl.IntegratedGradients)
    alone = (max(rows) > 1) * (1 + (scores > 0))  # a row's score, and its gradient at another point, by itself
    assert 0 <= sum(rows) - a.spent.sum() - scores - alone <= sum(rows) // ROWS_PER_LOOK  # and a score for so many


@pytest.mark.parametrize("method", FIXED, ids=name)
def test_every_gradient_is_asked_for_once_for_all_domains(method):
    model, rows = recorded(Net(SHAPE))
    a, b = explain(model, signal(SHAPE), method=method, domain=[wl.DWT("haar", 1), wl.Identity()], batch_size=100)
    count = getattr(method, "samples", getattr(method, "steps", 1))
    assert a.spent.tolist() == b.spent.tolist() == [count] * 3
    scores = 0 if isinstance(method, wl.Saliency) else 3 + isinstance(method, wl.IntegratedGradients)
    alone = 1 + (scores > 0)  # a score and a gradient
    assert 0 <= sum(rows) - 3 * count - scores - alone <= sum(rows) // ROWS_PER_LOOK  # and a score for so many


def test_without_a_batch_size_one_row_is_tried_and_memory_decides(monkeypatch):
    net, x = Net(SHAPE), signal(SHAPE, batch=5)
    model, rows = recorded(net)
    explain(model, x)
    assert rows == [1, 5]
    rows.clear()
    monkeypatch.setattr("wavelens.engine.memory.budget", lambda device, least: 1)
    explain(model, x)
    assert rows == [1] * 6


def test_large_rows_still_go_several_at_a_time_on_a_cpu_where_memory_allows(monkeypatch):
    x = signal(SHAPE, batch=5)
    model, rows = recorded(Net(SHAPE))
    for several, expected in [(4, [1, 4, 1]), (2, [1, 2, 2, 1]), (1, [1] * 6), (0, [1] * 6)]:
        monkeypatch.setattr(
            "wavelens.engine.memory.CPU_ACTIVATIONS", several * 4 * x[0].nbytes
        )  # what signals alone take
        explain(model, x)
        assert rows == expected
        rows.clear()
    monkeypatch.setattr("wavelens.engine.memory.CPU_ACTIVATIONS", 16 * x[0].nbytes)
    monkeypatch.setattr("os.sysconf", lambda name: 1)
    explain(model, x)
    assert rows == [1] * 6


class Weights(torch.autograd.Function):
    """`x @ w` that counts how often the gradient at `w` is computed."""

    asked = 0

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        Weights.asked += ctx.needs_input_grad[1]
        return g @ w.T, x.T @ g if ctx.needs_input_grad[1] else None


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_weights_get_no_gradient(method):
    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(84, 5, dtype=torch.float64))

        def forward(self, x):
            return Weights.apply(x.flatten(1), self.w).square()

    Weights.asked, model = 0, Linear().eval()
    explain(model, signal(SHAPE), method=method)
    assert Weights.asked == 0
    explain(lambda x: model(x), signal(SHAPE), method=method)  # which hides the weights
    assert model.w.grad is None
    Weights.asked = 0
    model(signal(SHAPE)).sum().backward()
    assert Weights.asked == 1  # the count counts


FULL = {
    "device": lambda: torch.OutOfMemoryError("full"),
    "CPU": lambda: RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    "Linux": lambda: torch.empty(2**58, dtype=torch.uint8),  # raises
    "cuBLAS": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cuDNN": lambda: RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    "TorchScript": lambda: RuntimeError("in the TorchScript interpreter: CUDA out of memory. Tried to allocate"),
}


@pytest.mark.parametrize("method", METHODS, ids=name)
@pytest.mark.parametrize("full", FULL)
def test_chunks_shrink_when_memory_runs_out(method, full):
    net, x, rows = Net(SHAPE), signal(SHAPE, batch=5), []

    def model(x):
        rows.append(len(x))
        if len(x) > 2:
            raise FULL[full]()
        return net(x)

    found, expected = explain(model, x, method=method), explain(net, x, method=method, batch_size=2)
    assert relative(found.data, expected.data) < 1e-14
    assert relative(found.score, expected.score) < 1e-14
    small = next(i for i, n in enumerate(rows) if i and n <= 2)
    assert rows[small - 1] > 2
    assert max(rows[small:]) <= 2


def test_no_row_is_lost_when_memory_runs_out_again_and_again():
    """Nodes of an adaptive path are asked for in rows, which become fewer twice on the way."""
    net, x, seen = Net(SHAPE), signal(SHAPE, batch=4), []

    def model(x):
        seen.append(len(x))
        if len(x) > (4 if len(seen) < 6 else 2):
            raise torch.OutOfMemoryError("full")
        return net(x)

    method = wl.IntegratedGradients(tolerance=1e-4)
    assert relative(explain(model, x, method=method, batch_size=7).data, explain(net, x, method=method).data) < 1e-12


def test_a_model_that_takes_gradients_inside_is_measured():
    def model(x):
        with torch.enable_grad():
            (inner,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        return inner.flatten(1)

    x = signal(SHAPE)
    found = explain(model, x, target=0, domain=wl.Identity())
    expected = torch.zeros_like(x.flatten(1))
    expected[:, 0] = 6 * x.flatten(1)[:, 0]
    assert relative(found.data.flatten(1), expected) < 1e-14


def test_values_shrink_too():
    def model(x):
        if len(x) > 2:
            raise torch.OutOfMemoryError("full")
        return net(x)

    net, x = Net(SHAPE), signal(SHAPE, batch=5)
    with Gradients(model, x, [1, 2, 3, 4, 0]) as ask:
        found = ask.values(x)
    assert relative(found[0], net(x).gather(1, torch.tensor([[1], [2], [3], [4], [0]]))[:, 0]) < 1e-14


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_nothing_is_held_after_a_call(method):
    net, x = Convolutional(2, strict=False), signal((19, 19)).float()

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())  # a proxy may be dead

    explain(net, x, 1, method)
    before = tensors()
    explain(net, x, 1, method)
    assert tensors() <= before  # fewer where something older was let go meanwhile


@pytest.mark.parametrize("batch_size", [None, 5])
def test_memory_too_small_for_one_row_is_an_error(batch_size):
    def model(x):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError, match="full") as caught:
        explain(model, signal(SHAPE), batch_size=batch_size)
    assert not hasattr(caught.value, "__notes__")


def training(part):
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(84, 5), nn.Dropout(0.5))).double().eval()
    net.get_submodule(part).training = True
    return net


X, NET = signal(SHAPE), Net(SHAPE)
CALLS = {
    "mode": (lambda: explain(training(""), X), "evaluation mode.*got training mode in the model.*model.eval"),
    "part": (lambda: explain(training("1.1"), X), r"evaluation mode.*got training mode in 1\.1\. Call"),
    "all": (lambda: explain(training("").train(), X), r"training mode in the model and 4 more\. Call"),
    "NaN": (lambda: explain(NET, X * float("nan")), "x must be finite; got NaN or infinity"),
    "inf": (lambda: explain(NET, X / 0), "x must be finite; got NaN or infinity"),
    "integers": (lambda: explain(NET, X.long()), r"floating-point numbers; got torch.int64\. Pass x / 255"),
    "dimensions": (lambda: explain(NET, X[0, 0]), r"\(batch, channel, \*axes\); got \(6, 7\).*x\[None\]"),
    "batch_size": (
        lambda: explain(NET, X, batch_size=0),
        "batch_size must be at least 1, or None to measure it; got 0",
    ),
    "batch_size 2.5": (lambda: explain(NET, X, batch_size=2.5), "batch_size must be at least 1, .* got 2.5"),
    "autocast": (lambda: explain(NET, X, autocast=torch.float64), "autocast must be .* or None; got torch.float64"),
    "lazy": (lambda: explain(nn.LazyLinear(3).eval(), X), r"have shapes; some of these are lazy. Call model\(x\)"),
    "lazy buffers": (lambda: explain(nn.LazyBatchNorm2d().eval(), X), "have shapes; some of these are lazy"),
    "argmax": (lambda: explain(lambda x: NET(x).argmax(1), X, None), "differentiably; this one does not.*argmax"),
    "detach": (lambda: explain(lambda x: NET(x).detach(), X), "differentiably; this one does not.*detach"),
    "detached input": (lambda: explain(lambda x: NET(x.detach()), X), "differentiably; this one does not"),
    "one of several": (
        lambda: explain(NET, X, wl.targets.Several(1, lambda out: out.detach()[:, 0])),
        "differentiably; this one does not",
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_wrong_use_says_what_to_do(call):
    make, match = CALLS[call]
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_a_gradient_that_is_no_number_is_an_error(method):
    def model(x):
        return (0 * x).flatten(1).sum(1).sqrt() + x.flatten(1).sum(1)

    with pytest.raises(
        ValueError, match=r"the explained output and its gradient must be finite; got NaN or infinity.*square root"
    ):
        explain(model, X, None, method)


def test_a_model_that_does_not_fit_says_what_it_was_given():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        explain(Net((5, 5)), X, batch_size=2)
    (note,) = caught.value.__notes__
    assert "a batch of shape (2, 2, 6, 7) and torch.float64 on cpu" in note
    assert "x is (batch, channel, *axes) = (3, 2, 6, 7)" in note
    assert "one signal alone is x[None]" in note


@pytest.mark.parametrize("method", FIXED, ids=name)
def test_autocast_is_close_and_sums_in_float32(method):
    net, x = Net(SHAPE).float(), signal(SHAPE).float() / 3
    seen = []

    def model(x):
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None)
        return net(x)

    expected = explain(model, x, method=method)
    assert set(seen) == {None}
    seen.clear()
    found = explain(model, x, method=method, autocast=torch.bfloat16, batch_size=2)
    assert set(seen) == {torch.bfloat16}
    assert found.data.dtype == found.score.dtype == torch.float32
    assert 0 < relative(found.data, expected.data) < 5e-2


def test_autocast_keeps_no_chunk_beyond_its_pass():
    """Its cache would hold what it cast, and so the points, until the whole call is over."""
    layer, seen, alive = nn.Linear(7, 5), [], []

    def model(x):
        alive.append(sum(one() is not None for one in seen))
        seen.append(weakref.ref(x))
        return layer(x).flatten(1)

    explain(model, signal(SHAPE).float(), method=wl.SmoothGrad(samples=9), autocast=torch.bfloat16, batch_size=1)
    assert len(seen) > 27
    assert max(alive) <= 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("batch_size", [7, None])
def test_half_precision_gradients_do_not_stall(dtype, batch_size):
    """A thousand ones add up to 256 in bfloat16."""
    x = torch.ones(1, 1, 4, dtype=dtype)
    for method in (wl.SmoothGrad(samples=1000, sigma=0), wl.IntegratedGradients(steps=1000, quadrature="riemann")):
        a = explain(lambda x: x.sum((1, 2)), x, None, method, wl.Identity(), batch_size=batch_size)
        assert a.data.dtype == torch.float32
        assert relative(a.data, torch.ones(1, 1, 4)) < 1e-5


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_progress_counts_passes_and_silence_is_silent(method, capfd):
    explain(NET, X, method=method)
    assert capfd.readouterr() == ("", "")
    with Gradients(NET, X, 2, progress=True) as ask:
        layout = wl.Identity().analysis(X).layout
        method(ask, [wl.methods.Lift(wl.Identity(), layout)], None)
        (task,) = ask.bar._progress.tasks
        assert task.completed == task.total == ask.spent.sum()
        live = ask.bar._progress.live
        assert live.is_started
    assert not live.is_started
    assert torch.equal(explain(NET, X, method=method, progress=True).data, explain(NET, X, method=method).data)


def test_in_a_notebook_the_bar_is_html_that_needs_no_extension(monkeypatch, capfd):
    shown = []
    display = types.ModuleType("IPython.display")
    display.display = lambda bundle, **options: (
        shown.append(options)
        or types.SimpleNamespace(update=lambda bundle, **options: shown.append(bundle["text/html"]))
    )
    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr("wavelens.engine.progress.UPDATE_SECONDS", 0.0)
    explain(NET, X[:1], method=wl.IntegratedGradients(steps=3), progress=True, batch_size=1)
    assert shown[0] == {"raw": True, "display_id": True}
    bars = [f'<progress value="{k}" max="3"></progress> passes {k}/3' for k in (1, 2, 3)]
    assert shown[1:4] == bars
    assert shown[-1] == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", METHODS, ids=name)
def test_a_callers_progress_is_told_of_every_chunk(method, capfd):
    told = []
    a = explain(NET, X, method=method, progress=lambda done, expected: told.append((done, expected)), batch_size=1)
    assert [done for done, _ in told] == list(range(1, int(a.spent.sum()) + 1))
    assert all(done <= expected for done, expected in told)
    assert told[-1][1] == a.spent.sum()
    assert capfd.readouterr() == ("", "")


def test_what_a_callers_progress_raises_ends_the_passes_and_gives_the_model_back():
    net, rows = copy.deepcopy(NET), []

    def enough(done, expected):
        if done >= 3:
            raise InterruptedError(f"{done} of {expected}")

    with (
        net.register_forward_pre_hook(lambda _, args: rows.append(len(args[0]) * torch.is_grad_enabled())),
        pytest.raises(InterruptedError, match=f"3 of {50 * len(X)}"),
    ):
        explain(net, X, method=wl.IntegratedGradients(steps=50), progress=enough, batch_size=1)
    assert sum(rows) <= 4
    assert all(p.requires_grad for p in net.parameters())


def test_the_bar_ends_and_the_model_comes_back_when_the_bar_fails(monkeypatch):
    def broken(*_):
        raise RuntimeError("no terminal")

    monkeypatch.setattr("rich.progress.Progress.start", broken)
    net = copy.deepcopy(NET)
    with pytest.raises(RuntimeError, match="no terminal") as caught:
        explain(net, X, progress=True)
    assert all(p.requires_grad for p in net.parameters())
    assert caught.tb is not None  # it keeps the engine alive: restoring was no work of the garbage collector


@pytest.mark.parametrize("way", ["grad", "vjp", "vmap", "jvp"])
def test_a_model_may_take_gradients_by_torch_func_itself(way):
    from torch import func

    net, x = Net((12,)), signal((12,))
    ones = torch.ones_like(x)

    def model(points):
        def score(p):
            return net(p)[:, 1].sum()

        if way == "grad":
            steep = func.grad(score)(points)
        elif way == "vjp":
            (steep,) = func.vjp(score, points)[1](points.new_tensor(1.0))
        elif way == "vmap":
            steep = func.vmap(lambda one: func.grad(lambda p: net(p[None])[0, 1])(one))(points)
        else:
            return func.jvp(net, (points,), (ones[: len(points)],))[1]
        return steep.flatten(1).square()

    whole = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency())
    one = wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency(), batch_size=1)
    assert relative(whole.data, one.data) < 1e-12
    assert whole.data.abs().max() > 0
