"""Whatever a model does to itself while it runs, it comes back as it was: values, memory and predictions."""

from __future__ import annotations

import contextlib
import signal as signals
import sys
import threading
from collections import Counter
from contextlib import suppress
from functools import partial

import pytest
import torch
from torch import nn

import wavelens as wl
from wavelens.engine import fast_passes, frozen, gradients, snapshot
from wavelens.engine.frozen import frozen_model

ROWS, FEATURES = 3, 6
METHOD = wl.IntegratedGradients(steps=2)


class Changing(nn.Module):
    """A linear model that does `change(self)` in each pass, and fails in pass `fails` with `error`."""

    def __init__(self, change, prepare=lambda model: None, fails=0, error=None):
        super().__init__()
        source = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(FEATURES, 4, generator=source, dtype=torch.float64))
        self.frozen = nn.Parameter(torch.ones(2, dtype=torch.float64), requires_grad=False)
        self.register_buffer("mean", torch.randn(FEATURES, generator=source, dtype=torch.float64))
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("unsaved", torch.ones(5), persistent=False)
        self.register_buffer("none", None)
        self.plain, self.state = torch.ones(4, dtype=torch.float64), None
        self.change, self.passes, self.fails, self.error = change, [], fails, error
        prepare(self)
        self.eval()

    def forward(self, x):
        scores = ((x - self.mean).relu() @ self.weight + self.plain).squeeze(1)
        self.passes.append(len(x))
        with torch.no_grad():
            self.change(self)
        if len(self.passes) == self.fails:
            raise self.error
        return scores


def by_numpy(model):
    model.mean.numpy()[:2] = 7.0


def normalised(model):  # the batch's statistics, written by a kernel into buffers
    rows = torch.randn(8, FEATURES, dtype=torch.float64)
    nn.functional.batch_norm(rows, model.mean, model.variance, training=True)


def observed(model):  # an observer of quantisation-aware training
    model.observer(torch.full((2,), 9.0))


def in_inference_mode(model):
    with torch.inference_mode():
        model.mean.add_(1)


def sharing(model):
    whole = torch.arange(2.0 * 24, dtype=torch.float64)
    model.weight.data = whole[:24].view(FEATURES, 4)
    model.other = nn.Parameter(whole[12:].view(-1, 4))


def no_preparation(model):
    pass


