"""A caller's model while it is asked: frozen, and given back as it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


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
