"""A caller's model during a call: frozen, and given back as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch._C import _len_torch_function_stack
from torch.nn.parameter import is_lazy
from torch.overrides import _pop_mode

from wavelens.engine.held import modules_of
from wavelens.engine.snapshot import Snapshots


class frozen_model:
    """Freeze a model for the time of a `with`, then give it back as it was, after errors and signals too.

    A function's modules are those that it holds: in closures, as globals that it reads, as what it is bound to.
    Parameters, buffers and tensors that modules hold as plain attributes come back in value, size and memory; so do
    `requires_grad`, training modes, random states, autocast and the gradient mode. A tensor attribute that is new is
    removed. Not given back are tensors in a module's lists and dicts, and what is no tensor, such as a counter.
    """

    def __init__(self, model: Any, x: Tensor) -> None:
        self._device, self._thread = x.device, threading.get_ident()
        self._parts = [Part(module) for module in modules_of(model)]
        self._undo: list[Callable[[], Any]] = []  # each may run twice, and before what it undoes is done

    def __enter__(self) -> None:
        try:
            self._enter()
        except BaseException:
            self.give_back()
            raise

    def _enter(self) -> None:
        self._undo.append(partial(torch.set_rng_state, torch.get_rng_state()))
        if self._device.type == "cuda":
            self._undo.append(partial(torch.cuda.set_rng_state, torch.cuda.get_rng_state(self._device), self._device))
        guard = torch._C._InferenceMode(False)
        self._undo.append(partial(guard.__exit__, None, None, None))
        guard.__enter__()
        kind = self._device.type
        self._undo.append(partial(torch.set_autocast_dtype, kind, torch.get_autocast_dtype(kind)))
        self._undo.append(partial(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled()))
        self._undo.append(partial(torch.set_autocast_enabled, kind, torch.is_autocast_enabled(kind)))
        torch.set_autocast_enabled(kind, False)
        self._undo += [part.give_back for part in self._parts]
        self._undo.append(partial(_leave_modes, _len_torch_function_stack()))  # before the model is written to
        for part in self._parts:
            part.take()

    def give_back(self) -> None:
        """Undo what was done; nothing where nothing is left to undo."""
        _surely(self._run)

    def _run(self) -> None:
        while self._undo:
            self._undo[-1]()
            self._undo.pop()

    def __exit__(self, *error: object) -> None:
        self.give_back()

    def __del__(self) -> None:
        """Gives back what a signal at the entry of `__exit__` left out; another thread has modes of its own."""
        if not vars(self).get("_undo"):
            return
        if self._thread == threading.get_ident():
            self.give_back()
        else:
            for part in self._parts:
                part.give_back()

    def state_has_changed(self) -> bool:
        """Whether the model has written to what it keeps beside its parameters."""
        return any(part.loan is not None and part.loan.state_has_changed() for part in self._parts)


class Part:
    """One call's part in a loan: threads that overlap share a loan, and the last of them ends it."""

    loan: Loan | None = None

    def __init__(self, model: nn.Module) -> None:
        self.model, self.thread, self.nested = model, threading.get_ident(), False

    def take(self) -> None:
        with LOCK:
            users = LOANS.setdefault(self.model, {})
            self.nested = self.thread in users
            shared = users and not self.nested
            self.loan = next(iter(users.values())) if shared else Loan(self.model, users.get(self.thread))
            users.setdefault(self.thread, self.loan)
            self.loan.freeze()

    def give_back(self) -> None:
        with LOCK:
            if self.loan is None:
                return
            users = LOANS.get(self.model, {})
            if not self.nested:
                users.pop(self.thread, None)
            if self.nested or not users:
                _surely(self.loan.give_back)
            self.loan = None