CHANGES = {
    # name: what a pass does, and what the model has for it
    "in place": (lambda m: m.mean.mul_(2), no_preparation),
    "through .data": (lambda m: m.mean.data.add_(1), no_preparation),
    "in numpy": (by_numpy, no_preparation),
    "not to be seen in a sum": (lambda m: m.mean.data.copy_(m.mean.sort().values), no_preparation),
    "the sign of a zero": (lambda m: m.mean.data.neg_(), lambda m: m.mean.zero_()),
    "by a kernel": (normalised, lambda m: m.register_buffer("variance", torch.ones(FEATURES, dtype=torch.float64))),
    "by an observer": (observed, lambda m: m.add_module("observer", torch.ao.quantization.MinMaxObserver())),
    "an integer": (lambda m: m.steps.add_(1), no_preparation),
    "not in the state dict": (lambda m: m.unsaved.data.lerp_(torch.zeros(5), 0.5), no_preparation),
    "a clipped parameter": (lambda m: m.weight.data.clamp_(-0.1, 0.1), no_preparation),
    "a renormed parameter": (lambda m: setattr(m.weight, "data", m.weight.renorm(2, 0, 0.1)), no_preparation),
    "a frozen parameter": (lambda m: m.frozen.data.zero_(), no_preparation),
    "in another precision": (lambda m: setattr(m.mean, "data", m.mean.half().double() + 1), no_preparation),
    "enlarged": (lambda m: m.mean.data.resize_(9).fill_(1), no_preparation),
    "resized": (lambda m: m.unsaved.resize_(2), no_preparation),
    "emptied": (lambda m: m.unsaved.untyped_storage().resize_(0), no_preparation),
    "set": (lambda m: m.unsaved.set_(torch.zeros(2)), no_preparation),
    "a new buffer in its place": (lambda m: setattr(m, "mean", m.mean + 1), no_preparation),
    "a new parameter in its place": (lambda m: setattr(m, "weight", nn.Parameter(m.weight * 2)), no_preparation),
    "a buffer more": (lambda m: m.register_buffer("more", torch.ones(1)), no_preparation),
    "a buffer for none": (lambda m: setattr(m, "none", torch.ones(1)), no_preparation),
    "a buffer less": (lambda m: m._buffers.pop("steps", None), no_preparation),
    "a layer more": (lambda m: setattr(m, "layer", nn.Linear(2, 2)), no_preparation),
    "a layer for nothing": (lambda m: setattr(m, "state", nn.Linear(2, 2)), no_preparation),
    "a plain tensor": (lambda m: m.plain.mul_(2), no_preparation),
    "a plain tensor in its place": (lambda m: setattr(m, "plain", m.plain * 2), no_preparation),
    "a plain tensor for nothing": (lambda m: setattr(m, "state", torch.ones(1)), no_preparation),
    "a plain tensor more": (lambda m: setattr(m, "cache", torch.ones(1)), no_preparation),
    "memory of two parameters": (lambda m: m.weight.data.zero_(), sharing),
    "an expanded buffer": (
        lambda m: m.wide.data[:1].add_(1),
        lambda m: m.register_buffer("wide", torch.ones(1).expand(5)),
    ),
    "a transposed buffer": (
        lambda m: m.wide.data.mul_(3),
        lambda m: m.register_buffer("wide", torch.arange(6.0).view(2, 3).T),
    ),
    "a sparse buffer": (
        lambda m: m.graph.data._values().mul_(2),
        lambda m: m.register_buffer("graph", torch.eye(3).to_sparse()),
    ),
    "a compressed buffer": (
        lambda m: m.graph.values().mul_(2),
        lambda m: m.register_buffer("graph", torch.eye(3).to_sparse_csr()),
    ),
    "complex": (
        lambda m: m.wave.data.mul_(1j),
        lambda m: m.register_buffer("wave", torch.ones(3, dtype=torch.complex128)),
    ),
    "not a number": (lambda m: m.gap.data.fill_(0), lambda m: m.register_buffer("gap", torch.full((3,), torch.nan))),
    "in inference mode": (in_inference_mode, no_preparation),
    "the mode": (lambda m: setattr(m, "training", True), no_preparation),
    "what is learnt": (lambda m: m.frozen.requires_grad_(), no_preparation),
    "what is learnt of a buffer": (lambda m: m.mean.requires_grad_(), no_preparation),
}
FAILURES = {"no failure": (0, None), "error": (2, ValueError("broken")), "signal": (2, KeyboardInterrupt())}


def bits(t):
    parts = snapshot.dense(t)
    return [(p.shape, p.stride(), p.dtype, p.storage_offset(), *memory(p.untyped_storage())) for p in parts]


def memory(storage):
    return storage._cdata, bytes(storage.tolist())


def state(model):
    """Every tensor of a model by name, with its identity, its memory and the bits in it; modes and flags."""
    found = {}
    for place, module in model.named_modules():
        held = [("parameter", module._parameters), ("buffer", module._buffers), ("attribute", vars(module))]
        for kind, tensors in held:
            pairs = [(k, t) for k, t in tensors.items() if t is None or isinstance(t, torch.Tensor)]
            pairs = sorted(pairs, key=lambda pair: pair[0]) if kind == "attribute" else pairs
            found[place, kind] = [(k, id(t), t if t is None else (t.requires_grad, bits(t))) for k, t in pairs]
        found[place, "mode"] = module.training
    return found


def explain(model, x, **options):
    return wl.attribute(model, x, 1, domain=wl.Identity(), method=METHOD, batch_size=2, **options)


def points():
    return torch.linspace(-1, 1, ROWS * FEATURES, dtype=torch.float64).view(ROWS, 1, FEATURES)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", CHANGES)
