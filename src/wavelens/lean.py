"""Faster and smaller passes of a frozen model, with the values and gradients that it has."""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
READS = {  # tell of a tensor what a folded convolution leaves as it is
    *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.is_floating_point, torch.numel, torch.is_floating_point),
    *(getattr(Tensor, name).__get__ for name in ("shape", "ndim", "dtype", "device", "is_cuda")),
}


class Lean:
    """A model's passes as they were measured to be best; in float32 on a CPU alone they differ from its own.

    Convolutions run channels-last: planar ones follow their input, volumetric ones their weights, which are copied for
    the time and given back. Batch normalisations keep nothing for the backward pass, and one that alone reads a
    convolution becomes part of it. `undo` ends all of it, for a model that cannot run so.
    """

    def __init__(self, model: Callable[[Tensor], Any], x: Tensor) -> None:
        layers = list(model.modules()) if isinstance(model, nn.Module) else []
        convolutions = [m for m in layers if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)]
        measured = x.device.type == "cpu" and x.dtype == torch.float32
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        last = measured and any(not isinstance(m, nn.Conv1d) for m in convolutions)
        self.model = model
        self.format = formats.get(x.ndim, torch.contiguous_format) if last else torch.contiguous_format
        self.kernels = [k for m in convolutions if isinstance(k := m._parameters.get("weight"), nn.Parameter)]
        self.given: list[tuple[Tensor, Tensor]] = []
        self.spared = False
        self.norms = measured and any(isinstance(m, _BatchNorm) for m in layers)
        self.folds = Folds(self.kernels)

    def __enter__(self) -> Self:
        if self.format is torch.channels_last_3d:
            kernels = {id(k): k for k in self.kernels if k.ndim == 5 and not k.is_contiguous(memory_format=self.format)}
            self.given = [(k, k.data) for k in kernels.values()]  # of another thread's call that overlaps it takes care
            for kernel, data in self.given:
                kernel.data = data.contiguous(memory_format=self.format)
        return self

    def __call__(self, points: Tensor) -> Any:
        """What the model says of points."""
        return self._passed(points, self.folds)

    def unfolded(self, points: Tensor) -> Any:
        """The same from a pass in which each layer gives its own output."""
        return self._passed(points, Folds([]))

    def _passed(self, points: Tensor, folds: Folds) -> Any:
        if not self.norms:
            return self.model(self._ready(points))
        watched = Pass(folds)
        try:
            with watched:
                output = self.model(self._ready(points))
            if watched.holds():
                return output
        except Exception:
            if not watched.wrong:
                raise
        self.folds = Folds([])
        return self.unfolded(points)

    def _ready(self, points: Tensor) -> Tensor:
        """In the format, and the caller's no more where the model may write to them."""
        ready = points.contiguous(memory_format=self.format)
        return ready.clone() if ready is points and (self.spared or not points.requires_grad) else ready

    def spare(self) -> bool:
        """Copies of points from here on, for a model that works on its input in place; whether that is new."""
        new, self.spared = not self.spared, True
        return new

    def undo(self) -> bool:
        """Back to the model's own passes; whether there was anything to undo."""
        active = self.norms or self.format is not torch.contiguous_format
        self.norms, self.format, self.folds = False, torch.contiguous_format, Folds([])
        for kernel, data in self.given:
            kernel.data = data
        self.given = []
        return active

    def __exit__(self, *error: Any) -> None:
        self.undo()


class Norm(NamedTuple):
    """A frozen batch normalisation."""

    mean: Tensor
    variance: Tensor
    weight: Tensor | None
    bias: Tensor | None
    eps: float

    def is_(self, other: Norm | None) -> bool:
        return other is not None and self.eps == other.eps and all(map(operator.is_, self[:4], other[:4]))

    def __call__(self, x: Tensor) -> Tensor:
        """Its gradient is a product with a constant, so that nothing is kept where its input alone asks for one."""
        if not x.requires_grad:
            return functional.batch_norm(x, *self[:4], eps=self.eps)
        found: Tensor = _Normed.apply(x, *self)  # type: ignore[no-untyped-call]
        return found


class _Normed(torch.autograd.Function):
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