class Loan:
    """What a model was like."""

    snapshots: Snapshots

    def __init__(self, model: nn.Module, outer: Loan | None = None) -> None:
        named = list(model.named_modules())
        self.holders = [Holder(module) for _, module in named]
        self.modes = [(m, m.training) for _, m in named if hasattr(m, "training")]  # frozen TorchScript has none
        parameters = (p for m in model.modules() for p in m._parameters.values() if p is not None)
        self.parameters = [(p, p.requires_grad) for p in parameters if not p.is_inference()]
        self.buffers = [(b, b.requires_grad) for b in model.buffers() if b.is_leaf and not b.is_inference()]
        tensors = (
            (f"{place}.{name}".lstrip("."), t)
            for (place, _), holder in zip(named, self.holders, strict=True)
            for name, t in holder.tensors()
            if not is_lazy(t)
        )
        self.snapshots = Snapshots(tensors, {} if outer is None else outer.snapshots.copies)

    def freeze(self) -> None:
        for p, _ in self.parameters:
            p.requires_grad_(False)

    def give_back(self) -> None:
        try:
            for holder in self.holders:
                holder.give_back()
            self.snapshots.give_back()
        finally:  # of a tensor that torch cannot write to, at least the others are as they were
            for tensor, needed in (*self.parameters, *self.buffers):
                if tensor.requires_grad != needed:
                    tensor.requires_grad_(needed)
            for m, mode in self.modes:
                m.training = mode

    def state_has_changed(self) -> bool:
        return any(holder.has_other_tensors() for holder in self.holders) or self.snapshots.state_has_changed()


class Holder:
    """A module, and what it holds under which name."""

    def __init__(self, module: nn.Module) -> None:
        self.attributes = vars(module)
        self.plain = {name: v for name, v in self._own() if v is None or isinstance(v, Tensor)}
        held: tuple[Any, ...] = (module._parameters, module._buffers, module._modules)
        self.slots = [(mapping, dict(mapping.items())) for mapping in held]

    def _own(self) -> Iterator[tuple[str, Any]]:
        """The attributes that the module's class gave it."""
        return ((name, value) for name, value in self.attributes.items() if name not in INTERNAL)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        for held in (*(before for _, before in self.slots), self.plain):
            yield from ((name, t) for name, t in held.items() if isinstance(t, Tensor))

    def has_other_tensors(self) -> bool:
        """Whether a tensor stands where another one or none stood."""
        now = {name: v for name, v in self._own() if isinstance(v, Tensor)}
        buffers, before = self.slots[1]
        return any(self.plain.get(name) is not v for name, v in now.items()) or any(
            v is not before.get(name) for name, v in buffers.items()
        )

    def give_back(self) -> None:
        for held, before in self.slots:
            if list(held.keys()) != list(before):  # state_dict has their order
                for name in list(held.keys()):
                    del held[name]
            _set(held, before)
        for name in [name for name, v in self._own() if name not in self.plain and isinstance(v, Tensor)]:
            del self.attributes[name]
        _set(self.attributes, {name: v for name, v in self.plain.items() if v is not None or self._filled(name)})

    def _filled(self, name: str) -> bool:
        """Whether a tensor or a layer stands now where nothing was."""
        return name not in self.attributes or isinstance(self.attributes[name], Tensor)


def _set(held: MutableMapping[str, Any], before: dict[str, Any]) -> None:
    for name, value in before.items():
        if name not in held or held[name] is not value:
            held[name] = value


def _leave_modes(depth: int) -> None:
    """Take torch's function modes off that a signal at the entry of their `__exit__` left on."""
    while _len_torch_function_stack() > depth:
        _pop_mode()


def _surely(step: Callable[[], None]) -> None:
    """Run a step to its end though a signal comes between; it may be begun again."""
    try:
        step()
    except BaseException:
        step()
        raise


INTERNAL = frozenset(vars(nn.Module()))
LOCK = threading.RLock()  # a garbage collection may end one loan inside another
LOANS: WeakKeyDictionary[nn.Module, dict[int, Loan]] = WeakKeyDictionary()  # by thread


def seed_device(device: torch.device, number: int) -> None:
    """Seeds what torch draws from on one device: `torch.manual_seed` seeds every GPU's, which nobody gives back."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(number)
    elif device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(number)
    else:
        torch.get_device_module(device).manual_seed(number)