def test_the_model_comes_back(name, failure):
    fails, error = FAILURES[failure]
    change, prepare = CHANGES[name]
    model, x = Changing(change, prepare, fails, error), points()
    before = state(model)
    with suppress(ValueError, KeyboardInterrupt):
        explain(model, x)
    assert len(model.passes) > 1
    assert state(model) == before


@pytest.mark.parametrize("name", CHANGES)
def test_the_table_changes_its_models(name):
    """Without a loan each state differs, so that the test above can fail."""
    change, prepare = CHANGES[name]
    model = Changing(change, prepare)
    before = state(model)
    if name in ("resized", "emptied", "set"):
        model.unsaved.requires_grad_(False)
    model(points())
    assert state(model) != before


class Calling:
    """An object that is no module and calls one."""

    def __init__(self, model):
        self.model = model

    def __call__(self, x):
        return self.model(x)


GLOBAL = None


def by_global(x):
    return GLOBAL(x)


FUNCTIONS = {
    "a closure": lambda model: lambda x: model(x),
    "a bound method": lambda model: model.forward,
    "a partial": lambda model: partial(nn.Module.__call__, model),
    "an object": Calling,
    "a global": lambda model: by_global,
    "a list in a closure": lambda model: (lambda models: lambda x: models[0](x))([model]),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("name", ["in place", "through .data", "a plain tensor for nothing", "what is learnt"])
def test_the_module_inside_a_function_comes_back(name, kind, monkeypatch):
    change, prepare = CHANGES[name]
    model, x = Changing(change, prepare), points()
    monkeypatch.setattr(sys.modules[__name__], "GLOBAL", model)
    before = state(model)
    explain(FUNCTIONS[kind](model), x)
    assert len(model.passes) > 1
    assert state(model) == before


def test_a_batch_norm_in_training_mode_inside_a_function_learns_nothing():
    net = nn.Sequential(nn.BatchNorm1d(1), nn.Flatten(), nn.Linear(FEATURES, 4)).double().train()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    with pytest.warns(UserWarning, match="depends on its batch"):
        explain(lambda x: net(x), points())
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert net.training


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_what_has_no_plain_memory_leaves_the_rest_as_it_was():
    model = Changing(lambda m: m.mean.mul_(2))
    model.several = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    mean = model.mean.clone()
    explain(model, points())
    assert torch.equal(model.mean, mean)
    assert all(p.requires_grad for name, p in model.named_parameters() if name != "frozen")


def test_buffers_made_in_inference_mode_come_back():
    model = Changing(in_inference_mode)
    with torch.inference_mode():
        model.mean = model.mean + 0
    before, x = state(model), points()
    explain(model, x)
    assert state(model) == before


def test_what_comes_back_has_no_new_version():
    """A graph of the caller's goes on: nothing in it has changed."""
    model, x = Changing(lambda m: m.weight.data.clamp_(-0.1, 0.1)), points()
    scores = (x - model.mean).requires_grad_() @ model.weight
    explain(model, x)
    scores.sum().backward()
    assert model.weight.grad is not None


def test_an_inner_loan_copies_what_has_changed_alone():
    model, x = Changing(no_preparation), points()
    with frozen_model(model, x):
        outer = copies(model)
        model.mean.data.add_(1)
        with frozen_model(model, x):
            pass
        inner = frozen.Loan(model, *frozen.LOANS[model].values()).snapshots.copies
        shared = [place for place in outer if inner[place] is outer[place]]
        assert len(shared) == len(outer) - 1
        changed = model.mean.clone()
        with frozen_model(model, x):
            model.mean.zero_()
        assert torch.equal(model.mean, changed)


def copies(model):
    (loan,) = frozen.LOANS[model].values()
    return loan.snapshots.copies


def test_threads_that_overlap_give_back_what_the_first_of_them_had():
    begun, ended = threading.Event(), threading.Event()
    model, x = Changing(lambda m: m.weight.data.mul_(0.5)), points()
    before = state(model)

    def first(done, expected):
        begun.set()
        assert inside.wait(30)

    def second(done, expected):
        inside.set()
        assert ended.wait(30)

    inside = threading.Event()
    threads = [threading.Thread(target=explain, args=(model, x), kwargs={"progress": p}) for p in (first, second)]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    threads[0].join()
    assert not any(p.requires_grad for p in model.parameters())
    ended.set()
    threads[1].join()
    assert state(model) == before
    assert not frozen.LOANS.get(model)


@pytest.mark.parametrize("name", ["a clipped parameter", "not to be seen in a sum", "by a kernel"])
def test_a_change_of_what_is_too_large_to_copy_is_an_error(name, monkeypatch):
    monkeypatch.setattr(snapshot, "SMALL_BYTES", 0)
    monkeypatch.setattr(snapshot, "_free", lambda device: 0)
    change, prepare = CHANGES[name]
    with pytest.raises(RuntimeError, match=r"this one changed '(weight|mean|variance)' while it ran"):
        explain(Changing(change, prepare), points())
    model = Changing(no_preparation)
    before = state(model)
    assert torch.isfinite(explain(model, points()).data).all()
    assert state(model) == before


@pytest.mark.parametrize("size", [5, 4096, 3 * 4096 + 7])
def test_sums_see_what_plain_sums_do_not(size):
    words = torch.arange(size)
    swapped = words.clone()
    swapped[[0, -1]] = words[[-1, 0]]
    assert swapped.sum() == words.sum()
    assert not torch.equal(snapshot.sums(words), snapshot.sums(swapped))


class Volumetric(nn.Module):
    """Runs channels-last, with a copy of its kernel; in each pass it clips, counts in a buffer and draws a number."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.last = nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2), nn.Linear(2, 3)
        self.register_buffer("count", torch.zeros(1))
        self.eval()

    def forward(self, x):
        self.count.data.add_(torch.rand(1))
        self.last.weight.data.clamp_(-0.1, 0.1)
        return self.last(self.norm(self.first(x)).relu().mean((2, 3, 4)))


OWN = (frozen, snapshot, gradients, fast_passes, contextlib, torch.overrides)
WATCHED = {module.__file__ for module in OWN}


def observed_at(call, react):
    """The call, where `react(place)` runs where Python looks for signals: as a function begins, and after one in C."""

    def observe(frame, event, function):
        code = frame.f_code
        if event in ("call", "c_return") and code.co_filename in WATCHED and code.co_name != "__del__":
            react((code.co_filename, frame.f_lineno, getattr(function, "__name__", code.co_name)))

    sys.setprofile(observe)
    try:
        call()
    finally:
        sys.setprofile(None)


def interrupted(call, place, number):
    """The call, with a signal when it comes to a place for the `number`-th time."""
    left = number

    def react(here):
        nonlocal left
        left -= here == place
        if left == 0 and here == place:
            signals.raise_signal(signals.SIGINT)

    observed_at(call, react)


def surroundings():
    return {
        "random": torch.get_rng_state().tolist(),
        "grad": torch.is_grad_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_cache_enabled()),
        "function modes": torch._C._len_torch_function_stack(),
    }


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a generator that it closes
def test_a_signal_at_any_time_leaves_the_model_as_it_was():
    """At the first, the middle and the last time of each place in set-up, passes and giving back."""
    model, x, counts = Volumetric(), torch.rand(2, 1, 5, 5, 5), Counter()
    before = state(model)

    def call():
        wl.attribute(model, x, 1, domain=wl.Identity(), method=wl.Saliency(), batch_size=2)

    observed_at(call, lambda place: counts.update([place]))
    times = [(place, number) for place, count in counts.items() for number in {1, (count + 1) // 2, count}]
    with torch.autocast("cpu", torch.bfloat16):
        around = surroundings()
        for place, number in times:
            with suppress(KeyboardInterrupt):  # which a generator that is closed swallows
                interrupted(call, place, number)
            assert state(model) == before, (place, number)
            assert surroundings() == around, (place, number)
            assert not frozen.LOANS.get(model), (place, number)
    assert len(times) > len(counts) > 150
    other = threading.Thread(target=call)
    other.start()
    other.join(30)
    assert not other.is_alive()  # nothing is locked
