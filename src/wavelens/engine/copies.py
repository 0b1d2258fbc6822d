"""Copies of a model that are the model: they answer as it does, from memory of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from wavelens.engine.held import held
from wavelens.engine.snapshot import dense
from wavelens.models.module_kinds import with_mode

STRANGER = "shares parameters that are none of its own: it calls a module that is not one of its parts"
Answers = Callable[[nn.Module], Sequence[Tensor]]


class NoCopyError(ValueError):
    """A copy of a model that is not the model; the text says why."""


def copied(model: nn.Module, answers: Answers | None = None) -> nn.Module:
    """A copy of a model, in the same modes; `NoCopyError` where it is not the model.

    It shares no memory with the model, and where `answers` are given, such as scores and gradients of some inputs, it
    gives the same ones without a look at the model's tensors. Without them what was patched is looked through instead.
    """
    try:
        other = copy.deepcopy(model)
    except Exception as error:  # whatever a caller's module raises
        raise NoCopyError(f"the model cannot be copied ({_short(error)})") from error
    for (_, ours), (_, theirs) in zip(with_mode(other), with_mode(model), strict=False):
        ours.training = theirs.training
    own = _storages(model)
    if not own.isdisjoint(_storages(other)):
        raise NoCopyError("a copy of the model shares memory with it")
    if answers is None:
        _check_patches(model, other)
    else:
        _check_answers(model, other, own, answers)
    return other


def _check_answers(model: nn.Module, other: nn.Module, own: set[int], answers: Answers) -> None:
    expected = answers(model)
    try:
        with StorageWatch(own, _storages(other)) as watch:
            given = answers(other)
    except Exception as error:  # whatever a caller's module raises
        raise NoCopyError(f"a copy of the model does not run ({_short(error)})") from error
    if watch.met:
        raise NoCopyError("a copy of the model still calls the model itself: look for a forward or a hook put on it")
    if watch.strange:
        raise NoCopyError(f"a copy of the model {STRANGER}")
    if [t.shape for t in given] != [t.shape for t in expected]:
        raise NoCopyError("a copy of the model gives outputs of another shape than the model")
    if not all(map(_equal, given, expected)):
        raise NoCopyError("a copy of the model gives other scores or gradients than the model")


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether two answers are the same but for the order of their sums."""
    step = torch.finfo(b.dtype).eps if b.is_floating_point() else 0.0
    a, b = a.detach().double().nan_to_num(), b.detach().double().nan_to_num()
    return bool((a - b).norm() <= (64 if step < 1e-6 else 8) * step * b.norm())


class StorageWatch(TorchDispatchMode):
    """Notes whether any kernel reads given memory, and whether it reads parameters that are in neither of two places.

    `met` tells of memory in `storages`, `strange` of parameters that are in neither `storages` nor `known`.
    """

    def __init__(self, storages: set[int], known: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.storages, self.known = storages, known | storages
        self.met = self.strange = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in tree_leaves((args, kwargs or {})):
            if isinstance(tensor, Tensor):
                places = {part.untyped_storage()._cdata for part in dense(tensor)}
                self.met |= not places.isdisjoint(self.storages)
                self.strange |= isinstance(tensor, nn.Parameter) and tensor.numel() > 0 and not places <= self.known
        return func(*args, **(kwargs or {}))


def _storages(model: nn.Module) -> set[int]:
    tensors = (part for t in (*model.parameters(), *model.buffers()) for part in dense(t))
    return {t.untyped_storage()._cdata for t in tensors if t.numel()}


def _check_patches(model: nn.Module, other: nn.Module) -> None:
    """Functions are copied as they are: a forward or a hook may hold the module that it was put on, or another one."""
    own = {id(part) for part in (*model.modules(), *model.parameters(), *model.buffers())}
    copies = {id(part) for part in (*other.modules(), *other.parameters(), *other.buffers())}
    for name, module in other.named_modules():
        for attribute, value in (*vars(module).items(), ("forward", type(module).forward)):
            values = value.values() if isinstance(value, dict) else (value,)
            found = [part for v in values if callable(v) for part in held(v)]
            place = f"by {attribute!r} of {name or 'the model'}"
            if any(id(part) in own for part in found):
                raise NoCopyError(f"a copy of the model still calls the model itself, {place}")
            if any(_has_parameters(part) and id(part) not in copies for part in found):
                raise NoCopyError(f"a copy of the model {STRANGER}, {place}")


def _has_parameters(part: Any) -> bool:
    if isinstance(part, nn.Parameter):
        return True
    return isinstance(part, nn.Module) and next(part.parameters(), None) is not None


def _short(error: Exception) -> str:
    """The beginning of an error, for a line."""
    return (" ".join(str(error).split()) or type(error).__name__)[:120].rstrip(".")
