"""Batch normalisations that are part of the convolution before them, seen and watched while a model runs."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn import functional

from wavelens.engine.norms import NORMALISATIONS, Norm, Norms, frozen

MIN_ROWS_PER_FOLD = 8  # whose outputs make a kernel's fold worth its room
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
WEIGHTED = (*CONVOLUTIONS, *TRANSPOSED, functional.linear)
DATA = (Tensor.data.__get__, Tensor.data.__set__)  # type: ignore[attr-defined]
READ = "a folded convolution was read before its batch normalisation, or that is not the one it was folded with."
READS = {  # tell of a tensor what a folded convolution leaves as it is
    *(Tensor.dim, Tensor.size, Tensor.numel, Tensor.is_floating_point, torch.numel, torch.is_floating_point),
    *(getattr(Tensor, name).__get__ for name in ("shape", "ndim", "dtype", "device", "is_cuda")),
}


class Fold:
    """A convolution and the frozen batch normalisation that reads it, as one convolution; channels-`last` or not."""

    def __init__(self, kernel: Tensor, bias: Tensor | None, norm: Norm, last: bool) -> None:
        self.norm, self.given_bias = norm, bias
        self.made_of = [(t, t._version) for t in (kernel, bias, *norm[:4]) if t is not None]
        scale = (norm.variance.double() + norm.eps).rsqrt()
        scale = scale if norm.weight is None else scale * norm.weight
        shift = -norm.mean * scale if bias is None else (bias - norm.mean) * scale
        shift = shift if norm.bias is None else shift + norm.bias
        scaled = (kernel * scale.to(kernel).view(-1, *[1] * (kernel.ndim - 1))).detach()
        self.kernel = scaled.contiguous(memory_format=LAST[kernel.ndim]) if last and kernel.ndim in LAST else scaled
        self.bias = shift.to(kernel).detach()

    def holds(self) -> bool:
        """Whether all is as it was when it was made."""
        return all(t._version == version for t, version in self.made_of)


class Folds:
    """What is known of a model's convolutions: nothing yet (`open`), the norm that each is followed by, or no more."""

    def __init__(self, kernels: Iterable[Tensor] = (), own: Iterable[Tensor | None] = (), last: bool = False) -> None:
        self.last = last
        self.open = {id(k): k for k in kernels if not k.is_inference()}
        self.own = {id(t) for t in own}
        self.norms: dict[int, Norm] = {}
        self.made: dict[int, Fold] = {}

    def learn(self, kernel: Tensor, norm: Norm | None) -> None:
        """Notes that an output is gone which met nothing, or nothing but a batch normalisation."""
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
        if norm is not None and (made is None or made.given_bias is not bias or not made.holds()):
            made = self.made[id(kernel)] = Fold(kernel, bias, norm, self.last)
        return made if norm is not None else None


@dataclass(eq=False)
class Seen:
    """A convolution whose output somebody holds, and the normalisation that has met it."""

    kernel: Tensor
    norm: Norm | None = None


class StandIn(Tensor):
    """In place of a folded convolution's output until its normalisation: no kernel runs on it, whoever asks."""

    hidden: Tensor | None
    fold: Fold
    owner: weakref.ref[Pass]

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        owners = [value.owner() for value in _leaves((args, kwargs or {})) if isinstance(value, StandIn)]
        for owner in owners:
            if owner is not None:
                owner.wrong = True
        raise RuntimeError(READ)


