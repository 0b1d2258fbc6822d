"""Batch and instance normalisations whose gradients are right in any layout of memory.

On a CPU, torch's kernel for the input gradient of a batch normalisation, by which instance normalisations run too,
takes its two tensors for equally laid out where axes of length one hide that they are not. One row whose incoming
gradient is transposed, as that of `norm(x).flatten(2).transpose(1, 2)`, then gets the gradients of other places, in
every precision (torch 2.13). With the signal's axes flattened to one no layout is mistaken.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
OPERATORS = (
    "batch_norm",
    "instance_norm",
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_native_batch_norm_legit_functional",
    "_batch_norm_impl_index",
    "_batch_norm_no_update",
    "_batch_norm_with_update",
    "_batch_norm_with_update_functional",
)


def _callables(operator: str) -> list[Any]:
    """All that Python calls an operator by, those apart that write into a given tensor; some versions lack some."""
    packet = getattr(aten, operator, None)
    overloads = [] if packet is None else [getattr(packet, name) for name in packet.overloads() if "out" not in name]
    return [one for one in (getattr(torch, operator, None), packet, *overloads) if one is not None]


NORMALISATIONS = frozenset(
    [functional.batch_norm, functional.instance_norm, *(one for name in OPERATORS for one in _callables(name))]
)
BACKWARDS = frozenset([*_callables("native_batch_norm_backward"), *_callables("batch_norm_backward")])
KERNELS = NORMALISATIONS | BACKWARDS


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
        """Its derivative is itself without shifts: where its input alone asks for a gradient nothing of it is kept."""
        normed: Tensor = _Normed.apply(x, *self)  # type: ignore[no-untyped-call]
        return normed


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, variance: Tensor, weight: Any, bias: Any, eps: float) -> Tensor:
        ctx.save_for_backward(variance, weight)  # torch tells if they change before the backward pass
        ctx.save_for_forward(variance, weight)
        ctx.eps = eps
        return torch.batch_norm(x, weight, bias, mean, variance, False, 0.0, eps, False)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return _scaled(g, *ctx.saved_tensors, ctx.eps), *[None] * 5  # type: ignore[call-arg]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _scaled(tangent, *ctx.saved_tensors, ctx.eps)  # type: ignore[call-arg]


def _scaled(g: Tensor, variance: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """The derivative applied to `g`, rounded once; the kernel forward reads one tensor and mistakes no layout."""
    if torch.is_grad_enabled():
        return Norm(torch.zeros_like(variance), variance, weight, None, eps)(g)
    return torch.batch_norm(g, weight, None, torch.zeros_like(variance), variance, False, 0.0, eps, False)


def frozen(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Norm | None:
    """The frozen normalisation that a call of `functional.batch_norm` is, or None where it is not."""
    if running_mean is None or running_var is None or training:
        return None
    norm = Norm(running_mean, running_var, weight, bias, eps)
    return None if any(t is not None and t.requires_grad for t in norm[:4]) else norm


class Norms(TorchFunctionMode):
    """While it is active, normalisations are given gradients that are right.

    `met` tells whether there was any, `repeated` whether one is in a checkpoint: that runs it again in the backward
    pass, where no such mode is active, and needs `Kernels`.
    """

    met = repeated = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in NORMALISATIONS or torch.compiler.is_compiling():
            return func(*args, **kwargs)
        return self.normed(func, *args, **kwargs)

    def normed(self, func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any) -> Any:
        """What one of the functions gives."""
        self.met = True
        transformed = torch._C._are_functorch_transforms_active()  # then no tensor says whether it needs a gradient
        if not (torch.is_grad_enabled() and (input.requires_grad or transformed)):
            return func(input, *args, **kwargs)
        if _is_checkpointed():
            self.repeated = True
            return func(input, *args, **kwargs)
        own = func is functional.batch_norm and type(input) is Tensor and not transformed
        norm = frozen(input, *args, **kwargs) if own else None
        return flattened(func, input, *args, **kwargs) if norm is None else norm(input)


class Kernels(TorchDispatchMode):
    """The same by torch's kernels, for normalisations that Python does not see, as in TorchScript; it costs time."""

    met = False

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.met |= func in KERNELS
        if func not in BACKWARDS or args[0].ndim < 4:
            return func(*args, **kwargs or {})
        g, x, *others = args
        first, *more = func(g.flatten(2), x.flatten(2), *others)
        return (None if first is None else first.reshape(x.shape), *more)


def flattened(func: Callable[..., Any], input: Tensor, *args: Any, **kwargs: Any) -> Any:
    """A normalisation with the signal's axes as one."""
    if input.ndim < 4:
        return func(input, *args, **kwargs)
    output = func(input.flatten(2), *args, **kwargs)
    if isinstance(output, Tensor):
        return output.unflatten(2, input.shape[2:])
    return (output[0].unflatten(2, input.shape[2:]), *output[1:])


def is_opaque(model: Any) -> bool:
    """Whether normalisations may run in the model where Python does not see them."""
    return not isinstance(model, nn.Module) or any(isinstance(m, torch.jit.ScriptModule) for m in model.modules())


def _is_checkpointed() -> bool:
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(False)
    return hooks is not None and hooks[0].__module__ == "torch.utils.checkpoint"