class Fold:
    """A convolution and the frozen batch normalisation that reads it, as one convolution."""

    def __init__(self, kernel: Tensor, bias: Tensor | None, norm: Norm) -> None:
        self.norm, self.of_bias = norm, bias
        self.made_of = [(t, t._version) for t in (kernel, bias, *norm[:4]) if t is not None]
        scale = (norm.variance.double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.mean * scale if bias is None else (bias - norm.mean) * scale
        shift = shift if norm.bias is None else shift + norm.bias
        self.kernel = (kernel * scale.to(kernel).view(-1, *[1] * (kernel.ndim - 1))).detach()
        self.bias = shift.to(kernel).detach()

    def holds(self, bias: Tensor | None) -> bool:
        """Whether all is as it was when it was made."""
        return bias is self.of_bias and all(t._version == version for t, version in self.made_of)


@dataclass(eq=False)
class Output:
    """What a model holds of a convolution: its output, or a stand-in for that of the fold."""

    kernel: Tensor
    norm: Norm | None = None  # that met it, or that is folded
    real: Tensor | None = None
    stand_in: bool = False


class Folds:
    """What is known of a model's convolutions: nothing yet (`open`), the norm that each is followed by, or no more."""

    def __init__(self, kernels: Iterable[Tensor]) -> None:
        self.open = {id(k): k for k in kernels if not k.is_inference()}
        self.norms: dict[int, Norm] = {}
        self.made: dict[int, Fold] = {}

    def learn(self, kernel: Tensor, norm: Norm | None) -> None:
        """Of an output that is gone, and met nothing but a batch normalisation, if that."""
        if id(kernel) not in self.open:
            return
        if norm is None or not self.norms.setdefault(id(kernel), norm).is_(norm):
            self.bar(kernel)

    def bar(self, kernel: Tensor) -> None:
        self.open.pop(id(kernel), None)
        self.norms.pop(id(kernel), None)

    def of(self, kernel: Tensor, bias: Tensor | None) -> Fold | None:
        """The fold of a convolution that has one, as its parameters are now."""
        norm, made = self.norms.get(id(kernel)), self.made.get(id(kernel))
        if norm is not None and (made is None or not made.holds(bias)):
            made = self.made[id(kernel)] = Fold(kernel, bias, norm)
        return made if norm is not None else None


class Pass(TorchFunctionMode):
    """One pass of a model, in which every function that meets a convolution's output is seen.

    A convolution whose output met nothing but one frozen batch normalisation in a pass without gradients, and was gone
    at the end, is folded with it in later passes. What the model then has between the two is a stand-in without
    values, for which the normalisation gives the fold's output. If anything else meets the stand-in, or it is held to
    the end, the pass is `wrong`.
    """

    def __init__(self, folds: Folds) -> None:
        super().__init__()
        self.folds, self.wrong = folds, False
        self.learning = not torch.is_grad_enabled()  # so that gradients do not depend on which of them came first
        self.outputs: dict[int, tuple[Any, Output]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():  # it fuses by itself
            return func(*args, **kwargs)
        if func is functional.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if self.outputs and func not in READS:
            self._meets(*_leaves((args, kwargs)))
        if func in CONVOLUTIONS:
            return self._convolution(func, *args, **kwargs)
        return func(*args, **kwargs)

    def holds(self) -> bool:
        """Whether what the model gave is right: to be asked when it has given it."""
        for key in list(self.outputs):
            self._forget(key)
        return not self.wrong

    def _convolution(
        self,
        func: Callable[..., Any],
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        *how: Any,
        **named: Any,
    ) -> Tensor:
        usual = (
            input.ndim == weight.ndim and not torch.is_autocast_enabled(input.device.type) and not _learnt(weight, bias)
        )
        fold = self.folds.of(weight, bias) if usual else None
        if fold is not None:
            real: Tensor = func(input, fold.kernel, fold.bias, *how, **named)
            held = real.new_full((), math.nan).expand_as(real)  # whoever reads it unseen has no number to go by
            output = Output(weight, fold.norm, real, stand_in=True)
        else:
            held, output = func(input, weight, bias, *how, **named), Output(weight)
        if fold is not None or (usual and self.learning and id(weight) in self.folds.open):
            key = id(held)
            self.outputs[key] = weakref.ref(held, lambda _: self._gone(key)), output
        return held

    def _gone(self, key: int) -> None:
        _, output = self.outputs.pop(key)
        if not output.stand_in:
            self.folds.learn(output.kernel, output.norm)

    def _forget(self, key: int) -> None:
        """Something else than a normalisation had it: its convolution is itself from here on."""
        if key in self.outputs:
            _, output = self.outputs.pop(key)
            self.folds.bar(output.kernel)
            self.wrong |= output.stand_in

    def _meets(self, *values: Any) -> None:
        for value in values:
            self._forget(id(value))
        if self.wrong:
            raise RuntimeError("the output of a convolution was read before its batch normalisation.")

    def _batch_norm(
        self,
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
        learnt = _learnt(running_mean, running_var, weight, bias)
        if training or learnt or running_mean is None or running_var is None:
            self._meets(input)
            return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
        norm = Norm(running_mean, running_var, weight, bias, eps)
        _, output = self.outputs.get(id(input), (None, None))
        if output is not None and output.norm is None:
            output.norm = norm
        elif output is not None and output.real is not None and norm.is_(output.norm):
            real, output.real = output.real, None
            return real
        else:
            self._meets(input)
        return norm(input)


def _learnt(*parameters: Tensor | None) -> bool:
    return any(p is not None and p.requires_grad for p in parameters)


def _leaves(value: Any) -> Iterator[Any]:
    """What containers hold."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value