class Pass(Norms):
    """One pass of a model, in which the functions that meet convolutions' outputs are seen.

    A convolution whose output met nothing but one frozen batch normalisation in a pass without gradients, and was gone
    at the end, is folded with it in later passes. What the model then has between the two is a stand-in, for which the
    normalisation gives the fold's output. If anything else asks for its numbers, or it is held to the end, the pass is
    `wrong`.
    """

    layers: tuple[Callable[..., Any], ...] = CONVOLUTIONS

    def __init__(self, folds: Folds) -> None:
        super().__init__()
        self.folds, self.wrong = folds, False
        self.learning = not torch.is_grad_enabled()  # so that gradients do not depend on which of them came first
        self.seen: dict[int, tuple[Any, Seen]] = {}
        self.stand_ins: list[Any] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.compiler.is_compiling():  # it fuses by itself
            return func(*args, **kwargs)
        if func is functional.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if func in DATA and id(args[0]) in self.folds.own:
            self._fail("a parameter may be written to without a new version.")
        if self.seen and func not in READS:
            for value in _leaves((args, kwargs)):
                self._forget(id(value))
        if func in self.layers:
            return self._convolution(func, *args, **kwargs)
        return self.normed(func, *args, **kwargs) if func in NORMALISATIONS else func(*args, **kwargs)

    def holds(self) -> bool:
        """Whether what the model gave is right: to be asked when it has given it."""
        for key in list(self.seen):
            self._forget(key)
        return not self.wrong and all(reference() is None for reference in self.stand_ins)

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
            (input.ndim == weight.ndim or func is functional.linear)
            and not torch.is_autocast_enabled(input.device.type)
            and not _learnt(weight, bias)
            and torch._C._autograd._top_saved_tensors_default_hooks(False) is None  # a checkpoint runs again, unseen
        )
        fold = self._fold(weight, bias) if usual else None
        if fold is not None:
            return self._stand_in(func(input, fold.kernel, fold.bias, *how, **named), fold)
        output: Tensor = func(input, weight, bias, *how, **named)
        if usual and self.learning and self._is_worth_it(weight, output) and id(weight) in self.folds.open:
            key = id(output)
            self.seen[key] = weakref.ref(output, lambda _: self._gone(key)), Seen(weight)
        return output

    def _fold(self, weight: Tensor, bias: Tensor | None) -> Fold | None:
        return self.folds.of(weight, bias)

    def _is_worth_it(self, weight: Tensor, output: Tensor) -> bool:
        return weight.nbytes * len(output) <= MIN_ROWS_PER_FOLD * output.nbytes

    def _stand_in(self, real: Tensor, fold: Fold) -> Tensor:
        form = real.detach().new_empty(()).expand_as(real)
        held: StandIn = Tensor._make_subclass(StandIn, form, real.requires_grad)
        held.hidden, held.fold, held.owner = real, fold, weakref.ref(self)
        self.stand_ins.append(weakref.ref(held))
        return held

    def _gone(self, key: int) -> None:
        _, pair = self.seen.pop(key)
        self.folds.learn(pair.kernel, pair.norm)

    def _forget(self, key: int) -> None:
        """Something else than a normalisation had it: its convolution is itself from here on."""
        if key in self.seen:
            _, pair = self.seen.pop(key)
            self.folds.bar(pair.kernel)

    def _fail(self, why: str) -> NoReturn:
        self.wrong = True
        raise RuntimeError(why)

    def _batch_norm(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """`torch.nn.functional.batch_norm` of what may be a convolution's output."""
        norm = frozen(input, *args, **kwargs)
        if isinstance(input, StandIn):
            return self._behind(input, norm)
        _, pair = self.seen.get(id(input), (None, None))
        if pair is not None and norm is not None and pair.norm is None:
            pair.norm = norm
        else:
            self._forget(id(input))
        normed: Tensor = self.normed(functional.batch_norm, input, *args, **kwargs)
        return normed

    def _behind(self, held: StandIn, norm: Norm | None) -> Tensor:
        """What the normalisation gives for a stand-in: the fold's output, once, if all is as it was made for."""
        real, held.hidden = held.hidden, None
        if real is None or not held.fold.norm.is_(norm) or not held.fold.holds():
            self._fail(READ)
        if real.requires_grad and not torch.is_grad_enabled():  # the model cuts the gradient here
            self._fail(READ)
        return real


class NormWatch(Pass):
    """A pass that folds nothing and sees the normalisations of layers of every kind and size."""

    layers = WEIGHTED

    def _fold(self, weight: Tensor, bias: Tensor | None) -> None:
        return None

    def _is_worth_it(self, weight: Tensor, output: Tensor) -> bool:
        return True


def lone_norms(run: Callable[[], Any], kernels: Iterable[Tensor]) -> dict[int, Norm]:
    """The frozen batch normalisation that alone reads a layer's output while `run` runs, by the `id` of its kernel."""
    folds = Folds(kernels)
    with torch.no_grad(), NormWatch(folds) as watch:
        run()
    watch.holds()  # what the model still holds was read by more than a normalisation
    return folds.norms


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
