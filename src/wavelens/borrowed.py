"""A caller's model while it is asked: frozen, its passes lean, and given back as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Self
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@contextmanager
def as_found(model: Any, x: Tensor) -> Iterator[None]:
    """Freezes parameters, then gives back `requires_grad`, buffers, training mode, random state and gradient mode."""
    devices = [x.device] if x.device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.autocast(x.device.type, enabled=False),
        _lent(model) if isinstance(model, nn.Module) else nullcontext(),
    ):
        yield


@contextmanager
def _lent(model: nn.Module) -> Iterator[None]:
    """Calls of several threads share one loan: what the first of them found comes back when the last is done."""
    here = threading.get_ident()
    with LOCK:
        users = LOANS.setdefault(model, {})
        nested = here in users
        loan = next(iter(users.values())) if users and not nested else Loan(model)
        if not nested:
            users[here] = loan
    try:
        yield
    finally:
        with LOCK:
            if not nested:
                del users[here]
            if nested or not users:
                loan.give_back()


class Loan:
    """Freezes a model, and knows what it was like."""

    def __init__(self, model: nn.Module) -> None:
        modules = list(model.modules())
        own = [p for m in modules for p in m._parameters.values() if p is not None and not p.is_inference()]
        self.parameters = [(p, p.requires_grad) for p in own]  # an inference tensor could not be given back
        self.slots = [(m, name, b) for m in modules for name, b in m._buffers.items()]
        kept = [(m, b) for m, _, b in self.slots if b is not None and not b.is_inference()]
        # A batch norm in training changes its buffers without a new version: those are given back whatever it says.
        self.buffers = [(b, b.clone(), None if m.training else b._version) for m, b in kept]
        self.modes = [(m, m.training) for m in modules]
        for p, _ in self.parameters:
            p.requires_grad_(False)

    def give_back(self) -> None:
        for p, needed in self.parameters:
            p.requires_grad_(needed)
        for m, mode in self.modes:
            m.training = mode
        for m, name, b in self.slots:
            m._buffers[name] = b
        with torch.no_grad():  # an inference tensor cannot have changed here
            for b, before, version in self.buffers:
                if b._version != version:
                    b.copy_(before)


LOCK = threading.Lock()
LOANS: WeakKeyDictionary[nn.Module, dict[int, Loan]] = WeakKeyDictionary()  # by thread


def seed_device(device: torch.device, number: int) -> None:
    """Seeds what torch draws from on one device: `torch.manual_seed` seeds every GPU's, which nobody gives back."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(number)
    elif device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    else:
        torch.get_device_module(device).manual_seed(number)


class _Norm(torch.autograd.Function):
    """A frozen batch normalisation. Its gradient is a product with a constant: the input is not kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, variance: Tensor, weight: Any, bias: Any, eps: float) -> Tensor:
        ctx.save_for_backward(weight, mean, variance)
        ctx.eps = eps
        return torch.batch_norm(x, weight, bias, mean, variance, False, 0.0, eps, False)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        constants = ctx.saved_tensors
        kernel = torch.ops.aten.native_batch_norm_backward  # reads its second argument for the weight's gradient alone
        return kernel(g, g, *constants, None, None, False, ctx.eps, [True, False, False])[0], *[None] * 5


class _LeanNorms(TorchFunctionMode):
    """Batch normalisations that have nothing to learn keep nothing: half of what a convolutional network keeps."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not functional.batch_norm:
            return func(*args, **(kwargs or {}))
        return _batch_norm(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`, lean where only its input asks for a gradient."""
    learnt = any(t is not None and t.requires_grad for t in (running_mean, running_var, weight, bias))
    if training or running_mean is None or running_var is None or learnt or not input.requires_grad:
        return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    found: Tensor = _Norm.apply(input, running_mean, running_var, weight, bias, eps)  # type: ignore[no-untyped-call]
    return found


class Lean:
    """Faster and smaller passes of a frozen model, where that was measured: in float32 on a CPU.

    Convolutions run channels-last, and batch normalisations keep nothing for the backward pass. Calling it puts points
    in the format. Planar convolutions follow their input; volumetric ones follow their weights, which are copied for
    the time and given back. `undo` ends all of it, for a model that cannot run so.
    """

    def __init__(self, model: Any, x: Tensor) -> None:
        layers = list(model.modules()) if isinstance(model, nn.Module) else []
        self.convolutions = [m for m in layers if isinstance(m, nn.Conv2d | nn.Conv3d)]
        measured = x.device.type == "cpu" and x.dtype == torch.float32
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        self.format = (
            formats.get(x.ndim, torch.contiguous_format) if measured and self.convolutions else torch.contiguous_format
        )
        self.weights: list[tuple[Tensor, Tensor]] = []
        self.spared = False
        self.norms = measured and any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in layers)

    def passes(self) -> AbstractContextManager[Any]:
        """What a pass of the model runs in."""
        return _LeanNorms() if self.norms else nullcontext()

    def __enter__(self) -> Self:
        if self.format is torch.channels_last_3d:
            kernels = {id(m.weight): m.weight for m in self.convolutions if isinstance(m, nn.Conv3d)}
            self.weights = [
                (w, w.data)
                for w in kernels.values()
                if isinstance(w, nn.Parameter) and not w.is_contiguous(memory_format=self.format)
            ]  # of another thread's call that overlaps it takes care
            for weight, data in self.weights:
                weight.data = data.contiguous(memory_format=self.format)
        return self

    def __call__(self, points: Tensor) -> Tensor:
        ready = points.contiguous(memory_format=self.format)
        return ready.clone() if self.spared else ready

    def spare(self) -> bool:
        """Copies of points from here on, for a model that works on its input in place; whether that is new."""
        new, self.spared = not self.spared, True
        return new

    def undo(self) -> bool:
        """Back to the usual format; whether there was anything to undo."""
        active = self.norms or self.format is not torch.contiguous_format
        self.norms, self.format = False, torch.contiguous_format
        for weight, data in self.weights:
            weight.data = data
        self.weights = []
        return active

    def __exit__(self, *error: Any) -> None:
        self.undo()
