"""What networks do, by the names of torch's functions: affine steps, activations, maxima; and all else is refused.

Rules of relevance hold for some functions and not for others. They are applied where torch's functions are called
(`TorchFunctionMode`), so that a residual sum or a ReLU that is no module is seen too, and none passes unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

SUMS: dict[str, Callable[[float], tuple[float, float]]] = {  # what each signal is multiplied with, by `alpha`
    **dict.fromkeys("add add_ __radd__ __add__ __iadd__".split(), lambda alpha: (1, alpha)),
    **dict.fromkeys("sub sub_ __sub__ __isub__".split(), lambda alpha: (1, -alpha)),
    **dict.fromkeys("rsub __rsub__".split(), lambda alpha: (-alpha, 1)),
}
LINEAR = frozenset(  # linear in one signal
    "mean sum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d neg "
    "interpolate".split()
)
SCALES: dict[str, Callable[[Tensor, Any], Tensor]] = {
    **dict.fromkeys("mul mul_ __mul__ __rmul__ __imul__".split(), torch.mul),
    **dict.fromkeys("div div_ true_divide __truediv__ __itruediv__".split(), torch.div),
}
PRODUCTS = frozenset(  # affine where only the first of their arguments depends on the signal
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear batch_norm matmul".split()
)
SHAPES = frozenset(
    "flatten unflatten reshape reshape_as view view_as permute transpose movedim squeeze unsqueeze cat concat stack "
    "pad chunk split unbind expand expand_as repeat flip roll narrow select contiguous clone to float double type_as "
    "requires_grad_ __getitem__ __get__".split()
)
DROPS = frozenset("dropout dropout_ dropout1d dropout2d dropout3d feature_dropout".split())
AFFINE = frozenset(SUMS) | LINEAR | SHAPES | DROPS
ACTIVATIONS = frozenset(
    "relu relu_ relu6 hardtanh hardtanh_ clamp clamp_ clamp_min clamp_min_ leaky_relu leaky_relu_ prelu elu elu_ selu "
    "selu_ celu celu_ gelu silu silu_ mish softplus softsign hardswish hardsigmoid tanh tanh_ sigmoid sigmoid_ "
    "logsigmoid threshold threshold_".split()
)
MAXIMA = frozenset(
    "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d amax".split()
)


class Rules(TorchFunctionMode):
    """While it is active, functions of the signal follow the rules of a subclass; those without a rule are refused.

    What depends on the signal is what requires a gradient: parameters are frozen meanwhile.
    """

    explainer: object

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        touched = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor) and value.requires_grad]
        if touched and name in ACTIVATIONS:
            return self.activation(function, args, kwargs)
        if touched and name in MAXIMA:
            return self.maximum(function, args, kwargs)
        if len(touched) == 2 and name in SUMS:
            a, b = torch.broadcast_tensors(*touched)
            return self.sum(a, b, *SUMS[name](kwargs.get("alpha", 1)))
        if len(touched) == 1 and name in SCALES and not kwargs:
            scale = SCALES[name]
            if touched[0] is args[0]:
                return self.mean(scale, args, kwargs)
            if scale is torch.mul:
                return self.mean(scale, args[::-1], kwargs)
        if touched and name in LINEAR:
            return self.mean(function, args, kwargs)
        output = function(*args, **kwargs)
        if touched and isinstance(output, Tensor) and output.requires_grad:
            self._check(name, args, touched)
        return output

    def activation(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    def maximum(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)

    def sum(self, a: Tensor, b: Tensor, first: float, second: float) -> Any:
        return first * a + second * b

    def mean(self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)

    def _check(self, name: str, args: Sequence[Any], touched: list[Tensor]) -> None:
        if name in AFFINE or (name in PRODUCTS and len(touched) == 1 and touched[0] is args[0]):
            return
        if len(touched) > 1:
            name = f"{name} of two signals"
        raise ValueError(
            f"{self.explainer} has rules for affine layers, elementwise activations, sums and pooling; this model does "
            f"{name}, for which there is none. Explain it by gradients or a class activation map instead."
        )
